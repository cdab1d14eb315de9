//! Catalog files that administrators hand in, on their way to an update point.
//!
//! Owns the parts until the point has reported, so that a crash on either side loses nothing.
//! Refuses to know their format.

use sqlite_engine::params;

use crate::{Error, Reader, Writer};

/// Of one file, each at most [`rpc::limits::IMPORT_PART_BYTES`]: 512 MiB, several times the largest
/// vendor catalog.
const PARTS_MAX: u32 = 512;

/// Reports kept for those who asked.
const REPORTS_KEPT: i64 = 100;

/// What an update point did with a catalog file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportReport {
    pub imported: u64,
    pub unchanged: u64,
    /// Packages it passed over, each with the reason.
    pub rejected: Vec<String>,
    /// Known ids that came with other content.
    pub revised: Vec<String>,
    /// Why the whole file was refused; else empty.
    pub refused: String,
}

/// A file that is here whole and waits for the update point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingImport {
    pub id: i64,
    pub name: String,
    pub parts: u32,
}

impl Reader<'_> {
    pub fn pending_import(&self) -> Result<Option<PendingImport>, Error> {
        let sql = "SELECT id, name, parts FROM catalog_import
                   WHERE parts IS NOT NULL AND NOT is_done ORDER BY id LIMIT 1";
        Ok(self.tx.query_optional(sql, [], |row| {
            Ok(PendingImport { id: row.get(0)?, name: row.get(1)?, parts: row.get(2)? })
        })?)
    }

    pub fn import_part(&self, id: i64, part: u32) -> Result<Vec<u8>, Error> {
        let sql = "SELECT data FROM catalog_import_part WHERE import = ?1 AND part = ?2";
        Ok(self.tx.query_row(sql, params![id, part], |row| row.get(0))?)
    }

    /// None until the update point has reported.
    pub fn import_report(&self, id: i64) -> Result<Option<ImportReport>, Error> {
        let sql = "SELECT imported, unchanged, rejected, revised, refused FROM catalog_import
                   WHERE id = ?1 AND is_done";
        let lines = |text: String| text.lines().map(str::to_owned).collect();
        Ok(self.tx.query_optional(sql, [id], |row| {
            Ok(ImportReport {
                imported: row.get(0)?,
                unchanged: row.get(1)?,
                rejected: lines(row.get(2)?),
                revised: lines(row.get(3)?),
                refused: row.get(4)?,
            })
        })?)
    }
}

impl Writer<'_> {
    /// Begins to take in a file.
    pub fn begin_import(&self, name: &str) -> Result<i64, Error> {
        self.require_top("catalogs are imported")?;
        let id = i64::try_from(self.next("catalog_import")?).unwrap_or(i64::MAX);
        let sql = "DELETE FROM catalog_import WHERE is_done AND id < ?1";
        self.write.execute(sql, [id - REPORTS_KEPT])?;
        self.write
            .execute("INSERT INTO catalog_import (id, name) VALUES (?1, ?2)", params![id, name])?;
        Ok(id)
    }

    pub fn add_import_part(&self, id: i64, part: u32, data: &[u8]) -> Result<(), Error> {
        if part >= PARTS_MAX {
            let what = "the catalog file is larger than 512 MiB; split it".to_owned();
            return Err(Error::Conflict { what });
        }
        let sql = "INSERT INTO catalog_import_part VALUES (?1, ?2, ?3)";
        self.write.execute(sql, params![id, part, data])?;
        Ok(())
    }

    /// The file is here whole.
    pub fn end_import(&self, id: i64, parts: u32) -> Result<(), Error> {
        let sql = "UPDATE catalog_import SET parts = ?2 WHERE id = ?1";
        self.write.execute(sql, params![id, parts])?;
        self.wake(None);
        Ok(())
    }

    /// Keeps the report and forgets the file.
    pub fn finish_import(&self, id: i64, report: &ImportReport) -> Result<(), Error> {
        let line = |text: &String| text.replace('\n', " ");
        let lines = |texts: &[String]| texts.iter().map(line).collect::<Vec<_>>().join("\n");
        self.write.execute(
            "UPDATE catalog_import SET is_done = 1, imported = ?2, unchanged = ?3, rejected = ?4,
               revised = ?5, refused = ?6 WHERE id = ?1",
            params![
                id,
                report.imported,
                report.unchanged,
                lines(&report.rejected),
                lines(&report.revised),
                report.refused
            ],
        )?;
        self.drop_import_parts(id)?;
        self.wake(None);
        Ok(())
    }

    /// Forgets a file that will never be whole, or, when the process starts, all such files.
    pub fn abandon_imports(&self, id: Option<i64>) -> Result<(), Error> {
        let sql = "SELECT id FROM catalog_import WHERE parts IS NULL AND id = coalesce(?1, id)";
        for id in self.tx.query_all(sql, [id], |row| row.get(0))? {
            self.write.execute("DELETE FROM catalog_import WHERE id = ?1", [id])?;
            self.drop_import_parts(id)?;
        }
        Ok(())
    }

    fn drop_import_parts(&self, id: i64) -> Result<(), Error> {
        self.write.execute("DELETE FROM catalog_import_part WHERE import = ?1", [id])?;
        Ok(())
    }
}
