//! What can go wrong in an agent.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use model::{ErrorClass, Invalid, PeerIdentity};
use sqlite_engine::Fault;
use tonic::Code;

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
    #[error("{url} sends us on to {to:?}; nobody is followed elsewhere")]
    Redirected { url: String, to: String },
    #[error("{url} sent less than {least} bytes in {limit:?}")]
    Dripping { url: String, least: u64, limit: Duration },
    #[error("{url} ended {name} at byte {offset}")]
    CutOff { url: String, name: String, offset: u64 },
    #[error("the facts of this computer cannot be read")]
    Facts(#[source] io::Error),
    #[error(
        "{url} is no address of an update service; it is http://host:port, or https://host:port \
         with the certificates it is believed by"
    )]
    ForeignUrl { url: String },
    #[error("cannot speak with {url}")]
    ForeignReach { url: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{url} answered {operation} with {answer}")]
    ForeignHttp { url: String, operation: &'static str, answer: String },
    #[error("what {url} answered {operation} with is no use")]
    ForeignSoap { url: String, operation: &'static str, source: wsus_protocol::Error },
    #[error("the scan of {url} was given up: {reason}")]
    ForeignScan { url: String, reason: String },
    #[error("work of the agent ended without a result; start it again, and report what it logged")]
    Work(#[source] tokio::task::JoinError),
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
            Error::Work(_) => ErrorClass::Internal,
            Error::Content(error) => error.class(),
            Error::Catalog(error) => error.class(),
            Error::Connect(error) => error.class(),
            Error::Call { source, .. } => rpc::status::class(source),
            Error::Policy { source, .. } => source.class(),
            Error::Answer { .. }
            | Error::ForeignUrl { .. }
            | Error::ForeignHttp { .. }
            | Error::ForeignSoap { .. }
            | Error::ForeignScan { .. } => ErrorClass::Invalid,
            Error::NotAClient { .. } | Error::OpenToOthers { .. } | Error::Redirected { .. } => {
                ErrorClass::Denied
            }
            Error::Files { .. }
            | Error::Reach { .. }
            | Error::ForeignReach { .. }
            | Error::Silent { .. }
            | Error::Fetch { .. }
            | Error::Dripping { .. }
            | Error::CutOff { .. }
            | Error::Facts(_)
            | Error::Stopping => ErrorClass::Unavailable,
        }
    }

    /// What answered does not speak the protocol; servers of ours say of themselves that they
    /// failed.
    pub(crate) fn is_senseless(&self) -> bool {
        match self {
            Error::Answer { .. } => true,
            Error::Call { source, .. } => {
                let own = rpc::status::from_error(ErrorClass::Internal, self);
                matches!(source.code(), Code::Internal | Code::OutOfRange)
                    && source.message() != own.message()
            }
            _ => false,
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
