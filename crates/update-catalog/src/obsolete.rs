//! Documents that nobody needs any more (SUPX-06).
//!
//! Of an update with several revisions only the latest counts. The older ones stay until the one
//! that replaced them has been part of two complete versions, so that whoever is still on his way
//! to the last version finds them. What goes is the document with what was derived from it; the
//! row stays, because computers name it by its local id.

use sqlite_engine::{ReadTx, WriteTx, params};

use crate::Error;
use crate::catalog::Catalog;

/// `?1` is the last change of the version before the last.
const OBSOLETE: &str = "FROM revision AS old
    JOIN revision AS latest ON latest.update_id = old.update_id AND latest.is_latest
    WHERE NOT old.is_latest AND old.document IS NOT NULL AND latest.changed <= ?1";

impl Catalog {
    /// How many obsolete documents are here.
    pub async fn obsolete(&self) -> Result<u64, Error> {
        let count = |tx: &ReadTx| {
            let sql = format!("SELECT count(*) {OBSOLETE}");
            Ok::<_, Error>(tx.query_row(&sql, [before_last(tx)?], |row| row.get(0))?)
        };
        self.database.read(count).await
    }

    /// Drops up to `max` obsolete documents and says how many. What is left goes with the next
    /// call.
    pub async fn drop_obsolete(&self, max: usize) -> Result<usize, Error> {
        self.write(move |tx| drop_some(tx, max)).await
    }
}

fn before_last(tx: &ReadTx) -> Result<u64, Error> {
    let sql = "SELECT changes FROM version ORDER BY version DESC LIMIT 1 OFFSET 1";
    Ok(tx.query_optional(sql, [], |row| row.get(0))?.unwrap_or(0))
}

fn drop_some(tx: &WriteTx, max: usize) -> Result<usize, Error> {
    let sql = format!("SELECT old.id {OBSOLETE} ORDER BY old.id LIMIT ?2");
    let ids = tx.query_all(&sql, params![before_last(tx)?, max], |row| row.get::<_, i64>(0))?;
    for id in &ids {
        crate::import::strip(tx, *id)?;
        tx.execute("UPDATE revision SET document = NULL WHERE id = ?1", [id])?;
    }
    Ok(ids.len())
}

#[cfg(test)]
mod tests;
