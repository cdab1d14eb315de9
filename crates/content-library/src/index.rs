//! The index: what is known of each file in place, and who needs it.

use std::collections::BTreeSet;

use model::{Sha1, Sha256, Timestamp};
use sqlite_engine::{Error, ReadTx, Row, RowResult, Schema, WriteTx, params, parse_column};

pub(crate) const SCHEMA: Schema = Schema {
    name: "content index",
    application_id: 0x544c_4349, // "TLCI"
    migrations: &[include_str!("../schema/0001_create_index.sql")],
};

/// A complete file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileRecord {
    pub sha256: Sha256,
    pub sha1: Sha1,
    pub size: u64,
    /// Upstream vouched for it by SHA-1 alone.
    pub is_weak: bool,
    /// When its digest was last computed from what is on disk.
    pub verified_at: Timestamp,
    /// When it came, or somebody last said that it was used.
    pub used_at: Timestamp,
}

const RECORD: &str = "SELECT sha256, sha1, size, is_weak, verified_at, used_at FROM file";

fn record(row: &Row<'_>) -> RowResult<FileRecord> {
    Ok(FileRecord {
        sha256: sha256(row)?,
        sha1: parse_column(row, 1, |bytes: Vec<u8>| Sha1::from_slice(&bytes))?,
        size: row.get(2)?,
        is_weak: row.get(3)?,
        verified_at: Timestamp(row.get(4)?),
        used_at: Timestamp(row.get(5)?),
    })
}

fn sha256(row: &Row<'_>) -> RowResult<Sha256> {
    parse_column(row, 0, |bytes: Vec<u8>| Sha256::from_slice(&bytes))
}

pub(crate) fn find(tx: &ReadTx, sha256: Sha256) -> Result<Option<FileRecord>, Error> {
    tx.query_optional(&format!("{RECORD} WHERE sha256 = ?1"), [&sha256.0], record)
}

/// A file that upstream named by SHA-1 and size alone.
pub(crate) fn find_sha1(tx: &ReadTx, sha1: Sha1, size: u64) -> Result<Option<FileRecord>, Error> {
    let sql = format!("{RECORD} WHERE sha1 = ?1 AND size = ?2");
    tx.query_optional(&sql, params![&sha1.0, size], record)
}

pub(crate) fn all(tx: &ReadTx) -> Result<Vec<FileRecord>, Error> {
    tx.query_all(&format!("{RECORD} ORDER BY sha256"), [], record)
}

/// Records a verified file. Known weakness ends once somebody vouched by SHA-256.
pub(crate) fn put(tx: &WriteTx, file: &FileRecord) -> Result<(), Error> {
    let sql = "INSERT INTO file VALUES (?1, ?2, ?3, ?4, ?5, NULL, ?6)
               ON CONFLICT (sha256) DO UPDATE SET is_weak = min(is_weak, excluded.is_weak),
                   verified_at = max(verified_at, excluded.verified_at), condemned_at = NULL,
                   used_at = max(used_at, excluded.used_at)";
    let FileRecord { sha256, sha1, size, is_weak, verified_at, used_at } = file;
    tx.execute(sql, params![&sha256.0, &sha1.0, size, is_weak, verified_at.0, used_at.0]).map(drop)
}

pub(crate) fn mark_verified(tx: &WriteTx, sha256: Sha256, at: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE file SET verified_at = max(verified_at, ?2) WHERE sha256 = ?1";
    tx.execute(sql, params![&sha256.0, at.0]).map(drop)
}

pub(crate) fn mark_used(tx: &WriteTx, files: &[Sha256], at: Timestamp) -> Result<(), Error> {
    for sha256 in files {
        tx.execute("UPDATE file SET used_at = ?2 WHERE sha256 = ?1", params![&sha256.0, at.0])?;
    }
    Ok(())
}

/// A clock that was set back must keep nothing here for ever.
pub(crate) fn forget_future(tx: &WriteTx, now: Timestamp) -> Result<(), Error> {
    tx.execute("UPDATE file SET used_at = ?1 WHERE used_at > ?1", [now.0]).map(drop)
}

/// Removes the row of a file that nobody holds; nothing if somebody does, or there is none.
pub(crate) fn release(tx: &WriteTx, sha256: Sha256) -> Result<Option<FileRecord>, Error> {
    let released =
        format!("{RECORD} WHERE sha256 = ?1 AND sha256 NOT IN (SELECT sha256 FROM reference)");
    let found = tx.query_optional(&released, [&sha256.0], record)?;
    if found.is_some() {
        remove(tx, sha256)?;
    }
    Ok(found)
}

/// Says whether there was such a row.
pub(crate) fn remove(tx: &WriteTx, sha256: Sha256) -> Result<bool, Error> {
    Ok(tx.execute("DELETE FROM file WHERE sha256 = ?1", [&sha256.0])? > 0)
}

/// Says that `holder` needs exactly `files`; none forgets it.
pub(crate) fn set_references(tx: &WriteTx, holder: &str, files: &[Sha256]) -> Result<(), Error> {
    tx.execute("DELETE FROM reference WHERE holder = ?1", [holder])?;
    for file in files {
        tx.execute("INSERT OR IGNORE INTO reference VALUES (?1, ?2)", params![holder, &file.0])?;
    }
    Ok(())
}

/// Those that need files and whose names begin so.
pub(crate) fn holders(tx: &ReadTx, prefix: &str) -> Result<BTreeSet<String>, Error> {
    let sql = "SELECT DISTINCT holder FROM reference WHERE substr(holder, 1, length(?1)) = ?1";
    Ok(tx.query_all(sql, [prefix], |row| row.get(0))?.into_iter().collect())
}

/// One pass of the collector. A file without a holder is condemned; a file condemned `before`
/// that moment, and still without a holder, loses its row and is returned.
pub(crate) fn collect(
    tx: &WriteTx,
    now: Timestamp,
    before: Timestamp,
) -> Result<Vec<FileRecord>, Error> {
    let held = "sha256 IN (SELECT sha256 FROM reference)";
    let pardon =
        format!("UPDATE file SET condemned_at = NULL WHERE condemned_at IS NOT NULL AND {held}");
    tx.execute(&pardon, [])?;
    let condemned =
        tx.query_all(&format!("{RECORD} WHERE condemned_at <= ?1"), [before.0], record)?;
    tx.execute("DELETE FROM file WHERE condemned_at <= ?1", [before.0])?;
    let condemn =
        format!("UPDATE file SET condemned_at = ?1 WHERE condemned_at IS NULL AND NOT {held}");
    tx.execute(&condemn, [now.0])?;
    Ok(condemned)
}
