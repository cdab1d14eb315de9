//! What ends a demonstration before its checks.

use std::path::PathBuf;
use std::time::Duration;

use model::ErrorClass;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {operation} {}", path.display())]
    Files { operation: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{} is not empty; name a directory that is new", path.display())]
    Occupied { path: PathBuf },
    #[error("there is no free port from {base} on; name another --port-base")]
    NoPort { base: u16 },
    #[error("{what} could not be started")]
    Start { what: String, source: BoxError },
    #[error("{what} ended before its time")]
    Ended { what: String, source: Option<BoxError> },
    #[error("the site server refused to {what}: {}", transport::explain(status))]
    Refused { what: &'static str, status: Box<tonic::Status> },
    #[error("{what} was not there within {limit:?}; {seen}")]
    Late { what: String, limit: Duration, seen: String },
    #[error("{} was not taken: {reason}", path.display())]
    Catalog { path: PathBuf, reason: String },
    #[error("the synchronization at {site} failed: {cause}")]
    Synchronization { site: String, cause: String },
    #[error("the run of rule {code} failed: {cause}")]
    Rule { code: String, cause: String },
    #[error("an answer holds what is no {what}")]
    Answer { what: &'static str },
}

impl Error {
    pub(crate) fn files(
        operation: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(std::io::Error) -> Error {
        move |source| Error::Files { operation, path: path.to_owned(), source }
    }

    pub(crate) fn start<E: Into<BoxError>>(what: &str) -> impl FnOnce(E) -> Error {
        move |source| Error::Start { what: what.to_owned(), source: source.into() }
    }

    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::Occupied { .. } | Error::Catalog { .. } => ErrorClass::Invalid,
            Error::NoPort { .. } => ErrorClass::Exhausted,
            Error::Files { .. }
            | Error::Late { .. }
            | Error::Synchronization { .. }
            | Error::Rule { .. } => ErrorClass::Unavailable,
            Error::Refused { status, .. } => rpc::status::class(status),
            Error::Start { .. } | Error::Ended { .. } | Error::Answer { .. } => {
                ErrorClass::Internal
            }
        }
    }
}
