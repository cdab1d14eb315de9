//! What can go wrong in an agent.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use model::{ErrorClass, Invalid, PeerIdentity};
use sqlite_engine::Fault;

use crate::Refused;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the agent's database failed")]
    Store(#[from] sqlite_engine::Error),
    #[error("a stored {what} cannot be read; stop the agent and remove its agent.db")]
    DecodeStored { what: &'static str, source: Invalid },
    #[error("the content cache failed")]
    Content(#[from] content_library::Error),
    #[error("the cache of update documents failed")]
    Catalog(#[from] update_catalog::Error),
    #[error("cannot {operation} {}", path.display())]
    Files { operation: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "others may write to {}: only the agent's user may; run chmod go-w on it",
        path.display()
    )]
    OpenToOthers { path: PathBuf },
    #[error("the certificate is of {identity}; an agent needs a client's")]
    NotAClient { identity: PeerIdentity },
    #[error("cannot connect")]
    Connect(#[from] transport::Error),
    #[error("{url} refused or failed")]
    Call { url: String, source: Box<tonic::Status> },
    #[error("cannot reach {url}")]
    Reach { url: String, source: tonic::transport::Error },
    #[error("{url} did not answer within {limit:?}")]
    Silent { url: String, limit: Duration },
    #[error("the answer of {url} is not understood")]
    Answer { url: String, source: Invalid },
    #[error("the policy that {url} serves is refused")]
    Policy { url: String, source: Refused },
    #[error("{url} answered {status} instead of the file")]
    Fetch { url: String, status: u16 },
    #[error("{url} ended {name} at byte {offset}")]
    CutOff { url: String, name: String, offset: u64 },
    #[error("the facts of this computer cannot be read")]
    Facts(#[source] io::Error),
    #[error("the agent is stopping")]
    Stopping,
}

impl Error {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::Store(error) => match error.fault() {
                Fault::Invalid => ErrorClass::Invalid,
                Fault::Conflict => ErrorClass::Conflict,
                Fault::Exhausted => ErrorClass::Exhausted,
                Fault::Unavailable => ErrorClass::Unavailable,
                Fault::Corrupt => ErrorClass::Corrupt,
                Fault::Internal => ErrorClass::Internal,
            },
            Error::DecodeStored { .. } => ErrorClass::Corrupt,
            Error::Content(error) => error.class(),
            Error::Catalog(error) => error.class(),
            Error::Connect(error) => error.class(),
            Error::Call { source, .. } => rpc::status::class(source),
            Error::Policy { source, .. } => source.class(),
            Error::Answer { .. } => ErrorClass::Invalid,
            Error::NotAClient { .. } | Error::OpenToOthers { .. } => ErrorClass::Denied,
            Error::Files { .. }
            | Error::Reach { .. }
            | Error::Silent { .. }
            | Error::Fetch { .. }
            | Error::CutOff { .. }
            | Error::Facts(_)
            | Error::Stopping => ErrorClass::Unavailable,
        }
    }

    /// For `map_err` on answers.
    pub(crate) fn answer(url: &str) -> impl FnOnce(Invalid) -> Error {
        move |source| Error::Answer { url: url.to_owned(), source }
    }

    pub(crate) fn call(url: &str) -> impl FnOnce(tonic::Status) -> Error {
        move |source| Error::Call { url: url.to_owned(), source: Box::new(source) }
    }
}
