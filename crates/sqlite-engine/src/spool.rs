//! A durable queue in a database file of its own.
//!
//! What [`Spool::append`] accepted survives a kill and a power cut until it is acknowledged. An
//! entry that its receiver refuses is quarantined with the reason instead of blocking those behind
//! it; the newest of them are kept for the operator to look at, all are counted. Entries keep
//! their order and their ids, and an id is never used twice. The spool knows nothing about what it
//! carries; when a limit is reached it refuses the whole batch.

use std::path::Path;

use crate::database::{Database, Durability, Executor, Options};
use crate::error::Error;
use crate::schema::Schema;
use crate::transaction::{ReadTx, RowResult, WriteTx};
use crate::{Row, params};

const SCHEMA: Schema = Schema {
    name: "spool",
    application_id: 0x544c_5350, // "TLSP"
    migrations: &[include_str!("../schema/spool/0001_create_spool.sql")],
};

/// Refused entries kept for inspection. Whoever sends garbage must neither fill the disk nor keep
/// sound entries out.
const QUARANTINE_MAX: usize = 1_000;

/// When the spool refuses to take more.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub entries_max: u64,
    pub bytes_max: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: u64,
    pub body: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Entries waiting to be acknowledged, and their size.
    pub queued: u64,
    pub bytes: u64,
    /// Entries ever refused by the receiver.
    pub quarantined: u64,
}

/// An open queue; clones share it.
#[derive(Clone, Debug)]
pub struct Spool {
    database: Database,
    limits: Limits,
}

impl Spool {
    pub fn open(path: &Path, executor: Executor, limits: Limits) -> Result<Spool, Error> {
        let options = Options { executor, durability: Durability::Full };
        Ok(Spool { database: Database::open(path, SCHEMA, options)?, limits })
    }

    /// Appends all bodies or, with [`Error::SpoolFull`], none.
    pub async fn append(&self, bodies: Vec<Vec<u8>>) -> Result<(), Error> {
        let limits = self.limits;
        self.database.write(move |tx| append(tx, &bodies, limits)).await
    }

    /// The oldest entries with ids above `after`, at most `count_max`.
    pub async fn read(&self, after: u64, count_max: usize) -> Result<Vec<Entry>, Error> {
        let sql = "SELECT id, body FROM entry WHERE id > ?1 AND reason IS NULL
                   ORDER BY id LIMIT ?2";
        self.database.read(move |tx| tx.query_all(sql, params![after, count_max], entry)).await
    }

    /// The oldest entries, at most `count_max`, and more than one only while they have no more than
    /// `bytes_max` together.
    pub async fn oldest(&self, count_max: usize, bytes_max: u64) -> Result<Vec<Entry>, Error> {
        self.database.read(move |tx: &ReadTx| oldest(tx, count_max, bytes_max)).await
    }

    /// The entry `id`, if it is queued.
    pub async fn queued(&self, id: u64) -> Result<Option<Entry>, Error> {
        let sql = "SELECT id, body FROM entry WHERE id = ?1 AND reason IS NULL";
        self.database.read(move |tx: &ReadTx| tx.query_optional(sql, [id], entry)).await
    }

    /// Forgets the entries up to and including `id`: their receiver has made them durable.
    pub async fn acknowledge(&self, id: u64) -> Result<(), Error> {
        let sql = "DELETE FROM entry WHERE id <= ?1 AND reason IS NULL";
        self.database.write(move |tx| tx.execute(sql, [id]).map(drop)).await
    }

    /// Takes the entry `id` out of the queue and keeps it with the reason.
    pub async fn quarantine(&self, id: u64, reason: impl Into<String>) -> Result<(), Error> {
        let reason = reason.into();
        let refuse = "UPDATE entry SET reason = ?2 WHERE id = ?1 AND reason IS NULL";
        let forget = "DELETE FROM entry WHERE id IN (SELECT id FROM entry
                      WHERE reason IS NOT NULL ORDER BY id DESC LIMIT -1 OFFSET ?1)";
        let quarantine = move |tx: &WriteTx| {
            tx.execute(refuse, params![id, reason])?;
            tx.execute(forget, [QUARANTINE_MAX]).map(drop)
        };
        self.database.write(quarantine).await
    }

    pub async fn usage(&self) -> Result<Usage, Error> {
        self.database.read(usage).await
    }

    pub async fn close(&self) {
        self.database.close().await;
    }
}

fn append(tx: &WriteTx, bodies: &[Vec<u8>], limits: Limits) -> Result<(), Error> {
    for body in bodies {
        tx.execute("INSERT INTO entry (body) VALUES (?1)", [body])?;
    }
    let Usage { queued, bytes, .. } = usage(tx)?;
    let Limits { entries_max, bytes_max } = limits;
    if queued > entries_max || bytes > bytes_max {
        return Err(Error::SpoolFull { entries: queued, entries_max, bytes, bytes_max });
    }
    Ok(())
}

fn oldest(tx: &ReadTx, count_max: usize, bytes_max: u64) -> Result<Vec<Entry>, Error> {
    let sql = "SELECT id, length(body) FROM entry WHERE reason IS NULL ORDER BY id LIMIT ?1";
    let sizes: Vec<(u64, u64)> =
        tx.query_all(sql, [count_max], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (mut bytes, mut last) = (0, None);
    for (id, size) in sizes {
        bytes += size;
        if last.is_some() && bytes > bytes_max {
            break;
        }
        last = Some(id);
    }
    let sql = "SELECT id, body FROM entry WHERE id <= ?1 AND reason IS NULL ORDER BY id";
    tx.query_all(sql, [last.unwrap_or_default()], entry)
}

fn usage(tx: &ReadTx) -> Result<Usage, Error> {
    tx.query_row("SELECT queued, bytes, quarantined FROM usage", [], |row| {
        Ok(Usage { queued: row.get(0)?, bytes: row.get(1)?, quarantined: row.get(2)? })
    })
}

fn entry(row: &Row<'_>) -> RowResult<Entry> {
    Ok(Entry { id: row.get(0)?, body: row.get(1)? })
}

#[cfg(test)]
mod tests;
