//! Cleanups of what expired: recorded runs, and what they depend on.
//!
//! Owns the table of runs; refuses to know which updates may go.

use std::collections::BTreeSet;

use model::{Timestamp, UpdateGroup, UpdateId};
use sqlite_engine::{Row, RowResult, params};

use crate::{Error, Reader, Writer};

/// The documented age of expired updates at which they are deleted, in days.
pub const CLEANUP_AGE_DAYS: u32 = 7;

/// How often the top-level site looks for expired updates to delete (SUPX-07).
pub const CLEANUP_EVERY_MS: i64 = 60 * 60 * 1_000;

/// Runs kept: of four days.
const RUNS_KEPT: u64 = 100;

const COMPONENT: &str = "cleanup";

/// One cleanup of this site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanupRun {
    pub number: u64,
    pub reason: String,
    /// Updates found to delete, and those it is through with.
    pub total: u64,
    pub done: u64,
    pub deleted: u64,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

fn run(row: &Row<'_>) -> RowResult<CleanupRun> {
    Ok(CleanupRun {
        number: row.get(0)?,
        reason: row.get(1)?,
        total: row.get(2)?,
        done: row.get(3)?,
        deleted: row.get(4)?,
        started_at: Timestamp(row.get(5)?),
        ended_at: row.get::<_, Option<i64>>(6)?.map(Timestamp),
    })
}

impl Reader<'_> {
    /// The cleanup under way, else the last one.
    pub fn cleanup_run(&self) -> Result<Option<CleanupRun>, Error> {
        let sql = "SELECT * FROM cleanup_run ORDER BY number DESC LIMIT 1";
        Ok(self.tx.query_optional(sql, [], run)?)
    }

    /// Why one shall begin now, if somebody said so.
    pub fn cleanup_request(&self) -> Result<Option<String>, Error> {
        Ok(self.setting(COMPONENT, "request")?.filter(|reason| !reason.is_empty()))
    }

    pub fn cleanup_age_days(&self) -> Result<u32, Error> {
        let text = self.setting(COMPONENT, "age_days")?;
        Ok(text.and_then(|days| days.parse().ok()).unwrap_or(CLEANUP_AGE_DAYS))
    }

    /// How many items are expired.
    pub fn expired_count(&self) -> Result<u64, Error> {
        Ok(self.tx.query_row("SELECT count(*) FROM item WHERE expired", [], |row| row.get(0))?)
    }

    /// The updates of every group, of whatever site: each can be deployed any time.
    pub fn assigned_updates(&self) -> Result<BTreeSet<UpdateId>, Error> {
        let groups = self.list::<UpdateGroup>()?.into_iter();
        Ok(groups.flat_map(|(_, group)| group.updates).collect())
    }
}

impl Writer<'_> {
    /// Asks for a cleanup.
    pub fn request_cleanup(&self, reason: &str) -> Result<(), Error> {
        self.require_top("cleanup runs")?;
        self.set_setting(COMPONENT, "request", reason)
    }

    pub fn set_cleanup_age_days(&self, days: u32) -> Result<(), Error> {
        self.require_top("the age at cleanup is set")?;
        self.set_setting(COMPONENT, "age_days", &days.to_string())
    }

    /// Records the beginning of a cleanup and takes back what asked for it.
    pub fn begin_cleanup(&self, reason: &str, total: u64) -> Result<CleanupRun, Error> {
        let (number, reason, started_at) =
            (self.next("cleanup_run")?, reason.to_owned(), self.now());
        let run =
            CleanupRun { number, reason, total, done: 0, deleted: 0, started_at, ended_at: None };
        self.set_setting(COMPONENT, "request", "")?;
        self.save_cleanup(&run)?;
        let sql = "DELETE FROM cleanup_run WHERE number <= ?1";
        self.write.execute(sql, [number.saturating_sub(RUNS_KEPT)])?;
        Ok(run)
    }

    pub fn save_cleanup(&self, run: &CleanupRun) -> Result<(), Error> {
        let CleanupRun { number, reason, total, done, deleted, started_at, ended_at } = run;
        let ended_at = ended_at.map(|at| at.0);
        let row = params![number, reason, total, done, deleted, started_at.0, ended_at];
        let sql = "INSERT OR REPLACE INTO cleanup_run VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        self.write.execute(sql, row)?;
        self.wake(None);
        Ok(())
    }
}
