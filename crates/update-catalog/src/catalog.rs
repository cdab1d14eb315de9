//! The handle of an open catalog: what it is, and its versions.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use model::{CatalogVersion, Languages, Sha256, UpdateId, UpdateRef};
use sqlite_engine::params;
use sqlite_engine::{Database, Options, ReadTx, Row, RowResult, Schema, WriteTx, parse_column};
use uuid::Uuid;

use crate::Error;
use crate::scan::Last;

const SCHEMA: Schema = Schema {
    name: "update catalog",
    application_id: 0x544c_5543, // "TLUC"
    migrations: &[include_str!("../schema/0001_create_catalog.sql")],
};

/// An open catalog; clones share it.
#[derive(Clone, Debug)]
pub struct Catalog {
    pub(crate) database: Database,
    /// Of the last version, once somebody asked.
    pub(crate) scan_graph: Arc<Mutex<Last>>,
    /// Transactions since it was opened: as long as there is no other, the graph is the last one.
    pub(crate) writes: Arc<AtomicU64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogState {
    pub server_id: Uuid,
    /// The number of the last change.
    pub changes: u64,
    /// The last complete version, and the last change it holds.
    pub version: Option<(CatalogVersion, u64)>,
}

impl Catalog {
    /// Opens the catalog at `path`. A new one gets `server_id`, an existing one keeps its own.
    pub fn open(path: &Path, server_id: Uuid, options: Options) -> Result<Catalog, Error> {
        Catalog::prepared(Database::open(path, SCHEMA, options)?, server_id)
    }

    pub fn open_in_memory(server_id: Uuid) -> Result<Catalog, Error> {
        Catalog::prepared(Database::open_in_memory(SCHEMA)?, server_id)
    }

    fn prepared(database: Database, server_id: Uuid) -> Result<Catalog, Error> {
        let sql = "INSERT INTO catalog (only, server_id, changes) VALUES (1, ?1, 0)
                   ON CONFLICT DO NOTHING";
        let insert = move |tx: &WriteTx| tx.execute(sql, [server_id.as_bytes()]);
        database.write_blocking(insert)?;
        Ok(Catalog { database, scan_graph: Arc::default(), writes: Arc::default() })
    }

    pub(crate) async fn write<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&WriteTx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<sqlite_engine::Error> + Send + 'static,
    {
        let writes = self.writes.clone();
        let counted = move |tx: &WriteTx| {
            tx.on_commit(move || {
                writes.fetch_add(1, Ordering::Release);
            });
            closure(tx)
        };
        self.database.write(counted).await
    }

    pub async fn state(&self) -> Result<CatalogState, Error> {
        self.database.read(state).await
    }

    /// After a restore: ids that peers remember now mean nothing, and the new name tells them.
    pub async fn rename_server(&self, server_id: Uuid) -> Result<(), Error> {
        let sql = "UPDATE catalog SET server_id = ?1";
        Ok(self.write(move |tx| tx.execute(sql, [server_id.as_bytes()])).await.map(drop)?)
    }

    /// Records that the catalog as it stands is `version`. Versions only grow; completing the
    /// last one again takes in what changed since.
    pub async fn complete_version(&self, version: u64) -> Result<CatalogVersion, Error> {
        self.write(move |tx| complete_version(tx, version)).await
    }

    /// What upstream called the end of the last synchronization of this name.
    pub async fn upstream_anchor(&self, name: &'static str) -> Result<Option<String>, Error> {
        let sql = "SELECT anchor FROM upstream_anchor WHERE name = ?1";
        Ok(self.database.read(move |tx| tx.query_optional(sql, [name], |row| row.get(0))).await?)
    }

    /// What was kept under this name.
    pub async fn setting(&self, name: &'static str) -> Result<Option<String>, Error> {
        let sql = "SELECT value FROM setting WHERE name = ?1";
        Ok(self.database.read(move |tx| tx.query_optional(sql, [name], |row| row.get(0))).await?)
    }

    pub async fn keep_setting(&self, name: &'static str, value: String) -> Result<(), Error> {
        let sql = "INSERT OR REPLACE INTO setting (name, value) VALUES (?1, ?2)";
        Ok(self.write(move |tx| tx.execute(sql, params![name, value]).map(drop)).await?)
    }

    /// The next synchronization will ask upstream for everything.
    pub async fn forget_upstream_anchors(&self) -> Result<(), Error> {
        let sql = "DELETE FROM upstream_anchor";
        Ok(self.write(|tx| tx.execute(sql, [])).await.map(drop)?)
    }

    /// Problems of the database itself; documents are checked whenever they are read.
    pub async fn check(&self) -> Result<Vec<String>, Error> {
        Ok(self.database.check().await?)
    }

    pub async fn backup(&self, path: &Path) -> Result<(), Error> {
        Ok(self.database.backup(path).await?)
    }

    pub async fn close(&self) {
        self.database.close().await;
    }
}

pub(crate) fn state(tx: &ReadTx) -> Result<CatalogState, Error> {
    let (server_id, changes) =
        tx.query_row("SELECT server_id, changes FROM catalog", [], |row| {
            Ok((parse_column(row, 0, |bytes: Vec<u8>| Uuid::from_slice(&bytes))?, row.get(1)?))
        })?;
    let sql = "SELECT version, items, set_digest, changes FROM version
               ORDER BY version DESC LIMIT 1";
    let version = tx.query_optional(sql, [], |row| {
        let set_digest = parse_column(row, 2, |bytes: Vec<u8>| Sha256::from_slice(&bytes))?;
        let version = CatalogVersion {
            version: row.get(0)?,
            items: row.get(1)?,
            set_digest,
            languages: Languages::ALL,
        };
        Ok((version, row.get(3)?))
    })?;
    Ok(CatalogState { server_id, changes, version })
}

fn complete_version(tx: &WriteTx, version: u64) -> Result<CatalogVersion, Error> {
    let CatalogState { changes, version: last, .. } = state(tx)?;
    if let Some((latest, _)) = last.filter(|(latest, _)| latest.version > version) {
        return Err(Error::CompleteVersion { version, latest: latest.version });
    }
    let sql = "SELECT update_id, revision FROM revision
               WHERE is_item AND is_latest AND document IS NOT NULL ORDER BY update_id";
    let items = tx.query_all(sql, [], update_ref)?;
    let count = u64::try_from(items.len()).unwrap_or(u64::MAX);
    let (set_digest, languages) = (model::set_digest(items), Languages::ALL);
    let complete = CatalogVersion { version, items: count, set_digest, languages };
    let sql = "INSERT INTO version (version, changes, items, set_digest, last_revision)
               VALUES (?1, ?2, ?3, ?4, (SELECT coalesce(max(id), 0) FROM revision))
               ON CONFLICT DO UPDATE SET changes = excluded.changes, items = excluded.items,
                                         set_digest = excluded.set_digest,
                                         last_revision = excluded.last_revision";
    tx.execute(sql, params![version, changes, count, complete.set_digest.0])?;
    Ok(complete)
}

/// The next number of a change.
pub(crate) fn next_change(tx: &WriteTx) -> Result<u64, Error> {
    let sql = "UPDATE catalog SET changes = changes + 1 RETURNING changes";
    Ok(tx.query_row(sql, [], |row| row.get(0))?)
}

/// Columns 0 and 1: update id and revision.
pub(crate) fn update_ref(row: &Row<'_>) -> RowResult<UpdateRef> {
    Ok(UpdateRef { id: update_id(row, 0)?, revision: row.get(1)? })
}

pub(crate) fn update_id(row: &Row<'_>, column: usize) -> RowResult<UpdateId> {
    parse_column(row, column, |bytes: Vec<u8>| UpdateId::from_slice(&bytes))
}

#[cfg(test)]
mod tests;
