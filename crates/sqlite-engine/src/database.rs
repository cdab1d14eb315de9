//! The handle of an open database.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tokio::sync::oneshot;

use crate::error::Error;
use crate::executor::{Runner, block_on};
use crate::group::{Work, run_snapshot};
use crate::schema::Schema;
use crate::transaction::{ReadTx, RowResult, WriteTx};
use crate::{backup, limits, schema};

/// Where closures run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Executor {
    /// One writer thread with group commit and a pool of snapshot readers.
    #[default]
    Thread,
    /// The caller's thread, one closure at a time: for simulation, where a thread of our own
    /// would stop simulated time. A closure must not use the same database again.
    Inline,
}

/// What a commit survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: for everything that is acknowledged to another machine.
    Full,
    /// The end of the process; a power cut may take the last commits. For caches, which also take
    /// less memory.
    Normal,
}

#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub executor: Executor,
    pub durability: Durability,
}

/// An open database. Clones share it; dropping the last one closes it in the background.
#[derive(Clone)]
pub struct Database {
    schema: &'static str,
    runner: Arc<Runner>,
}

impl Database {
    /// Opens the file at `path`, makes it if there is none, and migrates it to `schema`.
    pub fn open(path: &Path, schema: Schema, options: Options) -> Result<Database, Error> {
        if let Some(directory) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
            let made = std::fs::create_dir_all(directory);
            made.map_err(|source| Error::MakeDirectory { path: directory.to_owned(), source })?;
        }
        let open = || {
            let connection = Connection::open(path)?;
            configure(&connection, options.durability)?;
            Ok(connection)
        };
        let failed = |source| Error::open(schema.name, path, source);
        let mut connection = open().map_err(failed)?;
        schema.apply(&mut connection, path)?;
        let writer = WriteTx::new(connection, options.durability).map_err(failed)?;
        let runner = match options.executor {
            Executor::Inline => Runner::inline(writer),
            Executor::Thread => {
                let reader = |_| open().and_then(ReadTx::query_only);
                let readers = (0..limits::READERS).map(reader).collect::<RowResult<_>>();
                Runner::threads(schema.name, writer, readers.map_err(failed)?)?
            }
        };
        Ok(Database { schema: schema.name, runner: Arc::new(runner) })
    }

    /// An empty database that lives as long as its handles, always [`Executor::Inline`].
    pub fn open_in_memory(schema: Schema) -> Result<Database, Error> {
        let options = Options { executor: Executor::Inline, durability: Durability::Normal };
        Database::open(Path::new(":memory:"), schema, options)
    }

    /// Runs `closure` in a write transaction and returns once it is committed.
    ///
    /// `Err` from the closure undoes its changes alone. Dropping the future once it was polled
    /// does not take the write back.
    pub async fn write<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&WriteTx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (job, answer) = Work::boxed(closure);
        self.runner.write(job).await?;
        answer.await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }

    /// Runs `closure` on one snapshot of the database.
    pub async fn read<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&ReadTx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let job = move |tx: &ReadTx| {
            // A caller that went away needs no answer.
            let _ = caller.send(run_snapshot(tx, closure));
        };
        self.runner.read(Box::new(job)).await?;
        answer.await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }

    /// [`Database::write`] for callers that are not async; it blocks the calling thread.
    pub fn write_blocking<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&WriteTx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        block_on(self.write(closure))
    }

    /// [`Database::read`] for callers that are not async; it blocks the calling thread.
    pub fn read_blocking<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&ReadTx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        block_on(self.read(closure))
    }

    /// Copies a consistent snapshot to `path` while work goes on; the file appears whole or not
    /// at all.
    pub async fn backup(&self, path: impl Into<PathBuf>) -> Result<(), Error> {
        let path = path.into();
        self.read(move |tx| backup::copy_to(tx.connection(), &path)).await
    }

    /// Every structural problem and dangling reference found; empty for a sound database.
    pub async fn check(&self) -> Result<Vec<String>, Error> {
        self.read(backup::problems).await
    }

    /// The layout as SQL text, for comparison with a checked-in `latest.sql`.
    pub async fn dump_schema(&self) -> Result<String, Error> {
        self.read(schema::dump).await
    }

    /// Finishes what is queued, folds the log into the file and closes it. Later calls on any
    /// clone of this handle answer [`Error::Closed`].
    pub async fn close(&self) {
        self.runner.close().await;
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("schema", &self.schema).finish_non_exhaustive()
    }
}

fn configure(connection: &Connection, durability: Durability) -> RowResult<()> {
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    connection.busy_timeout(limits::LOCK_WAIT)?;
    connection.set_prepared_statement_cache_capacity(limits::STATEMENTS_CACHED);
    // Plans hold for any value; otherwise each new value prepares its statement again.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // The page size only takes effect before the file has its first page.
    connection.pragma_update(None, "page_size", limits::PAGE_BYTES)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    if durability == Durability::Normal {
        connection.pragma_update(None, "cache_size", limits::SMALL_CACHE_PAGES)?;
    }
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)
}

#[cfg(test)]
mod tests;
