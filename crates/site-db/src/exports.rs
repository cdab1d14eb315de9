//! Bundles on their way from an update point to whoever asked.
//!
//! Owns a few parts at a time: one is dropped when the next is asked for, so that a bundle of any
//! size passes through without being kept. What was made and not fetched is kept for a while, also
//! when another export begins. Refuses to know what is in it. An export does not outlive the
//! process: whoever waits for it is told and asks again.

use sqlite_engine::params;

use crate::{Error, Reader, Writer};

/// How long the last parts of an export, and why it failed, are kept: longer than whoever asked
/// tries to get an answer through.
const ENDED_KEPT_MS: i64 = 60 * 60 * 1_000;

/// An export that nobody has begun yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingExport {
    pub id: i64,
    pub since: u64,
    pub has_content: bool,
    pub account: String,
}

/// How far an export is, to whoever waits for one of its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportStanding {
    Waiting,
    Part {
        data: Vec<u8>,
        is_last: bool,
        /// With the last one.
        missing: Vec<String>,
    },
    Failed {
        reason: String,
    },
}

impl Reader<'_> {
    pub fn pending_export(&self) -> Result<Option<PendingExport>, Error> {
        let sql = "SELECT id, since, has_content, account FROM catalog_export
                   WHERE state = 'asked' AND parts = 0 ORDER BY id LIMIT 1";
        Ok(self.tx.query_optional(sql, [], |row| {
            let (id, since, has_content) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(PendingExport { id, since, has_content, account: row.get(3)? })
        })?)
    }

    /// Parts that were made and not asked for yet.
    pub fn export_backlog(&self, id: i64) -> Result<u32, Error> {
        let sql = "SELECT count(*) FROM catalog_export_part WHERE export = ?1";
        Ok(self.tx.query_row(sql, [id], |row| row.get(0))?)
    }
}

impl Writer<'_> {
    /// Asks for a bundle. Those that ended long ago are forgotten.
    pub fn begin_export(&self, since: u64, has_content: bool, account: &str) -> Result<i64, Error> {
        let id = i64::try_from(self.next("catalog_export")?).unwrap_or(i64::MAX);
        let before = self.now().plus_ms(-ENDED_KEPT_MS).0;
        for sql in [
            "DELETE FROM catalog_export_part
             WHERE export IN (SELECT id FROM catalog_export WHERE ended_at < ?1)",
            "DELETE FROM catalog_export WHERE ended_at < ?1",
        ] {
            self.write.execute(sql, [before])?;
        }
        let sql = "INSERT INTO catalog_export (id, since, has_content, account)
                   VALUES (?1, ?2, ?3, ?4)";
        self.write.execute(sql, params![id, since, has_content, account])?;
        self.wake(None);
        Ok(id)
    }

    pub fn add_export_part(&self, id: i64, data: &[u8]) -> Result<(), Error> {
        let sql = "INSERT INTO catalog_export_part (export, part, data)
                   SELECT id, parts, ?2 FROM catalog_export WHERE id = ?1";
        self.write.execute(sql, params![id, data])?;
        let sql = "UPDATE catalog_export SET parts = parts + 1 WHERE id = ?1";
        self.write.execute(sql, [id])?;
        self.wake(None);
        Ok(())
    }

    /// All parts were made.
    pub fn end_export(&self, id: i64, missing: &[String]) -> Result<(), Error> {
        let sql =
            "UPDATE catalog_export SET state = 'sent', missing = ?2, ended_at = ?3 WHERE id = ?1";
        self.write.execute(sql, params![id, missing.join("\n"), self.now().0])?;
        self.wake(None);
        Ok(())
    }

    pub fn fail_export(&self, id: i64, reason: &str) -> Result<(), Error> {
        let sql =
            "UPDATE catalog_export SET state = 'failed', failure = ?2, ended_at = ?3 WHERE id = ?1";
        self.write.execute(sql, params![id, reason, self.now().0])?;
        self.write.execute("DELETE FROM catalog_export_part WHERE export = ?1", [id])?;
        self.wake(None);
        Ok(())
    }

    /// When the process starts, nobody sends what was asked for before.
    pub fn fail_exports(&self, reason: &str) -> Result<(), Error> {
        let sql = "SELECT id FROM catalog_export WHERE state = 'asked'";
        for id in self.tx.query_all(sql, [], |row| row.get(0))? {
            self.fail_export(id, reason)?;
        }
        Ok(())
    }

    /// The part, if it is here; the parts before it are kept elsewhere by now.
    pub fn take_export_part(&self, id: i64, part: u32) -> Result<ExportStanding, Error> {
        let sql = "SELECT state, parts, failure, missing FROM catalog_export WHERE id = ?1";
        let found = self.tx.query_optional(sql, [id], |row| {
            let (state, parts) = (row.get::<_, String>(0)?, row.get::<_, u32>(1)?);
            Ok((state, parts, row.get::<_, String>(2)?, row.get::<_, String>(3)?))
        })?;
        let Some((state, parts, failure, missing)) = found else {
            return Ok(ExportStanding::Failed { reason: "there is no such export".to_owned() });
        };
        if state == "failed" {
            return Ok(ExportStanding::Failed { reason: failure });
        }
        let sql = "DELETE FROM catalog_export_part WHERE export = ?1 AND part < ?2";
        if self.write.execute(sql, params![id, part])? > 0 {
            self.wake(None);
        }
        let sql = "SELECT data FROM catalog_export_part WHERE export = ?1 AND part = ?2";
        let data = self.tx.query_optional(sql, params![id, part], |row| row.get(0))?;
        Ok(match data {
            None => ExportStanding::Waiting,
            Some(data) => {
                let is_last = state == "sent" && part + 1 == parts;
                let missing = missing.lines().map(str::to_owned).collect();
                ExportStanding::Part { data, is_last, missing }
            }
        })
    }
}
