//! Which computers have registered, what they are, and whether the site knows them.
//!
//! Owns a small database of its own, in which the ledger and the shelf of policy lie, too, and who
//! is forgotten: whoever does not come any more. What computers say is kept as they say it,
//! shortened. Fails when the database does.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{ClientId, ClientKind, ClientRecord, SiteCode, Timestamp};
use rpc::convert::{read_address, wire_address};
use sqlite_engine::{Database, Error, Options, ReadTx, Row, RowResult, Schema, WriteTx};
use sqlite_engine::{params, parse_column};
use uuid::Uuid;
use wsus_protocol::client::ComputerInfo;

use super::{limits, shelf};

const SCHEMA: Schema = Schema {
    name: "computers",
    application_id: 0x544c_5743, // "TLWC"
    migrations: &[include_str!("../../schema/0001_create_computers.sql")],
};

#[derive(Clone, Debug)]
pub(crate) struct Register {
    pub(super) database: Database,
    /// Computers that are known to have a row.
    known: Arc<Mutex<BTreeSet<Uuid>>>,
}

/// A computer that its site has to be told of.
#[derive(Clone, Debug)]
pub(crate) struct Newcomer {
    pub(crate) record: ClientRecord,
    pub(crate) incarnation: u64,
    /// How much the computer had to say by then.
    changes: u64,
    /// Its place among those that wait.
    pub(crate) place: Place,
}

/// Since when a computer waits, and which one.
pub(crate) type Place = (i64, Uuid);

/// When a computer called, and from where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contact {
    pub(crate) at_ms: i64,
    pub(crate) address: Option<IpAddr>,
}

/// What the site made of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reception {
    Known,
    Refused,
}

impl Register {
    pub(crate) fn open(path: &Path, options: Options) -> Result<Register, Error> {
        Ok(Register { database: Database::open(path, SCHEMA, options)?, known: Arc::default() })
    }

    fn known(&self) -> MutexGuard<'_, BTreeSet<Uuid>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn check(&self) -> Result<Vec<String>, Error> {
        self.database.check().await
    }

    pub(crate) async fn knows(&self, id: Uuid) -> Result<bool, Error> {
        if self.known().contains(&id) {
            return Ok(true);
        }
        let is_known = self.database.read(move |tx: &ReadTx| is_known(tx, id)).await?;
        if is_known {
            self.known().insert(id);
        }
        Ok(is_known)
    }

    /// Whether there was room for it. `incarnation` is that of a computer that is new.
    pub(crate) async fn register(
        &self,
        id: Uuid,
        computer: ComputerInfo,
        incarnation: u64,
        contact: Contact,
    ) -> Result<bool, Error> {
        let write = move |tx: &WriteTx| {
            let (has_room, forgotten) = match is_known(tx, id)? {
                true => (true, Vec::new()),
                false => {
                    let forgotten = forget(tx, contact.at_ms)?;
                    (has_room(tx)?, forgotten)
                }
            };
            if has_room {
                register(tx, id, &computer, (incarnation, contact))?;
            }
            Ok::<_, Error>((has_room, forgotten))
        };
        let (has_room, forgotten) = self.database.write(write).await?;
        let mut known = self.known();
        known.retain(|id| !forgotten.contains(id));
        Ok(has_room)
    }

    /// Notes that a computer was here. The site hears of that once a day, and somewhat sooner when
    /// the computer came from elsewhere; then it is asked again about those it refused, too.
    pub(crate) async fn note_contact(&self, id: Uuid, contact: Contact) -> Result<(), Error> {
        let sql = "UPDATE computer SET last_contact = ?2, address = ?3,
                     changes = changes + (address <> ?3),
                     is_due = is_due OR standing_since <= ?4
                       OR (told_address <> ?3 AND standing_since <= ?5)
                   WHERE id = ?1";
        let Contact { at_ms, address } = contact;
        let (day, hours) = (at_ms - limits::CONTACT_MS, at_ms - limits::ADDRESS_MS);
        let address = wire_address(address);
        let write = move |tx: &WriteTx| {
            tx.execute(sql, params![id.as_bytes(), at_ms, address, day, hours]).map(drop)
        };
        self.database.write(write).await
    }

    /// Computers that the site has to be told of and that waited at `now_ms`, the longest waiting
    /// first, after the place of the last one. The site fills in when it heard of them.
    pub(crate) async fn newcomers(
        &self,
        site: SiteCode,
        after: Option<Place>,
        now_ms: i64,
    ) -> Result<Vec<Newcomer>, Error> {
        let sql = "SELECT id, name, os_version, os_description, architecture, client_version,
                     manufacturer, model, incarnation, address, changes, standing_since
                   FROM computer
                   WHERE is_due AND standing_since <= ?1 AND (standing_since, id) > (?2, ?3)
                   ORDER BY standing_since, id LIMIT ?4";
        let newcomers = move |tx: &ReadTx| {
            let (since, id) = match after {
                Some((since, id)) => (since, id.as_bytes().to_vec()),
                None => (i64::MIN, Vec::new()),
            };
            let values = params![now_ms, since, id, limits::NEWCOMERS_AT_ONCE];
            tx.query_all(sql, values, |row| newcomer(row, site))
        };
        self.database.read(newcomers).await
    }

    /// Notes what the site made of a computer. What changed meanwhile it has not heard.
    pub(crate) async fn received(
        &self,
        newcomer: &Newcomer,
        reception: Reception,
        now_ms: i64,
    ) -> Result<(), Error> {
        let sql = "UPDATE computer SET standing = ?2, standing_since = ?3, told_address = ?4,
                     is_due = changes <> ?5 WHERE id = ?1";
        let (id, changes) = (newcomer.record.id.0, newcomer.changes);
        let address = wire_address(newcomer.record.address);
        let standing = match reception {
            Reception::Known => "known",
            Reception::Refused => "refused",
        };
        let write = move |tx: &WriteTx| {
            tx.execute(sql, params![id.as_bytes(), standing, now_ms, address, changes]).map(drop)
        };
        self.database.write(write).await
    }

    #[cfg(test)]
    pub(crate) async fn describe(&self, id: Uuid) -> Result<Option<String>, Error> {
        let sql = "SELECT name || ' | ' || os_version || ' | ' || os_description || ' | ' || model
                     || ' | ' || architecture || ' | ' || client_version || ' | ' || last_contact
                   FROM computer WHERE id = ?1";
        let read = move |tx: &ReadTx| tx.query_optional(sql, [id.as_bytes()], |row| row.get(0));
        self.database.read(read).await
    }
}

fn is_known(tx: &ReadTx, id: Uuid) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM computer WHERE id = ?1";
    Ok(tx.query_optional(sql, [id.as_bytes()], |_| Ok(()))?.is_some())
}

fn has_room(tx: &ReadTx) -> Result<bool, Error> {
    let count: u64 = tx.query_row("SELECT computers FROM progress", [], |row| row.get(0))?;
    Ok(count < limits::COMPUTERS_MAX)
}

/// Forgets some of those who do not come any more, and says whom.
fn forget(tx: &WriteTx, now_ms: i64) -> Result<Vec<Uuid>, Error> {
    let mut gone = Vec::new();
    for (sql, kept_ms) in [
        (
            "SELECT id FROM computer WHERE standing = 'known' AND last_contact < ?1
             ORDER BY last_contact LIMIT ?2",
            limits::COMPUTERS_KEPT_MS,
        ),
        (
            "SELECT id FROM computer WHERE standing <> 'known' AND last_contact < ?1
             ORDER BY last_contact LIMIT ?2",
            limits::UNKNOWN_KEPT_MS,
        ),
    ] {
        let values = params![now_ms - kept_ms, limits::FORGOTTEN_AT_ONCE];
        gone.extend(tx.query_all(sql, values, |row| uuid(row, 0))?);
    }
    for id in &gone {
        shelf::drop_policy(tx, *id)?;
        for sql in [
            "DELETE FROM state WHERE computer = ?1",
            "DELETE FROM event WHERE computer = ?1",
            "DELETE FROM computer WHERE id = ?1",
        ] {
            tx.execute(sql, [id.as_bytes()])?;
        }
    }
    Ok(gone)
}

fn register(
    tx: &WriteTx,
    id: Uuid,
    computer: &ComputerInfo,
    (incarnation, contact): (u64, Contact),
) -> Result<(), Error> {
    let c = computer;
    let os = format!("{}.{}.{}", c.os_major, c.os_minor, c.os_build);
    let client =
        format!("{}.{}.{}.{}", c.client_major, c.client_minor, c.client_build, c.client_qfe);
    let sql = "INSERT INTO computer (id, name, os_version, os_description, manufacturer, model,
                 architecture, client_version, last_contact, standing, standing_since, is_due,
                 incarnation, serial, reported, wants_full, covered, scanned_at, address,
                 told_address, changes)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'new', ?9, 1, ?10, 0, 0, 0, 0, 0, ?11,
                 ?11, 0)
               ON CONFLICT DO UPDATE SET name = excluded.name, os_version = excluded.os_version,
                 os_description = excluded.os_description, manufacturer = excluded.manufacturer,
                 model = excluded.model, architecture = excluded.architecture,
                 client_version = excluded.client_version, last_contact = excluded.last_contact,
                 address = excluded.address, is_due = 1, changes = changes + 1";
    let values = params![
        id.as_bytes(),
        shortened(&c.dns_name),
        os,
        shortened(&c.os_description),
        shortened(&c.manufacturer),
        shortened(&c.model),
        shortened(&c.processor_architecture),
        client,
        contact.at_ms,
        incarnation.cast_signed(),
        wire_address(contact.address)
    ];
    tx.execute(sql, values).map(drop)
}

fn newcomer(row: &Row<'_>, site: SiteCode) -> RowResult<Newcomer> {
    let (version, description): (String, String) = (row.get(2)?, row.get(3)?);
    let architecture: String = row.get(4)?;
    let record = ClientRecord {
        id: ClientId(uuid(row, 0)?),
        kind: ClientKind::Windows,
        name: row.get(1)?,
        site,
        os: format!("windows {version} {description}").trim_end().to_owned(),
        architecture: usual_architecture(&architecture).to_owned(),
        agent_version: row.get(5)?,
        manufacturer: row.get(6)?,
        model: row.get(7)?,
        address: parse_column(row, 9, |bytes: Vec<u8>| read_address(&bytes))?,
        seen_on: Timestamp(0),
    };
    let incarnation = row.get::<_, i64>(8)?.cast_unsigned();
    let place = (row.get(11)?, record.id.0);
    Ok(Newcomer { record, incarnation, changes: row.get(10)?, place })
}

/// In the words that other clients have for it.
fn usual_architecture(name: &str) -> &str {
    match name {
        "AMD64" | "amd64" => "x86_64",
        "X86" | "x86" => "x86",
        "ARM64" | "arm64" => "aarch64",
        other => other,
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(limits::TEXT_CHARS_MAX).collect()
}

pub(super) fn uuid(row: &Row<'_>, column: usize) -> RowResult<Uuid> {
    parse_column(row, column, |bytes: Vec<u8>| Uuid::from_slice(&bytes))
}

#[cfg(test)]
mod tests;
