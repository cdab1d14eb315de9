//! What the first update point of the top-level site shall do for catalogs of packages: take in an
//! update published here, look at a subscribed catalog, fetch the content of one of its updates.
//!
//! Owns the list until the point has reported, so that a crash on either side loses nothing, and
//! which files are kept for what was published. Refuses to know what packages say.

use std::collections::BTreeSet;

use model::{Invalid, Sha256, UpdateId};
use sqlite_engine::{params, parse_column};

use crate::{Error, Reader, Writer};

/// Reports kept for those who asked.
const REPORTS_KEPT: i64 = 100;

/// Something that waits for the update point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errand {
    pub id: i64,
    pub kind: ErrandKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrandKind {
    /// Take in an update whose files the site has. The name is for messages.
    Publish { name: String, package: Vec<u8> },
    /// Look at the catalog of this subscription.
    Refresh { subscription: String },
    /// Fetch the content of an update, and take it in whole.
    Content { update: UpdateId },
}

/// What an update point did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrandReport {
    pub imported: u64,
    pub unchanged: u64,
    /// What was passed over, each with the reason.
    pub rejected: Vec<String>,
    /// Known ids that came with other content.
    pub revised: Vec<String>,
    /// Why nothing was done; else empty.
    pub refused: String,
}

impl ErrandKind {
    fn columns(&self) -> (&'static str, String, Option<&[u8]>) {
        match self {
            ErrandKind::Publish { name, package } => ("publish", name.clone(), Some(package)),
            ErrandKind::Refresh { subscription } => ("refresh", subscription.clone(), None),
            ErrandKind::Content { update } => ("content", update.to_string(), None),
        }
    }

    fn from_columns(kind: &str, name: String, package: Vec<u8>) -> Result<ErrandKind, Invalid> {
        match kind {
            "publish" => Ok(ErrandKind::Publish { name, package }),
            "refresh" => Ok(ErrandKind::Refresh { subscription: name }),
            _ => Ok(ErrandKind::Content { update: name.parse()? }),
        }
    }
}

impl Reader<'_> {
    /// What waits longest.
    pub fn pending_errand(&self) -> Result<Option<Errand>, Error> {
        let sql = "SELECT id, name, package, kind FROM catalog_errand
                   WHERE NOT is_done ORDER BY id LIMIT 1";
        Ok(self.tx.query_optional(sql, [], |row| {
            let (name, package): (String, Option<Vec<u8>>) = (row.get(1)?, row.get(2)?);
            let package = package.unwrap_or_default();
            let read = |kind: String| ErrandKind::from_columns(&kind, name, package);
            Ok(Errand { id: row.get(0)?, kind: parse_column(row, 3, read)? })
        })?)
    }

    /// Whether it was handed to the update point yet.
    pub fn is_errand_begun(&self, id: i64) -> Result<bool, Error> {
        let sql = "SELECT tries > 0 FROM catalog_errand WHERE id = ?1";
        Ok(self.tx.query_optional(sql, [id], |row| row.get(0))?.unwrap_or(false))
    }

    /// The files of every update that is published here, or about to be.
    pub fn published_files(&self) -> Result<BTreeSet<Sha256>, Error> {
        let sql = "SELECT files FROM publication";
        let read = |files: Vec<u8>| {
            files.chunks(32).map(Sha256::from_slice).collect::<Result<Vec<_>, Invalid>>()
        };
        let all = self.tx.query_all(sql, [], |row| parse_column(row, 0, read))?;
        Ok(all.into_iter().flatten().collect())
    }

    /// None until the update point has reported.
    pub fn errand_report(&self, id: i64) -> Result<Option<ErrandReport>, Error> {
        let sql = "SELECT imported, unchanged, rejected, revised, refused
                   FROM catalog_errand WHERE id = ?1 AND is_done";
        let lines = |text: String| text.lines().map(str::to_owned).collect();
        Ok(self.tx.query_optional(sql, [id], |row| {
            Ok(ErrandReport {
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
    /// Notes that it is handed to an update point now, and says how often it was.
    pub fn try_errand(&self, id: i64) -> Result<u32, Error> {
        let sql = "UPDATE catalog_errand SET tries = tries + 1 WHERE id = ?1 RETURNING tries";
        Ok(self.write.query_row(sql, [id], |row| row.get(0))?)
    }

    pub fn add_errand(&self, kind: &ErrandKind) -> Result<i64, Error> {
        self.require_top("updates are published, and catalogs subscribed to,")?;
        let id = i64::try_from(self.next("catalog_errand")?).unwrap_or(i64::MAX);
        let sql = "DELETE FROM catalog_errand WHERE is_done AND id < ?1";
        self.write.execute(sql, [id - REPORTS_KEPT])?;
        let (kind, name, package) = kind.columns();
        let sql = "INSERT INTO catalog_errand (id, kind, name, package) VALUES (?1, ?2, ?3, ?4)";
        self.write.execute(sql, params![id, kind, name, package])?;
        self.wake(None);
        Ok(id)
    }

    /// Keeps the files that an errand publishes an update with, until it is refused, another
    /// revision takes its place, or the update is cleaned up.
    pub fn note_publication(
        &self,
        errand: i64,
        update: UpdateId,
        files: &[Sha256],
    ) -> Result<(), Error> {
        let files: Vec<u8> = files.iter().flat_map(|file| file.0).collect();
        let sql = "INSERT INTO publication VALUES (?1, ?2, ?3)";
        self.write.execute(sql, params![errand, update.as_bytes(), files])?;
        Ok(())
    }

    /// The files of an update are kept no more. What is being published of it stays.
    pub fn release_publication(&self, update: UpdateId) -> Result<(), Error> {
        let sql = "DELETE FROM publication WHERE update_id = ?1
                   AND errand NOT IN (SELECT id FROM catalog_errand WHERE NOT is_done)";
        self.write.execute(sql, [update.as_bytes()])?;
        Ok(())
    }

    /// After the report: this revision takes the place of earlier ones, unless it was not taken.
    fn settle_publication(&self, errand: i64, is_taken: bool) -> Result<(), Error> {
        let sql = match is_taken {
            true => {
                "DELETE FROM publication WHERE errand < ?1
                 AND update_id = (SELECT update_id FROM publication WHERE errand = ?1)"
            }
            false => "DELETE FROM publication WHERE errand = ?1",
        };
        self.write.execute(sql, [errand])?;
        Ok(())
    }

    /// Keeps the report and forgets the package. A look at a catalog is noted with its
    /// subscription.
    pub fn finish_errand(&self, errand: &Errand, report: &ErrandReport) -> Result<(), Error> {
        let line = |text: &String| text.replace('\n', " ");
        let lines = |texts: &[String]| texts.iter().map(line).collect::<Vec<_>>().join("\n");
        let ErrandReport { imported, unchanged, rejected, revised, refused } = report;
        let (rejected, revised) = (lines(rejected), lines(revised));
        self.write.execute(
            "UPDATE catalog_errand SET is_done = 1, package = NULL, imported = ?2, unchanged = ?3,
               rejected = ?4, revised = ?5, refused = ?6 WHERE id = ?1",
            params![errand.id, imported, unchanged, rejected, revised, refused],
        )?;
        match &errand.kind {
            ErrandKind::Refresh { subscription } => {
                self.note_refresh(subscription, *imported, refused)?;
            }
            ErrandKind::Publish { .. } => {
                let is_taken = refused.is_empty() && rejected.is_empty();
                self.settle_publication(errand.id, is_taken)?;
            }
            ErrandKind::Content { .. } => {}
        }
        self.wake(None);
        Ok(())
    }
}
