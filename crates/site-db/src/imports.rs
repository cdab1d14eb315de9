//! Catalog files that administrators hand in, on their way to an update point.
//!
//! Owns the parts until the point has reported, so that a crash on either side loses nothing.
//! Refuses to know their format.

use model::Sha256;
use sqlite_engine::{params, parse_column};

use crate::bundles::{CatalogFacts, Direction, Signer, StoredBundle};
use crate::{Error, Reader, Writer};

/// Of one file, each at most [`rpc::limits::IMPORT_PART_BYTES`]: 4 GiB, the catalog of everything
/// with the files of a month.
const PARTS_MAX: u32 = 4 * 1024;

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
    /// Update documents that were given by themselves.
    pub documents: Vec<GivenDocument>,
    /// The file was another server's catalog.
    pub catalog: Option<CatalogFacts>,
}

/// What became of an update document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenDocument {
    pub file: String,
    pub update: String,
    pub revision: u32,
    /// `imported`, `unchanged` or `refused`.
    pub outcome: String,
    pub reason: String,
}

/// What an administrator answers for with a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consent {
    pub account: String,
    /// Bundles of this hierarchy are believed from now on: SHA-256 of its root key.
    pub trust: Option<Sha256>,
    /// Nobody need have signed it.
    pub is_unsigned: bool,
}

/// A file that is here whole and waits for the update point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingImport {
    pub id: i64,
    pub name: String,
    pub parts: u32,
    pub consent: Consent,
}

impl Reader<'_> {
    pub fn pending_import(&self) -> Result<Option<PendingImport>, Error> {
        let sql = "SELECT id, name, parts, account, trust, is_unsigned FROM catalog_import
                   WHERE parts IS NOT NULL AND NOT is_done ORDER BY id LIMIT 1";
        let trust = |bytes: Option<Vec<u8>>| bytes.map(|b| Sha256::from_slice(&b)).transpose();
        Ok(self.tx.query_optional(sql, [], |row| {
            let consent = Consent {
                account: row.get(3)?,
                trust: parse_column(row, 4, trust)?,
                is_unsigned: row.get(5)?,
            };
            let (id, name, parts) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(PendingImport { id, name, parts, consent })
        })?)
    }

    pub fn import_part(&self, id: i64, part: u32) -> Result<Vec<u8>, Error> {
        let sql = "SELECT data FROM catalog_import_part WHERE import = ?1 AND part = ?2";
        Ok(self.tx.query_row(sql, params![id, part], |row| row.get(0))?)
    }

    /// Of all parts together.
    pub fn import_bytes(&self, id: i64) -> Result<u64, Error> {
        let sql = "SELECT coalesce(sum(length(data)), 0) FROM catalog_import_part
                   WHERE import = ?1";
        Ok(self.tx.query_row(sql, [id], |row| row.get(0))?)
    }

    /// None until the update point has reported.
    pub fn import_report(&self, id: i64) -> Result<Option<ImportReport>, Error> {
        let sql = "SELECT imported, unchanged, rejected, revised, refused, documents
                   FROM catalog_import WHERE id = ?1 AND is_done";
        let lines = |text: String| text.lines().map(str::to_owned).collect();
        let catalog = self.bundle(Direction::Import, id)?.map(|bundle| bundle.facts);
        Ok(self.tx.query_optional(sql, [id], |row| {
            let documents: String = row.get(5)?;
            Ok(ImportReport {
                imported: row.get(0)?,
                unchanged: row.get(1)?,
                rejected: lines(row.get(2)?),
                revised: lines(row.get(3)?),
                refused: row.get(4)?,
                documents: documents.lines().map(read_document).collect(),
                catalog: catalog.clone(),
            })
        })?)
    }
}

impl Writer<'_> {
    /// Begins to take in a file.
    pub fn begin_import(&self, name: &str, consent: &Consent) -> Result<i64, Error> {
        self.require_top("catalogs are imported")?;
        let id = i64::try_from(self.next("catalog_import")?).unwrap_or(i64::MAX);
        let sql = "DELETE FROM catalog_import WHERE is_done AND id < ?1";
        self.write.execute(sql, [id - REPORTS_KEPT])?;
        let Consent { account, trust, is_unsigned } = consent;
        let trust = trust.map(|pin| pin.0);
        let sql = "INSERT INTO catalog_import (id, name, account, trust, is_unsigned)
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        self.write.execute(sql, params![id, name, account, trust, is_unsigned])?;
        Ok(id)
    }

    pub fn add_import_part(&self, id: i64, part: u32, data: &[u8]) -> Result<(), Error> {
        if part >= PARTS_MAX {
            let what = "the file is larger than 4 GiB; split it, or export without content";
            let what = what.to_owned();
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

    /// Notes that it is handed to an update point now, and says how often it was.
    pub fn try_import(&self, id: i64) -> Result<u32, Error> {
        let sql = "UPDATE catalog_import SET tries = tries + 1 WHERE id = ?1 RETURNING tries";
        Ok(self.write.query_row(sql, [id], |row| row.get(0))?)
    }

    /// Keeps the report and forgets the file. `signer` is who signed it, if anybody did.
    pub fn finish_import(
        &self,
        import: &PendingImport,
        report: &ImportReport,
        signer: Option<Signer>,
    ) -> Result<(), Error> {
        let PendingImport { id, name, consent, .. } = import;
        let id = *id;
        let line = |text: &String| text.replace('\n', " ");
        let lines = |texts: &[String]| texts.iter().map(line).collect::<Vec<_>>().join("\n");
        let documents: Vec<_> = report.documents.iter().map(write_document).collect();
        self.write.execute(
            "UPDATE catalog_import SET is_done = 1, imported = ?2, unchanged = ?3, rejected = ?4,
               revised = ?5, refused = ?6, documents = ?7 WHERE id = ?1",
            params![
                id,
                report.imported,
                report.unchanged,
                lines(&report.rejected),
                lines(&report.revised),
                report.refused,
                documents.join("\n")
            ],
        )?;
        if let Some(facts) = report.catalog.clone().filter(|_| report.refused.is_empty()) {
            let bundle = StoredBundle {
                direction: Direction::Import,
                file: name.clone(),
                facts,
                signer,
                imported: report.imported,
                unchanged: report.unchanged,
                at: self.now(),
                account: consent.account.clone(),
            };
            self.note_bundle(id, &bundle)?;
        }
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

/// One line; tabs and line ends of its fields become blanks.
fn write_document(document: &GivenDocument) -> String {
    let GivenDocument { file, update, revision, outcome, reason } = document;
    let revision = revision.to_string();
    let fields = [file.as_str(), update, &revision, outcome, reason];
    fields.map(|field| field.replace(['\t', '\n', '\r'], " ")).join("\t")
}

fn read_document(line: &str) -> GivenDocument {
    let mut fields = line.split('\t');
    let mut next = || fields.next().unwrap_or_default().to_owned();
    GivenDocument {
        file: next(),
        update: next(),
        revision: next().parse().unwrap_or_default(),
        outcome: next(),
        reason: next(),
    }
}
