//! What an agent remembers: who it is, policy, what it said, and its installations.
//!
//! Owns `agent.db`. Everything another machine relies on is durable when a function returns: the
//! serial before its report is sent, policy before it is obeyed, an installation before it starts.
//! Refuses to know why. A file that is lost is a client without memory: a new incarnation. Before a
//! version of the agent changes its layout, a copy is kept for the version before.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ambient::Ambient;
use model::{
    ComplianceState, EnforcementState, Invalid, PeerIdentity, Sha256, StateChange, Timestamp,
    UpdateId, UpdateState,
};
use rpc::convert::{decode_head, decode_report, encode_head, encode_report};
use sqlite_engine::{
    Database, Durability, Error as EngineError, Executor, Options, ReadTx, Row, RowResult, Schema,
    WriteTx, params, parse_column,
};
use uuid::Uuid;

use client::ledger::{Extent, Held, Knowledge, Record, States};
use client::plan::{Phase, Run};
use client::policy::{Accepted, Parts};
use client::{Keep, Memory, Notes};

use crate::Error;

mod history;
mod stands;

pub(crate) use history::Wanted;

const SCHEMA: Schema = Schema {
    name: "agent",
    application_id: 0x544c_4147, // "TLAG"
    migrations: &[include_str!("../schema/0001_create_agent.sql")],
};

fn open(path: &Path, schema: Schema, executor: Executor) -> Result<Database, EngineError> {
    schema.keep_older(path)?;
    Database::open(path, schema, Options { executor, durability: Durability::Full })
}

/// A report that cannot be read.
#[derive(Debug)]
pub(crate) struct Damaged {
    pub(crate) serial: u64,
    pub(crate) body: Vec<u8>,
    pub(crate) source: Invalid,
}

/// An open memory; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    database: Database,
}

impl Store {
    pub(crate) fn open(
        ambient: &Ambient,
        path: &Path,
        own: &PeerIdentity,
        executor: Executor,
    ) -> Result<Store, EngineError> {
        let database = open(path, SCHEMA, executor)?;
        // SQLite's integers have a sign.
        let incarnation = ambient.random_u64() >> 1;
        let own = own.to_string();
        let sql = "INSERT INTO record (only, incarnation, serial, covered, scanned_at, updates,
                                       identity)
                   VALUES (1, ?1, 0, 0, 0, 0, ?2) ON CONFLICT DO NOTHING";
        database.write_blocking(move |tx| tx.execute(sql, params![incarnation, own]))?;
        Ok(Store { database })
    }

    /// What is there without anything being made; for whoever only looks.
    pub(crate) fn existing(path: &Path) -> Result<Store, Error> {
        if !path.exists() {
            return Err(Error::NoMemory { path: path.to_owned() });
        }
        Ok(Store { database: open(path, SCHEMA, Executor::Inline)? })
    }

    /// What was remembered before a newer version of the agent changed its layout takes the place
    /// of what that left, which is gone; whether there was any.
    pub(crate) fn put_back(path: &Path) -> Result<bool, EngineError> {
        SCHEMA.put_older_back(path)
    }

    pub(crate) async fn check(&self) -> Result<Vec<String>, EngineError> {
        self.database.check().await
    }

    /// Whether it is whole, and was written by the client of this name.
    pub(crate) async fn is_of(&self, own: &PeerIdentity) -> Result<(), Error> {
        if let Some(reason) = self.check().await?.into_iter().next() {
            return Err(Error::DamagedMemory { reason });
        }
        let sql = "SELECT identity FROM record";
        let found: String =
            self.database.read(move |tx| tx.query_row(sql, [], |row| row.get(0))).await?;
        if found == own.to_string() {
            return Ok(());
        }
        Err(Error::MemoryOfOther { found, own: Box::new(own.clone()) })
    }

    pub(crate) async fn close(&self) {
        self.database.close().await;
    }

    /// Everything a client remembers, and reports that cannot be read.
    pub(crate) async fn memory(&self) -> Result<(Memory, Vec<Damaged>), Error> {
        let (mut unsent, mut damaged) = (Vec::new(), Vec::new());
        for (serial, body) in self.unsent_bodies().await? {
            match decode_report(&body) {
                Ok(report) => unsent.push(report),
                Err(source) => damaged.push(Damaged { serial, body, source }),
            }
        }
        let memory = Memory {
            record: self.record().await?,
            said: Knowledge {
                states: self.states().await?,
                deployments: self.database.read(stands::deployments).await?,
            },
            runs: self.runs().await?,
            policy: self.policy().await?,
            unsent,
            has_damaged: !damaged.is_empty(),
            notes: self.notes().await?,
        };
        Ok((memory, damaged))
    }

    /// What they would have told is told with everything else.
    pub(crate) async fn forget_damaged(&self, serials: Vec<u64>) -> Result<(), EngineError> {
        let sql = "DELETE FROM report WHERE serial = ?1";
        let forget = move |tx: &WriteTx| {
            serials.iter().try_for_each(|serial| tx.execute(sql, [serial]).map(drop))
        };
        self.database.write(forget).await
    }

    /// All of it, or nothing.
    pub(crate) async fn keep(&self, keeps: impl Into<Arc<[Keep]>>) -> Result<(), EngineError> {
        let keeps = keeps.into();
        let keep = move |tx: &WriteTx| keeps.iter().try_for_each(|keep| put(tx, keep));
        self.database.write(keep).await
    }

    pub(crate) async fn record(&self) -> Result<Record, EngineError> {
        let sql = "SELECT incarnation, serial, covered, scanned_at, scan_error, updates, catalog
                   FROM record";
        let read = move |tx: &ReadTx| {
            let scan = stands::last_scan(tx)?;
            Ok(Record { scan, ..tx.query_row(sql, [], record)? })
        };
        self.database.read(read).await
    }

    pub(crate) async fn states(&self) -> Result<States, EngineError> {
        let sql = "SELECT update_id, revision, state, enforcement, code FROM state";
        let states = self.database.read(move |tx| tx.query_all(sql, [], state));
        Ok(states.await?.into_iter().collect())
    }

    async fn unsent_bodies(&self) -> Result<Vec<(u64, Vec<u8>)>, EngineError> {
        let sql = "SELECT serial, body FROM report ORDER BY serial";
        let body = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        self.database.read(move |tx| tx.query_all(sql, [], body)).await
    }

    pub(crate) async fn unsent(&self) -> Result<u64, EngineError> {
        let sql = "SELECT count(*) FROM report";
        self.database.read(move |tx| tx.query_row(sql, [], |row| row.get(0))).await
    }

    /// The policy in effect, with the epoch of the key that signed it.
    pub(crate) async fn policy(&self) -> Result<Option<Accepted>, Error> {
        let read = |tx: &ReadTx| -> Result<_, EngineError> {
            let head = tx.query_optional("SELECT key_epoch, body FROM head", [], |row| {
                Ok((row.get::<_, u32>(0)?, row.get::<_, Vec<u8>>(1)?))
            })?;
            let part = |row: &Row<'_>| {
                let name = |bytes: Vec<u8>| Sha256::from_slice(&bytes);
                Ok((parse_column(row, 0, name)?, row.get(1)?))
            };
            let parts: Vec<(Sha256, Vec<u8>)> =
                tx.query_all("SELECT sha256, body FROM part", [], part)?;
            Ok(head.map(|(key_epoch, head)| (key_epoch, head, Parts::from_iter(parts))))
        };
        let Some((key_epoch, head, parts)) = self.database.read(read).await? else {
            return Ok(None);
        };
        let stored = |source| Error::DecodeStored { what: "policy head", source };
        Ok(Some(Accepted { head: decode_head(&head).map_err(stored)?, key_epoch, parts }))
    }

    pub(crate) async fn runs(&self) -> Result<BTreeMap<UpdateId, Run>, EngineError> {
        let sql = "SELECT update_id, revision, phase, code, attempts, at, boot FROM run";
        let runs = self.database.read(move |tx| tx.query_all(sql, [], run));
        Ok(runs.await?.into_iter().collect())
    }

    async fn notes(&self) -> Result<Notes, EngineError> {
        let read = |tx: &ReadTx| {
            let sql = "SELECT refreshed_at, reevaluate_at, boot, update_point,
                              restart_deferred_to, restart_told_at, has_opened_filter,
                              filter_failed_at
                       FROM note";
            let found = tx.query_optional(sql, [], notes)?;
            let sql = "SELECT update_id, started_at, planned_at FROM wish";
            let wishes = tx.query_all(sql, [], |row| {
                let at = |index| row.get::<_, Option<i64>>(index).map(|at| at.map(Timestamp));
                Ok((update_id(row)?, at(1)?, at(2)?))
            })?;
            let mut notes: Notes = found.unwrap_or_default();
            for (id, started_at, planned_at) in wishes {
                match (started_at, planned_at) {
                    (Some(at), _) => drop(notes.wishes.insert(id, at)),
                    (None, Some(at)) => drop(notes.planned.insert(id, at)),
                    (None, None) => drop(notes.hidden.insert(id)),
                }
            }
            Ok(notes)
        };
        self.database.read(read).await
    }
}

fn put(tx: &WriteTx, keep: &Keep) -> Result<(), EngineError> {
    match keep {
        Keep::Policy(accepted) => put_policy(tx, accepted),
        Keep::Said { record, reports, extent } => {
            put_record(tx, record)?;
            // What says everything replaces whatever was not sent yet.
            if *extent == Extent::Everything {
                tx.execute("DELETE FROM report", [])?;
                tx.execute("DELETE FROM state", [])?;
                tx.execute("DELETE FROM stand", [])?;
            }
            for report in reports {
                let values = params![report.serial_to, encode_report(report)];
                tx.execute("INSERT INTO report VALUES (?1, ?2)", values)?;
                report.changes.iter().try_for_each(|change| put_state(tx, change))?;
                report.deployments.iter().try_for_each(|change| stands::put_stand(tx, change))?;
            }
            Ok(())
        }
        Keep::Acknowledged(serial) => {
            tx.execute("DELETE FROM report WHERE serial = ?1", [*serial]).map(drop)
        }
        Keep::Run(update, run) => put_run(tx, *update, run),
        Keep::Notes(notes) => put_notes(tx, notes),
        Keep::Event(event) => history::put_event(tx, event),
    }
}

/// Replaces the policy in effect; parts that it does not name go.
fn put_policy(tx: &WriteTx, accepted: &Accepted) -> Result<(), EngineError> {
    let values = params![accepted.key_epoch, encode_head(&accepted.head)];
    tx.execute("INSERT OR REPLACE INTO head VALUES (1, ?1, ?2)", values)?;
    tx.execute("DELETE FROM part", [])?;
    let put = "INSERT INTO part VALUES (?1, ?2)";
    let mut parts = accepted.parts.iter();
    parts.try_for_each(|(sha256, body)| tx.execute(put, params![sha256.0, body]).map(drop))
}

fn put_run(tx: &WriteTx, update: UpdateId, run: &Run) -> Result<(), EngineError> {
    let sql = "INSERT OR REPLACE INTO run VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let Run { revision, phase, attempts, at, boot } = run;
    let (phase, code) = phase_number(*phase);
    let values = params![update.as_bytes(), revision, phase, code, attempts, at.0, boot];
    tx.execute(sql, values).map(drop)
}

fn put_notes(tx: &WriteTx, notes: &Notes) -> Result<(), EngineError> {
    let Notes { boot, wishes, planned, hidden, .. } = notes;
    let at = |at: Option<Timestamp>| at.map(|at| at.0);
    let point = serde_json::to_string(&notes.update_point).unwrap_or_default();
    let values = params![
        at(notes.refreshed_at),
        at(notes.reevaluate_at),
        boot,
        point,
        at(notes.restart_deferred_to),
        at(notes.restart_told_at),
        notes.has_opened_filter,
        at(notes.filter_failed_at)
    ];
    let sql = "INSERT OR REPLACE INTO note VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    tx.execute(sql, values)?;
    tx.execute("DELETE FROM wish", [])?;
    let wishes = wishes.iter().map(|(id, at)| (id, Some(at.0), None));
    let planned = planned.iter().map(|(id, at)| (id, None, Some(at.0)));
    let hidden = hidden.iter().map(|id| (id, None, None));
    let put = |(id, started_at, planned_at): (&UpdateId, Option<i64>, Option<i64>)| {
        let values = params![id.as_bytes(), started_at, planned_at];
        let sql = "INSERT INTO wish (update_id, started_at, planned_at) VALUES (?1, ?2, ?3)";
        tx.execute(sql, values).map(drop)
    };
    wishes.chain(planned).chain(hidden).try_for_each(put)
}

fn notes(row: &Row<'_>) -> RowResult<Notes> {
    let at = |index| row.get::<_, Option<i64>>(index).map(|at| at.map(Timestamp));
    // Without it, the update point is chosen anew.
    let point: String = row.get(3)?;
    Ok(Notes {
        refreshed_at: at(0)?,
        reevaluate_at: at(1)?,
        boot: row.get(2)?,
        update_point: serde_json::from_str(&point).unwrap_or_default(),
        restart_deferred_to: at(4)?,
        restart_told_at: at(5)?,
        has_opened_filter: row.get(6)?,
        filter_failed_at: at(7)?,
        ..Notes::default()
    })
}

fn put_record(tx: &WriteTx, record: &Record) -> Result<(), EngineError> {
    let Record { incarnation, serial, covered, scanned_at, scan_error, scan, updates, catalog } =
        record;
    stands::put_last_scan(tx, scan.as_ref())?;
    let sql = "UPDATE record SET incarnation = ?1, serial = ?2, covered = ?3, scanned_at = ?4,
                                 scan_error = ?5, updates = ?6, catalog = ?7";
    let catalog = catalog.as_ref().map(Uuid::as_bytes);
    let values = params![incarnation, serial, covered, scanned_at.0, scan_error, updates, catalog];
    tx.execute(sql, values).map(drop)
}

fn put_state(tx: &WriteTx, change: &StateChange) -> Result<(), EngineError> {
    let StateChange { update, state: UpdateState { state, enforcement }, .. } = change;
    if *state == ComplianceState::NotRequired {
        let sql = "DELETE FROM state WHERE update_id = ?1";
        return tx.execute(sql, [update.id.as_bytes()]).map(drop);
    }
    let (enforcement, code) = enforcement.map_or((0, 0), |(state, code)| (state as u8, code));
    let sql = "INSERT OR REPLACE INTO state VALUES (?1, ?2, ?3, ?4, ?5)";
    let values = params![update.id.as_bytes(), update.revision, *state as u8, enforcement, code];
    tx.execute(sql, values).map(drop)
}

fn record(row: &Row<'_>) -> RowResult<Record> {
    let uuid = |bytes: Option<Vec<u8>>| bytes.map(|b| Uuid::from_slice(&b)).transpose();
    Ok(Record {
        incarnation: row.get(0)?,
        serial: row.get(1)?,
        covered: row.get(2)?,
        scanned_at: Timestamp(row.get(3)?),
        scan_error: row.get(4)?,
        scan: None,
        updates: row.get(5)?,
        catalog: parse_column(row, 6, uuid)?,
    })
}

fn update_id(row: &Row<'_>) -> RowResult<UpdateId> {
    parse_column(row, 0, |bytes: Vec<u8>| UpdateId::from_slice(&bytes))
}

fn state(row: &Row<'_>) -> RowResult<(UpdateId, Held)> {
    let compliance = |number: u32| match number {
        0 => Ok(ComplianceState::Unknown),
        2 => Ok(ComplianceState::Required),
        3 => Ok(ComplianceState::Installed),
        _ => Err(Invalid::new("state", format!("{number} is never stored"))),
    };
    let code: i32 = row.get(4)?;
    let enforcement = |number: u32| match number {
        0 => Ok(None),
        number => EnforcementState::from_number(number).map(|state| Some((state, code))),
    };
    let state = UpdateState {
        state: parse_column(row, 2, compliance)?,
        enforcement: parse_column(row, 3, enforcement)?,
    };
    Ok((update_id(row)?, Held { revision: row.get(1)?, state }))
}

fn phase_number(phase: Phase) -> (u32, i32) {
    match phase {
        Phase::Installing => (0, 0),
        Phase::Installed => (1, 0),
        Phase::PendingRestart => (2, 0),
        Phase::Failed(code) => (3, code),
        Phase::Waiting => (4, 0),
    }
}

fn run(row: &Row<'_>) -> RowResult<(UpdateId, Run)> {
    let code = row.get(3)?;
    let phase = |number: u32| match number {
        0 => Ok(Phase::Installing),
        1 => Ok(Phase::Installed),
        2 => Ok(Phase::PendingRestart),
        3 => Ok(Phase::Failed(code)),
        4 => Ok(Phase::Waiting),
        _ => Err(Invalid::new("phase", format!("there is no phase {number}"))),
    };
    let run = Run {
        revision: row.get(1)?,
        phase: parse_column(row, 2, phase)?,
        attempts: row.get(4)?,
        at: Timestamp(row.get(5)?),
        boot: row.get(6)?,
    };
    Ok((update_id(row)?, run))
}

#[cfg(test)]
mod tests;
