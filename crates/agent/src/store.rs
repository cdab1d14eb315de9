//! What an agent remembers: who it is, policy, what it said, and its installations.
//!
//! Owns `agent.db`. Everything another machine relies on is durable when a function returns: the
//! serial before its report is sent, policy before it is obeyed, an installation before it starts.
//! Refuses to know why. A file that is lost is a client without memory: a new incarnation.

use std::collections::BTreeMap;
use std::path::Path;

use ambient::Ambient;
use model::{
    ComplianceState, EnforcementState, Invalid, Sha256, StateChange, StateReport, Timestamp,
    UpdateId, UpdateState,
};
use rpc::convert::{decode_head, encode_head, encode_report};
use sqlite_engine::{
    Database, Durability, Error as EngineError, Executor, Options, ReadTx, Row, RowResult, Schema,
    WriteTx, params, parse_column,
};
use uuid::Uuid;

use crate::Error;
use crate::client::ledger::{Extent, Held, Record, States};
use crate::client::plan::{Phase, Run};
use crate::client::policy::{Accepted, Parts};

const SCHEMA: Schema = Schema {
    name: "agent",
    application_id: 0x544c_4147, // "TLAG"
    migrations: &[include_str!("../schema/0001_create_agent.sql")],
};

/// An open memory; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    database: Database,
}

impl Store {
    pub(crate) fn open(
        ambient: &Ambient,
        path: &Path,
        executor: Executor,
    ) -> Result<Store, EngineError> {
        let options = Options { executor, durability: Durability::Full };
        let database = Database::open(path, SCHEMA, options)?;
        // SQLite's integers have a sign.
        let incarnation = ambient.random_u64() >> 1;
        let sql =
            "INSERT INTO record VALUES (1, ?1, 0, 0, 0, NULL, 0, NULL) ON CONFLICT DO NOTHING";
        database.write_blocking(move |tx| tx.execute(sql, [incarnation]))?;
        Ok(Store { database })
    }

    pub(crate) async fn check(&self) -> Result<Vec<String>, EngineError> {
        self.database.check().await
    }

    pub(crate) async fn record(&self) -> Result<Record, EngineError> {
        let sql = "SELECT incarnation, serial, covered, scanned_at, scan_error, updates, catalog
                   FROM record";
        self.database.read(move |tx| tx.query_row(sql, [], record)).await
    }

    /// Writes the record, the changes of state it brings and the reports about them, in one. Those
    /// that say everything replace whatever was not sent yet.
    pub(crate) async fn say(
        &self,
        record: Record,
        reports: Vec<StateReport>,
        extent: Extent,
    ) -> Result<(), EngineError> {
        let say = move |tx: &WriteTx| {
            put_record(tx, &record)?;
            if extent == Extent::Everything {
                tx.execute("DELETE FROM report", [])?;
                tx.execute("DELETE FROM state", [])?;
            }
            for report in &reports {
                let values = params![report.serial_to, encode_report(report)];
                tx.execute("INSERT INTO report VALUES (?1, ?2)", values)?;
                report.changes.iter().try_for_each(|change| put_state(tx, change))?;
            }
            Ok(())
        };
        self.database.write(say).await
    }

    pub(crate) async fn states(&self) -> Result<States, EngineError> {
        let sql = "SELECT update_id, revision, state, enforcement, code FROM state";
        let states = self.database.read(move |tx| tx.query_all(sql, [], state));
        Ok(states.await?.into_iter().collect())
    }

    /// The last serial and the encoding of the oldest unsent report.
    pub(crate) async fn oldest_report(&self) -> Result<Option<(u64, Vec<u8>)>, EngineError> {
        let sql = "SELECT serial, body FROM report ORDER BY serial LIMIT 1";
        let oldest =
            move |tx: &ReadTx| tx.query_optional(sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
        self.database.read(oldest).await
    }

    pub(crate) async fn unsent(&self) -> Result<u64, EngineError> {
        let sql = "SELECT count(*) FROM report";
        self.database.read(move |tx| tx.query_row(sql, [], |row| row.get(0))).await
    }

    pub(crate) async fn acknowledge(&self, serial: u64) -> Result<(), EngineError> {
        let sql = "DELETE FROM report WHERE serial = ?1";
        self.database.write(move |tx| tx.execute(sql, [serial]).map(drop)).await
    }

    /// Replaces the policy in effect; parts that it does not name go.
    pub(crate) async fn adopt(&self, accepted: Accepted) -> Result<(), EngineError> {
        let adopt = move |tx: &WriteTx| {
            let values = params![accepted.key_epoch, encode_head(&accepted.head)];
            tx.execute("INSERT OR REPLACE INTO head VALUES (1, ?1, ?2)", values)?;
            tx.execute("DELETE FROM part", [])?;
            let put = "INSERT INTO part VALUES (?1, ?2)";
            let mut parts = accepted.parts.iter();
            parts.try_for_each(|(sha256, body)| tx.execute(put, params![sha256.0, body]).map(drop))
        };
        self.database.write(adopt).await
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

    pub(crate) async fn set_run(&self, update: UpdateId, run: Run) -> Result<(), EngineError> {
        let sql = "INSERT OR REPLACE INTO run VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (phase, code) = phase_number(run.phase);
        let write = move |tx: &WriteTx| {
            let Run { revision, attempts, at, boot, .. } = &run;
            let values = params![update.as_bytes(), revision, phase, code, attempts, at.0, boot];
            tx.execute(sql, values).map(drop)
        };
        self.database.write(write).await
    }
}

fn put_record(tx: &WriteTx, record: &Record) -> Result<(), EngineError> {
    let Record { incarnation, serial, covered, scanned_at, scan_error, updates, catalog } = record;
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
    }
}

fn run(row: &Row<'_>) -> RowResult<(UpdateId, Run)> {
    let code = row.get(3)?;
    let phase = |number: u32| match number {
        0 => Ok(Phase::Installing),
        1 => Ok(Phase::Installed),
        2 => Ok(Phase::PendingRestart),
        3 => Ok(Phase::Failed(code)),
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
