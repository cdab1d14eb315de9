//! What can go wrong with content.

use std::io;
use std::path::{Path, PathBuf};

use model::{ErrorClass, Sha1, Sha256};
use sqlite_engine::Fault;

/// A failed operation of the library.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {operation} {}", path.display())]
    File { operation: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot start the threads of the content library")]
    StartThreads { source: io::Error },
    #[error("cannot take in the content of {name}")]
    Import { name: String, source: io::Error },
    #[error("the content index failed")]
    Index(#[from] sqlite_engine::Error),
    #[error("{name}: neither SHA-256 nor SHA-1 is given, so it cannot be received in parts")]
    NoDigest { name: String },
    #[error("{name} is being received already")]
    InReceipt { name: String },
    #[error("{name}: {actual} bytes, larger than the {allowed} bytes allowed")]
    TooLarge { name: String, actual: u64, allowed: u64 },
    #[error("{name}: bytes for offset {actual} were offered, but the next one is {expected}")]
    WrongOffset { name: String, expected: u64, actual: u64 },
    #[error("{name}: {actual} bytes received instead of {expected}; it has to be fetched again")]
    WrongSize { name: String, expected: u64, actual: u64 },
    #[error("{name}: its SHA-256 is {actual} instead of {expected}; it has to be fetched again")]
    WrongSha256 { name: String, expected: Sha256, actual: Sha256 },
    #[error("{name}: its SHA-1 is {actual} instead of {expected}; it has to be fetched again")]
    WrongSha1 { name: String, expected: Sha1, actual: Sha1 },
    #[error("there is no file {sha256} in the content library")]
    NotFound { sha256: Sha256 },
    #[error("file {sha256} is damaged ({reason}); it was taken out and has to be fetched again")]
    Damaged { sha256: Sha256, reason: String },
    #[error("the content library is closed")]
    Closed,
}

impl Error {
    pub(crate) fn file(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::File { operation, path: path.to_owned(), source }
    }

    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::File { source, .. } | Error::Import { source, .. } => io_class(source),
            Error::StartThreads { .. } => ErrorClass::Exhausted,
            Error::Closed => ErrorClass::Unavailable,
            Error::Index(source) => fault_class(source.fault()),
            Error::NoDigest { .. } | Error::WrongOffset { .. } => ErrorClass::Invalid,
            Error::InReceipt { .. } => ErrorClass::Conflict,
            Error::TooLarge { .. }
            | Error::WrongSize { .. }
            | Error::WrongSha256 { .. }
            | Error::WrongSha1 { .. }
            | Error::Damaged { .. } => ErrorClass::Corrupt,
            Error::NotFound { .. } => ErrorClass::NotFound,
        }
    }
}

fn io_class(error: &io::Error) -> ErrorClass {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorClass::Exhausted,
        _ => ErrorClass::Unavailable,
    }
}

fn fault_class(fault: Fault) -> ErrorClass {
    match fault {
        Fault::Invalid => ErrorClass::Invalid,
        Fault::Conflict => ErrorClass::Conflict,
        Fault::Exhausted => ErrorClass::Exhausted,
        Fault::Unavailable => ErrorClass::Unavailable,
        Fault::Corrupt => ErrorClass::Corrupt,
        Fault::Internal => ErrorClass::Internal,
    }
}
