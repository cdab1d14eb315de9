//! What clients said of their updates: vectors, which are objects, and states that are parked until
//! their item is here.
//!
//! Owns that a vector and the parked states beside it change in one transaction, and that an item
//! takes its parked states along in the transaction that applies it. Refuses to know the rules by
//! which a report changes a vector. A stored vector that cannot be read is an error of its reader;
//! it stops no replication.

use std::collections::{BTreeMap, BTreeSet};

use compliance::{Holding, ItemNumbers, ParkedState};
use model::{
    ClientId, ComplianceState, EnforcementState, Group, Invalid, Kind, Timestamp, UpdateId,
    UpdateState, Vector,
};
use sqlite_engine::{Row, RowResult, params, parse_column};

use crate::streams::{bits, unbits};
use crate::{Error, Own, Reader, Writer};

/// Clients in one step of following; a step's vectors fit into memory easily.
const CLIENTS_PER_STEP: u32 = 1_000;

/// What it is of a client whose change counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// Its record or its vector.
    Standing,
    /// Its inventory as well.
    Anything,
}

/// What a compliance board has to know of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientStanding {
    pub client: ClientId,
    /// Whether its record is here.
    pub registered: bool,
    pub vector: Option<StandingVector>,
}

/// A vector and the row that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingVector {
    pub lsn: i64,
    /// None if it cannot be read: made by a later version, say.
    pub vector: Option<Vector>,
}

impl Reader<'_> {
    /// The vector of a client, whatever site it is assigned to.
    pub fn vector(&self, client: ClientId) -> Result<Option<Vector>, Error> {
        let Some((_, body)) = self.body(Kind::Vector, client.as_bytes())? else { return Ok(None) };
        let unreadable = |e: compliance::Error| Invalid::new("state vector", e.to_string());
        let vector = compliance::decode_vector(&body).map_err(unreadable);
        vector.map(Some).map_err(Error::stored("state vector"))
    }

    /// Everything held of a client of this site.
    pub fn holding(&self, client: ClientId) -> Result<Option<Holding>, Error> {
        let Some(vector) = self.vector(client)? else { return Ok(None) };
        let sql = "SELECT update_id, state, enforcement, code, serial, changed_at
                   FROM parked_state WHERE client = ?1 ORDER BY update_id";
        let parked = self.tx.query_all(sql, [client.as_bytes()], parked_row)?;
        Ok(Some(Holding { vector, parked }))
    }

    /// The numbers of everything a holding and a report speak of, as far as the items are here.
    pub fn item_numbers(
        &self,
        held: Option<&Holding>,
        reported: impl IntoIterator<Item = UpdateId>,
    ) -> Result<ItemNumbers, Error> {
        let mut numbers = ItemNumbers::default();
        for (number, _) in held.into_iter().flat_map(|held| held.vector.listed()) {
            if let Some(item) = self.item_by_number(number)? {
                numbers.insert(item.id, item.number);
            }
        }
        let parked = held.into_iter().flat_map(|h| &h.parked).map(|parked| parked.update);
        for update in parked.chain(reported) {
            if let Some(item) = self.item_by_id(update)? {
                numbers.insert(item.id, item.number);
            }
        }
        Ok(numbers)
    }

    /// Visits every client that has a record or a vector, maybe twice; answers the newest row of
    /// the snapshot, from which [`Reader::changed_standings`] goes on.
    pub fn visit_standings(&self, mut visit: impl FnMut(ClientStanding)) -> Result<i64, Error> {
        let sql = "SELECT id FROM live WHERE kind = ?1";
        self.tx.for_each::<_, Error>(sql, [Kind::Client as u32], client_column, |client| {
            visit(ClientStanding { client, registered: true, vector: None });
            Ok(())
        })?;
        let sql = "SELECT l.id, l.lsn, e.body,
                     EXISTS (SELECT 1 FROM live c WHERE c.kind = ?2 AND c.id = l.id)
                   FROM live l JOIN entry e ON e.lsn = l.lsn WHERE l.kind = ?1";
        let kinds = [Kind::Vector as u32, Kind::Client as u32];
        self.tx.for_each::<_, Error>(sql, kinds, standing_row, |standing| {
            visit(standing);
            Ok(())
        })?;
        self.last_row()
    }

    /// Clients whose record or vector changed in rows beyond `after`, as they are now, and the last
    /// row looked at; nobody if there is nothing new.
    pub fn changed_standings(&self, after: i64) -> Result<(Vec<ClientStanding>, i64), Error> {
        let (changed, last) = self.changed_clients(after, Changed::Standing)?;
        let standings = changed.into_iter().map(|client| self.standing(client));
        Ok((standings.collect::<Result<_, _>>()?, last))
    }

    /// The last row of the log.
    pub fn last_row(&self) -> Result<i64, Error> {
        let sql = "SELECT coalesce(max(lsn), 0) FROM entry";
        Ok(self.tx.query_row(sql, [], |row| row.get(0))?)
    }

    /// Clients of which that changed in rows beyond `after`, and the last such row looked at.
    pub fn changed_clients(
        &self,
        after: i64,
        what: Changed,
    ) -> Result<(BTreeSet<ClientId>, i64), Error> {
        let sql = "SELECT lsn, id FROM entry WHERE grp IN (?1, ?2) AND lsn > ?3
                     AND kind IN (?4, ?5, ?6, ?7)
                   ORDER BY lsn LIMIT ?8";
        let groups = (Group::Clients as u8, Group::State as u8);
        let (client, vector) = (Kind::Client as u32, Kind::Vector as u32);
        let (computer, software) = match what {
            Changed::Standing => (client, vector),
            Changed::Anything => (Kind::Inventory as u32, Kind::InstalledSoftware as u32),
        };
        let steps = CLIENTS_PER_STEP;
        let key = params![groups.0, groups.1, after, client, vector, computer, software, steps];
        let rows: Vec<(i64, ClientId)> = self.tx.query_all(sql, key, |row| {
            Ok((row.get(0)?, parse_column(row, 1, |b: Vec<u8>| ClientId::from_slice(&b))?))
        })?;
        let last = rows.last().map_or(after, |(lsn, _)| *lsn);
        Ok((rows.into_iter().map(|(_, client)| client).collect(), last))
    }

    fn standing(&self, client: ClientId) -> Result<ClientStanding, Error> {
        let sql = "SELECT l.id, l.lsn, e.body, 1 FROM live l JOIN entry e ON e.lsn = l.lsn
                   WHERE l.kind = ?1 AND l.id = ?2";
        let key = params![Kind::Vector as u32, client.as_bytes()];
        let found = self.tx.query_optional(sql, key, standing_row)?;
        let registered = self.body(Kind::Client, client.as_bytes())?.is_some();
        let vector = found.and_then(|standing| standing.vector);
        Ok(ClientStanding { client, registered, vector })
    }

    /// The vector in a row of the log, as long as the log holds it.
    pub fn vector_at(&self, lsn: i64) -> Result<Option<StandingVector>, Error> {
        let sql = "SELECT body FROM entry WHERE lsn = ?1 AND kind = ?2";
        let body: Option<Option<Vec<u8>>> =
            self.tx.query_optional(sql, params![lsn, Kind::Vector as u32], |row| row.get(0))?;
        let decode = |body: Vec<u8>| compliance::decode_vector(&body).ok();
        Ok(body.flatten().map(|body| StandingVector { lsn, vector: decode(body) }))
    }
}

impl Writer<'_> {
    /// Replaces what is held of a client.
    pub fn write_holding(&self, holding: &Holding) -> Result<(), Error> {
        let Holding { vector, parked } = holding;
        let client = vector.client.as_bytes();
        let body = compliance::encode_vector(vector)
            .map_err(|e| Error::Invalid(Invalid::new("state vector", e.to_string())))?;
        let change = Own::put_bytes(Kind::Vector, client.to_vec(), body);
        self.write_own(Group::State, vec![change])?;
        let sql = "DELETE FROM parked_state WHERE client = ?1 RETURNING update_id, parked_at";
        let known: Vec<(Vec<u8>, i64)> =
            self.tx.query_all(sql, [client], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let known: BTreeMap<Vec<u8>, i64> = known.into_iter().collect();
        for ParkedState { update, state, serial, at } in parked {
            let (enforcement, code) = state.enforcement.map_or((0, 0), |(e, code)| (e as u8, code));
            let parked_at = known.get(update.as_bytes().as_slice()).copied();
            self.write.execute(
                "INSERT INTO parked_state VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    client,
                    update.as_bytes(),
                    state.state as u8,
                    enforcement,
                    code,
                    bits(*serial),
                    at.0,
                    parked_at.unwrap_or(self.now().0)
                ],
            )?;
        }
        Ok(())
    }

    /// Moves the states that waited for an item into their vectors. While this site may not write
    /// vectors they stay parked; the client's next report takes them along.
    pub(crate) fn apply_parked(&self, update: UpdateId) -> Result<(), Error> {
        let sql = "SELECT client FROM parked_state WHERE update_id = ?1";
        for client in self.tx.query_all(sql, [update.as_bytes()], client_column)? {
            let holding = match self.holding(client) {
                Ok(Some(holding)) => holding,
                Ok(None) | Err(Error::DecodeStored { .. }) => continue,
                Err(error) => return Err(error),
            };
            let items = self.item_numbers(Some(&holding), [])?;
            let Some(holding) = compliance::apply_parked(&holding, &items) else { continue };
            match self.write_holding(&holding) {
                Err(Error::NotWritable { .. }) => return Ok(()),
                written => written?,
            }
        }
        Ok(())
    }

    /// Gives up states that have waited since before `before`; answers how many.
    pub fn drop_parked(&self, before: Timestamp) -> Result<usize, Error> {
        Ok(self.write.execute("DELETE FROM parked_state WHERE parked_at < ?1", [before.0])?)
    }

    /// Forgets a client of this site.
    pub fn remove_client(&self, client: ClientId) -> Result<(), Error> {
        let id = client.as_bytes().to_vec();
        for table in ["parked_state", "policy_head", "refresh_wanted"] {
            self.write.execute(&format!("DELETE FROM {table} WHERE client = ?1"), [&id])?;
        }
        self.write_own(Group::State, vec![Own::delete(Kind::Vector, id.clone())])?;
        let kinds = [Kind::Inventory, Kind::InstalledSoftware, Kind::Client];
        let changes = kinds.into_iter().map(|kind| Own::delete(kind, id.clone()));
        self.write_own(Group::Clients, changes.collect())
    }
}

fn client_column(row: &Row<'_>) -> RowResult<ClientId> {
    parse_column(row, 0, |b: Vec<u8>| ClientId::from_slice(&b))
}

fn standing_row(row: &Row<'_>) -> RowResult<ClientStanding> {
    let body: Vec<u8> = row.get(2)?;
    let vector = compliance::decode_vector(&body).ok();
    let vector = Some(StandingVector { lsn: row.get(1)?, vector });
    Ok(ClientStanding { client: client_column(row)?, registered: row.get(3)?, vector })
}

fn parked_row(row: &Row<'_>) -> RowResult<ParkedState> {
    let states = [ComplianceState::Required, ComplianceState::Installed, ComplianceState::Unknown];
    let state = |number: u8| {
        let found = states.into_iter().find(|state| *state as u8 == number);
        found.ok_or_else(|| Invalid::new("parked state", format!("{number} is not parked")))
    };
    let enforcement = match row.get(2)? {
        0_u8 => None,
        _ => Some((parse_column(row, 2, EnforcementState::from_number)?, row.get(3)?)),
    };
    Ok(ParkedState {
        update: parse_column(row, 0, |b: Vec<u8>| UpdateId::from_slice(&b))?,
        state: UpdateState { state: parse_column(row, 1, state)?, enforcement },
        serial: unbits(row.get(4)?),
        at: Timestamp(row.get(5)?),
    })
}

#[cfg(test)]
mod tests;
