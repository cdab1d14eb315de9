//! What can go wrong in the engine, and what kind of fault it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;

/// A failed operation of the engine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot make the directory {}", path.display())]
    MakeDirectory { path: PathBuf, source: std::io::Error },
    #[error(
        "cannot open the {schema} database {}: check that its directory exists and is writable",
        path.display()
    )]
    OpenDatabase { schema: &'static str, path: PathBuf, source: rusqlite::Error },
    #[error(
        "{} is not a {schema} database (application id {found:#010x}): name another file or move \
         this one away",
        path.display()
    )]
    ForeignDatabase { schema: &'static str, path: PathBuf, found: i32 },
    #[error(
        "the {schema} database {} has schema version {found}, this program knows versions up to \
         {known}: use the program that wrote it, or restore a backup made before the upgrade",
        path.display()
    )]
    NewerDatabase { schema: &'static str, path: PathBuf, found: usize, known: usize },
    #[error("migration to version {version} of the {schema} schema failed; nothing of it was kept")]
    Migrate { schema: &'static str, version: usize, source: rusqlite::Error },
    #[error("table {table} of the {schema} schema is not STRICT")]
    LooseTable { schema: &'static str, table: String },
    #[error("cannot start a thread for the {schema} database")]
    StartThread { schema: &'static str, source: std::io::Error },
    #[error("cannot begin a transaction")]
    Begin { source: rusqlite::Error },
    #[error("the transaction was not committed; nothing of it was kept")]
    Commit { source: Arc<rusqlite::Error> },
    #[error("statement failed: {sql}")]
    Statement { sql: String, source: rusqlite::Error },
    #[error("the closure given to the database panicked: {message}")]
    Panicked { message: String },
    #[error("the database is closed")]
    Closed,
    #[error("cannot copy the database to {}", path.display())]
    CopyDatabase { path: PathBuf, source: rusqlite::Error },
    #[error("cannot put the backup in place as {}", path.display())]
    PlaceBackup { path: PathBuf, source: std::io::Error },
    #[error(
        "the spool is full: {entries} entries of at most {entries_max}, {bytes} bytes of at most \
         {bytes_max}; its receiver has to take some first"
    )]
    SpoolFull { entries: u64, entries_max: u64, bytes: u64, bytes_max: u64 },
}

/// The kinds of faults, named like the error classes they become above this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The file given is not what was asked for.
    Invalid,
    /// A constraint of the schema refused the change.
    Conflict,
    /// Disk, memory or a limit is used up.
    Exhausted,
    /// Locked, unreadable or closed: may work later.
    Unavailable,
    /// What is stored is not what was written.
    Corrupt,
    /// A mistake in this program.
    Internal,
}

impl Error {
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::OpenDatabase { source, .. }
            | Error::Migrate { source, .. }
            | Error::Begin { source }
            | Error::Statement { source, .. }
            | Error::CopyDatabase { source, .. } => sqlite_fault(source),
            Error::Commit { source } => sqlite_fault(source),
            Error::ForeignDatabase { .. } | Error::NewerDatabase { .. } => Fault::Invalid,
            Error::LooseTable { .. } | Error::Panicked { .. } => Fault::Internal,
            Error::StartThread { .. } | Error::MakeDirectory { .. } | Error::SpoolFull { .. } => {
                Fault::Exhausted
            }
            Error::PlaceBackup { .. } | Error::Closed => Fault::Unavailable,
        }
    }

    pub(crate) fn open(schema: &'static str, path: &Path, source: rusqlite::Error) -> Error {
        Error::OpenDatabase { schema, path: path.to_owned(), source }
    }

    pub(crate) fn statement(sql: &str) -> impl FnOnce(rusqlite::Error) -> Error {
        move |source| Error::Statement { sql: sql.to_owned(), source }
    }
}

fn sqlite_fault(error: &rusqlite::Error) -> Fault {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => code_fault(failure.code),
        // A stored value that its own reader cannot take was not written by this program.
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..)
        | rusqlite::Error::InvalidColumnType(..) => Fault::Corrupt,
        _ => Fault::Internal,
    }
}

fn code_fault(code: ErrorCode) -> Fault {
    match code {
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Fault::Corrupt,
        ErrorCode::DiskFull | ErrorCode::OutOfMemory | ErrorCode::TooBig => Fault::Exhausted,
        ErrorCode::ConstraintViolation => Fault::Conflict,
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::FileLockingProtocolFailed
        | ErrorCode::OperationAborted
        | ErrorCode::OperationInterrupted
        | ErrorCode::SystemIoFailure
        | ErrorCode::CannotOpen
        | ErrorCode::PermissionDenied
        | ErrorCode::ReadOnly => Fault::Unavailable,
        _ => Fault::Internal,
    }
}
