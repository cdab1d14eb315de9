//! What a closure sees of the database: statements inside an open transaction.
//!
//! Every statement is prepared once per connection and kept. A [`WriteTx`] dereferences to a
//! [`ReadTx`], so a function that only reads takes `&ReadTx` and serves both.

use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::types::{FromSql, Type};
use rusqlite::wal::CheckpointMode;
use rusqlite::{CachedStatement, Connection, DEFAULT_NAME, Params, Row};

use crate::database::Durability;
use crate::error::Error;
use crate::limits;

/// What a row mapper returns.
pub type RowResult<T> = Result<T, rusqlite::Error>;

/// Reads one column and turns it into a value of the domain.
///
/// A stored value that `parse` refuses counts as corruption: it was valid when it was written.
pub fn parse_column<S, T, E>(
    row: &Row<'_>,
    index: usize,
    parse: impl FnOnce(S) -> Result<T, E>,
) -> RowResult<T>
where
    S: FromSql,
    E: std::error::Error + Send + Sync + 'static,
{
    parse(row.get(index)?).map_err(|error| {
        let found = row.get_ref(index).map_or(Type::Null, |value| value.data_type());
        rusqlite::Error::FromSqlConversionFailure(index, found, Box::new(error))
    })
}

/// A snapshot of the database, lent to a closure.
pub struct ReadTx {
    connection: Connection,
}

impl ReadTx {
    /// For a connection of its own, which must never compete with the writer.
    pub(crate) fn query_only(connection: Connection) -> RowResult<ReadTx> {
        connection.pragma_update(None, "query_only", true)?;
        Ok(ReadTx { connection })
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// BEGIN, SAVEPOINT and their kin.
    pub(crate) fn control(&self, sql: &str) -> RowResult<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    fn prepare(&self, sql: &str) -> Result<CachedStatement<'_>, Error> {
        self.connection.prepare_cached(sql).map_err(Error::statement(sql))
    }

    /// The one row of a query; none is an error.
    pub fn query_row<T>(
        &self,
        sql: &str,
        params: impl Params,
        map: impl FnOnce(&Row<'_>) -> RowResult<T>,
    ) -> Result<T, Error> {
        self.prepare(sql)?.query_row(params, map).map_err(Error::statement(sql))
    }

    /// The first row of a query, if there is one.
    pub fn query_optional<T>(
        &self,
        sql: &str,
        params: impl Params,
        map: impl FnOnce(&Row<'_>) -> RowResult<T>,
    ) -> Result<Option<T>, Error> {
        let mut statement = self.prepare(sql)?;
        let mut rows = statement.query(params).map_err(Error::statement(sql))?;
        let row = rows.next().map_err(Error::statement(sql))?;
        row.map(map).transpose().map_err(Error::statement(sql))
    }

    /// All rows of a query. The caller bounds their number.
    pub fn query_all<T>(
        &self,
        sql: &str,
        params: impl Params,
        map: impl FnMut(&Row<'_>) -> RowResult<T>,
    ) -> Result<Vec<T>, Error> {
        let mut statement = self.prepare(sql)?;
        let rows = statement.query_map(params, map).map_err(Error::statement(sql))?;
        rows.collect::<RowResult<_>>().map_err(Error::statement(sql))
    }

    /// Visits the rows of a query one by one, for results that need not fit into memory.
    pub fn for_each<T, E: From<Error>>(
        &self,
        sql: &str,
        params: impl Params,
        mut map: impl FnMut(&Row<'_>) -> RowResult<T>,
        mut visit: impl FnMut(T) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut statement = self.prepare(sql)?;
        let mut rows = statement.query(params).map_err(Error::statement(sql))?;
        while let Some(row) = rows.next().map_err(Error::statement(sql))? {
            visit(map(row).map_err(Error::statement(sql))?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for ReadTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadTx").finish_non_exhaustive()
    }
}

type CommitHook = Box<dyn FnOnce() + Send>;

/// The one write transaction of the moment, lent to a closure.
pub struct WriteTx {
    read: ReadTx,
    hooks: RefCell<Vec<CommitHook>>,
    wal_pages: Arc<AtomicUsize>,
}

impl WriteTx {
    pub(crate) fn new(mut connection: Connection, durability: Durability) -> RowResult<WriteTx> {
        let cache_pages = match durability {
            Durability::Full => limits::WRITER_CACHE_PAGES,
            Durability::Normal => limits::SMALL_WRITER_CACHE_PAGES,
        };
        connection.pragma_update(None, "cache_size", cache_pages)?;
        let wal_pages = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&wal_pages);
        // This hook takes the place of SQLite's own, which would checkpoint inside a commit.
        connection.wal_hook(Some(
            move |_: &mut rusqlite::hooks::Wal, pages: std::ffi::c_int| {
                counter.store(usize::try_from(pages).unwrap_or(0), Ordering::Relaxed);
                Ok(())
            },
        ))?;
        Ok(WriteTx { read: ReadTx { connection }, hooks: RefCell::default(), wal_pages })
    }

    /// Runs one statement and says how many rows it changed.
    pub fn execute(&self, sql: &str, params: impl Params) -> Result<usize, Error> {
        self.prepare(sql)?.execute(params).map_err(Error::statement(sql))
    }

    /// The row id of the last insert.
    #[must_use]
    pub fn last_insert_id(&self) -> i64 {
        self.connection.last_insert_rowid()
    }

    /// Runs `hook` once this write is committed, before its caller is answered; never if it is
    /// undone. For wake-ups: what a hook would carry has to be in the database.
    pub fn on_commit(&self, hook: impl FnOnce() + Send + 'static) {
        self.hooks.borrow_mut().push(Box::new(hook));
    }

    pub(crate) fn hook_count(&self) -> usize {
        self.hooks.borrow().len()
    }

    /// Takes the hooks from `first` on.
    pub(crate) fn take_hooks(&self, first: usize) -> Vec<CommitHook> {
        self.hooks.borrow_mut().split_off(first)
    }

    /// Copies the write-ahead log back once it is long enough. A failure loses nothing: the log
    /// stays, the next commit meets the same disk and reports it.
    pub(crate) fn checkpoint_if_due(&self, is_idle: bool) {
        let due =
            if is_idle { limits::CHECKPOINT_IDLE_PAGES } else { limits::CHECKPOINT_BUSY_PAGES };
        if self.wal_pages.load(Ordering::Relaxed) >= due {
            self.wal_pages.store(0, Ordering::Relaxed);
            let _ = self.connection.wal_checkpoint_v2(DEFAULT_NAME, CheckpointMode::PASSIVE);
        }
    }

    /// Leaves one file behind. What a failing checkpoint leaves in the log is read at next open.
    pub(crate) fn close(self) {
        let _ = self.connection.wal_checkpoint_v2(DEFAULT_NAME, CheckpointMode::TRUNCATE);
    }
}

impl Deref for WriteTx {
    type Target = ReadTx;

    fn deref(&self) -> &ReadTx {
        &self.read
    }
}

impl fmt::Debug for WriteTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteTx").finish_non_exhaustive()
    }
}
