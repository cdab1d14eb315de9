//! What each computer said of its updates, and how much of that its site has.
//!
//! Owns the rows of states and the numbering of state messages: each change takes the next number,
//! and a report names what changed since the last number that the site has, so that one which is
//! sent twice, or overlaps another, says the same. Where much is gone, or the site knows nothing,
//! everything is told instead. What events mean is decided elsewhere. Events that came before are
//! known by their names and count once.

use model::{
    ClientId, ComplianceState, EnforcementState, Sha256, StateChange, StateReport, Timestamp,
    UpdateId, UpdateRef, UpdateState, deployment_digest, state_digest,
};
use rpc::limits::REPORT_CHANGES_MAX;
use rpc::pb::management::Outcome;
use sqlite_engine::{Error, ReadTx, Row, RowResult, WriteTx, params, parse_column};
use uuid::Uuid;
use wsus_protocol::reporting::ReportingEvent;

use super::intake::Batch;
use super::limits;
use super::register::{Register, uuid};
use super::states::{Circumstances, Event, Held, Standing};

const LOAD: &str = "SELECT update_id, revision, state, enforcement, code, at, serial FROM state
    WHERE computer = ?1 ORDER BY update_id";

impl Register {
    /// The last entry of the spool whose events were taken into account, and its digest.
    pub(crate) async fn folded(&self) -> Result<(u64, Sha256), Error> {
        let sql = "SELECT folded, digest FROM progress";
        let folded = |row: &Row<'_>| Ok((row.get(0)?, Sha256(row.get(1)?)));
        self.database.read(move |tx: &ReadTx| tx.query_row(sql, [], folded)).await
    }

    /// Takes batches of events into account, each once, and remembers the last of them.
    pub(crate) async fn fold(
        &self,
        batches: Vec<Batch>,
        (last, digest): (u64, Sha256),
        revision: impl Fn(UpdateId) -> Option<u32> + Send + 'static,
    ) -> Result<(), Error> {
        let fold = move |tx: &WriteTx| -> Result<(), Error> {
            batches.iter().try_for_each(|batch| fold(tx, batch, &revision))?;
            let sql = "UPDATE progress SET folded = ?1, digest = ?2";
            tx.execute(sql, params![last, digest.0]).map(drop)
        };
        self.database.write(fold).await
    }

    /// Reports of computers of which the site lacks something, by their names, those after `after`:
    /// as many as one submission is likely to hold.
    pub(crate) async fn reports(
        &self,
        after: Option<Uuid>,
        count_max: usize,
    ) -> Result<Vec<StateReport>, Error> {
        let sql = "SELECT id FROM computer
                   WHERE standing = 'known' AND (reported < serial OR wants_full) AND id > ?1
                   ORDER BY id LIMIT ?2";
        let all = move |tx: &ReadTx| -> Result<Vec<StateReport>, Error> {
            let after = after.map_or(Vec::new(), |id| id.as_bytes().to_vec());
            let ids = tx.query_all(sql, params![after, count_max], |row| uuid(row, 0))?;
            let (mut reports, mut changes) = (Vec::new(), 0);
            for id in ids {
                let Some(report) = report(tx, id)? else { continue };
                changes += report.changes.len();
                reports.push(report);
                if changes >= limits::CHANGES_PER_SUBMISSION {
                    break;
                }
            }
            Ok(reports)
        };
        self.database.read(all).await
    }

    /// How many computers said something that the site lacks.
    pub(crate) async fn unsaid(&self) -> Result<u64, Error> {
        let sql = "SELECT count(*) FROM computer
                   WHERE standing = 'known' AND (reported < serial OR wants_full)";
        self.database.read(move |tx: &ReadTx| tx.query_row(sql, [], |row| row.get(0))).await
    }

    /// Notes what the site made of reports, and of those that are behind the last serial it has.
    pub(crate) async fn settle(
        &self,
        outcomes: Vec<(StateReport, (Outcome, u64))>,
    ) -> Result<(), Error> {
        let settle = move |tx: &WriteTx| -> Result<(), Error> {
            outcomes.iter().try_for_each(|(report, outcome)| settle(tx, report, *outcome))
        };
        self.database.write(settle).await
    }

    /// What a computer said that still holds, and its last state message.
    #[cfg(test)]
    pub(crate) async fn standing(&self, id: Uuid) -> Result<Option<(Standing, u64)>, Error> {
        let load = move |tx: &ReadTx| Ok(load(tx, id)?.map(|l| (l.standing, l.serial)));
        self.database.read(load).await
    }

    /// The last events of a computer, the newest first: number and result.
    #[cfg(test)]
    pub(crate) async fn last_events(&self, id: Uuid) -> Result<Vec<(i32, i32)>, Error> {
        let sql = "SELECT event, hresult FROM event WHERE computer = ?1 ORDER BY number DESC";
        let all = move |tx: &ReadTx| {
            tx.query_all(sql, [id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        };
        self.database.read(all).await
    }
}

/// A computer's row, and those of its updates, which may have become not required.
struct Loaded {
    standing: Standing,
    rows: Vec<(UpdateId, Held, u64)>,
    incarnation: u64,
    serial: u64,
    reported: u64,
    wants_full: bool,
}

fn load(tx: &ReadTx, id: Uuid) -> Result<Option<Loaded>, Error> {
    let sql = "SELECT incarnation, serial, reported, wants_full, covered, scanned_at, scan_error
               FROM computer WHERE id = ?1";
    let loaded = tx.query_optional(sql, [id.as_bytes()], |row| {
        Ok(Loaded {
            incarnation: row.get::<_, i64>(0)?.cast_unsigned(),
            serial: row.get(1)?,
            reported: row.get(2)?,
            wants_full: row.get(3)?,
            rows: Vec::new(),
            standing: Standing {
                covered: row.get(4)?,
                scanned_at: Timestamp(row.get(5)?),
                scan_error: row.get(6)?,
                ..Standing::default()
            },
        })
    })?;
    let Some(mut loaded) = loaded else { return Ok(None) };
    loaded.rows = tx.query_all(LOAD, [id.as_bytes()], state_row)?;
    let holds = loaded.rows.iter().filter(|(_, held, _)| is_listed(held));
    loaded.standing.states = holds.map(|(id, held, _)| (*id, *held)).collect();
    Ok(Some(loaded))
}

fn fold(
    tx: &WriteTx,
    batch: &Batch,
    revision: &dyn Fn(UpdateId) -> Option<u32>,
) -> Result<(), Error> {
    let Some(loaded) = load(tx, batch.computer)? else {
        tracing::debug!(client = %batch.computer, "a computer that never registered reported");
        return Ok(());
    };
    let mut standing = loaded.standing.clone();
    let (scanned, now) = (batch.scanned, batch.received_at);
    let behind_ms = now.0.saturating_sub(batch.client_time.as_millis());
    let circumstances = Circumstances { scanned, now, behind_ms, revision };
    for event in &batch.events {
        if !keep(tx, batch, event)? {
            continue;
        }
        let event = Event::read(event);
        tracing::debug!(client = %batch.computer, number = event.number, "an event");
        standing.fold(&event, circumstances);
    }
    bounded(&mut standing, batch.computer);
    if standing == loaded.standing {
        return Ok(());
    }
    write(tx, batch.computer, &loaded, &standing)
}

/// No report has room for more, and no computer has so many. Its silence about those left out is no
/// answer.
fn bounded(standing: &mut Standing, computer: Uuid) {
    let count = standing.states.len();
    if count > REPORT_CHANGES_MAX {
        tracing::warn!(client = %computer, count, "a computer names too many updates");
        let error = format!("it names {count} updates, of which {REPORT_CHANGES_MAX} are taken");
        (standing.covered, standing.scan_error) = (0, Some(error));
        while standing.states.len() > REPORT_CHANGES_MAX {
            standing.states.pop_last();
        }
    }
}

/// Keeps an event with the last ones of its computer, unless it is among them.
fn keep(tx: &WriteTx, batch: &Batch, event: &ReportingEvent) -> Result<bool, Error> {
    let (computer, basic) = (batch.computer.as_bytes(), &event.basic);
    let sql = "SELECT 1 FROM event WHERE computer = ?1 AND instance = ?2";
    let known = tx.query_optional(sql, params![computer, basic.instance.as_bytes()], |_| Ok(()))?;
    if known.is_some() {
        return Ok(false);
    }
    let sql = "SELECT coalesce(max(number), 0) + 1 FROM event WHERE computer = ?1";
    let number: u64 = tx.query_row(sql, [computer], |row| row.get(0))?;
    let sql =
        "INSERT INTO event (computer, number, instance, at, event, source, update_id, hresult)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let at = basic.time.as_millis().min(batch.received_at.0);
    let update = basic.update.filter(|update| !update.update_id.is_nil());
    let update = update.as_ref().map(|update| update.update_id.as_bytes());
    let instance = basic.instance.as_bytes();
    let values =
        params![computer, number, instance, at, basic.event, basic.source, update, basic.hresult];
    tx.execute(sql, values)?;
    let sql = "DELETE FROM event WHERE computer = ?1 AND number <= ?2";
    tx.execute(sql, params![computer, number.saturating_sub(limits::EVENTS_KEPT)])?;
    Ok(true)
}

/// Writes what changed, each change under the next number.
fn write(tx: &WriteTx, id: Uuid, loaded: &Loaded, standing: &Standing) -> Result<(), Error> {
    let (old, new) = (&loaded.standing.states, &standing.states);
    let named = loaded.rows.iter().map(|(update, ..)| update);
    let is_gone = |update: &&UpdateId| !new.contains_key(update);
    let wants_full = named.filter(is_gone).count() > limits::GONE_MAX;
    // What the site was never told of needs not be taken back.
    let tells_all = wants_full || loaded.wants_full || loaded.reported == 0;
    let gone = old.iter().filter(|(update, _)| !new.contains_key(update)).map(|(update, held)| {
        let state = UpdateState { state: ComplianceState::NotRequired, enforcement: None };
        (update, Held { state, at: standing.scanned_at, ..*held })
    });
    let gone = gone.filter(|_| !tells_all);
    let changed = new.iter().filter(|(update, held)| old.get(update) != Some(held));
    let changed = changed.map(|(update, held)| (update, *held));
    let mut serial = loaded.serial;
    if tells_all {
        let sql = "DELETE FROM state WHERE computer = ?1 AND update_id = ?2";
        for (update, ..) in loaded.rows.iter().filter(|(update, ..)| is_gone(&update)) {
            tx.execute(sql, params![id.as_bytes(), update.as_bytes()])?;
        }
    }
    let sql =
        "INSERT OR REPLACE INTO state (computer, update_id, revision, state, enforcement, code,
                 at, serial) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    for (update, Held { revision, state, at }) in gone.chain(changed) {
        serial += 1;
        let (enforcement, code) = state.enforcement.unzip();
        let (enforcement, code) = (enforcement.map(|e| e as u8), code.unwrap_or_default());
        let (computer, update, state) = (id.as_bytes(), update.as_bytes(), state.state as u8);
        let values = params![computer, update, revision, state, enforcement, code, at.0, serial];
        tx.execute(sql, values)?;
    }
    // A scan that changed nothing is news, too.
    let serial = serial.max(loaded.serial + 1);
    let sql = "UPDATE computer SET serial = ?2, covered = ?3, scanned_at = ?4, scan_error = ?5,
                 wants_full = wants_full OR ?6 WHERE id = ?1";
    let Standing { covered, scanned_at, scan_error, .. } = standing;
    let values = params![id.as_bytes(), serial, covered, scanned_at.0, scan_error, wants_full];
    tx.execute(sql, values)?;
    Ok(())
}

/// Everything at first, or if the site has asked for it; otherwise what it lacks.
fn report(tx: &ReadTx, id: Uuid) -> Result<Option<StateReport>, Error> {
    let Some(loaded) = load(tx, id)? else { return Ok(None) };
    let Loaded { standing, rows, incarnation, serial, reported, wants_full } = loaded;
    let full = wants_full || reported == 0;
    let is_told = |(_, held, number): &&(UpdateId, Held, u64)| match full {
        true => is_listed(held),
        false => *number > reported,
    };
    let changes = rows.iter().filter(is_told).map(|(id, held, _)| StateChange {
        update: UpdateRef { id: *id, revision: held.revision },
        state: held.state,
        at: held.at,
    });
    let states = standing.states.iter().map(|(id, held)| (*id, held.state.state));
    Ok(Some(StateReport {
        client: ClientId(id),
        incarnation,
        serial_from: reported + 1,
        serial_to: serial,
        covered: standing.covered,
        scanned_at: standing.scanned_at,
        scan_error: standing.scan_error.clone(),
        full,
        changes: changes.collect(),
        digest_after: state_digest(states),
        // They know updates, and no deployments.
        deployments: Vec::new(),
        deployments_digest: deployment_digest([]),
        scan: None,
        refused: Vec::new(),
        given_up: Vec::new(),
        set_aside: Vec::new(),
    }))
}

fn settle(
    tx: &WriteTx,
    report: &StateReport,
    (outcome, known): (Outcome, u64),
) -> Result<(), Error> {
    let (computer, serial) = (report.client.as_bytes(), report.serial_to);
    // The full report takes a number that the site has not seen.
    let ask_again = "UPDATE computer SET wants_full = 1, serial = serial + 1 WHERE id = ?1";
    match outcome {
        // This database was put back to what it was before, unless later events were folded since.
        Outcome::Behind => {
            let sql = "UPDATE computer SET wants_full = 1, serial = max(serial, ?2) + 1
                       WHERE id = ?1 AND incarnation = ?3";
            let known = known.min(limits::SERIAL_MAX);
            tx.execute(sql, params![computer, known, report.incarnation.cast_signed()])?;
        }
        // Safe in a spool, if the site itself has not answered.
        Outcome::Unspecified | Outcome::Applied | Outcome::Known => {
            let sql = "UPDATE computer SET reported = max(reported, ?2),
                         wants_full = wants_full AND NOT ?3 WHERE id = ?1";
            tx.execute(sql, params![computer, serial, report.full])?;
            let sql = "DELETE FROM state WHERE computer = ?1 AND serial <= ?2 AND state = ?3";
            tx.execute(sql, params![computer, serial, ComplianceState::NotRequired as u8])?;
        }
        Outcome::SendFull => drop(tx.execute(ask_again, [computer])?),
        // The site knows no such computer.
        Outcome::Rejected => {
            tx.execute(ask_again, [computer])?;
            let sql = "UPDATE computer SET standing = 'new', is_due = 1, changes = changes + 1
                       WHERE id = ?1";
            tx.execute(sql, [computer])?;
        }
    }
    Ok(())
}

fn is_listed(held: &Held) -> bool {
    held.state.state != ComplianceState::NotRequired
}

fn state_row(row: &Row<'_>) -> RowResult<(UpdateId, Held, u64)> {
    let id = parse_column(row, 0, |bytes: Vec<u8>| UpdateId::from_slice(&bytes))?;
    let state = parse_column(row, 2, ComplianceState::from_number)?;
    let enforcement: Option<u32> = row.get(3)?;
    let enforcement = match enforcement {
        Some(_) => Some((parse_column(row, 3, EnforcementState::from_number)?, row.get(4)?)),
        None => None,
    };
    let state = UpdateState { state, enforcement };
    let held = Held { revision: row.get(1)?, state, at: Timestamp(row.get(5)?) };
    Ok((id, held, row.get(6)?))
}

#[cfg(test)]
mod tests;
