//! What can go wrong in an agent.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use model::{ErrorClass, Invalid, PeerIdentity};
use sqlite_engine::Fault;

use crate::Refused;

mod called;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the agent's database failed")]
    Store(#[from] sqlite_engine::Error),
    #[error("a stored {what} cannot be read")]
    DecodeStored { what: &'static str, source: Invalid },
    #[error("the content cache failed")]
    Content(#[from] content_library::Error),
    #[error("the cache of update documents failed")]
    Catalog(#[from] update_catalog::Error),
    #[error("cannot {operation} {}", path.display())]
    Files { operation: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "{} can be changed by others (its owner is {owner}, its mode {mode:04o}), and what lies \
         there is run; run: {remedy}",
        path.display()
    )]
    InOtherHands { path: PathBuf, owner: u32, mode: u32, remedy: String },
    #[error("another agent has begun to work in the data directory")]
    InUse(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("what the agent remembers is damaged: {reason}")]
    DamagedMemory { reason: String },
    #[error("what is remembered is of {found}, and this is {own}")]
    MemoryOfOther { found: String, own: Box<PeerIdentity> },
    #[error("there is no {}: no agent has run with this data_dir", path.display())]
    NoMemory { path: PathBuf },
    #[error("the certificate is of {identity}; an agent needs a client's")]
    NotAClient { identity: PeerIdentity },
    #[error("cannot connect")]
    Connect(#[from] transport::Error),
    #[error("{url} refused or failed: {said}")]
    Call { url: String, class: ErrorClass, is_senseless: bool, said: String },
    #[error("{url} is not believed: {reason}")]
    Distrusted { url: String, reason: String },
    #[error("cannot reach {url}")]
    Reach { url: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("the connection to {url} broke")]
    Broken { url: String, source: Box<dyn std::error::Error + Send + Sync> },
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
    #[error("{url} is no address to fetch a file from: {reason}")]
    Address { url: String, reason: &'static str },
    #[error("{url} sends us on to {to:?}: {reason}")]
    Astray { url: String, to: String, reason: &'static str },
    #[error("{url} sent less than {least} bytes in {limit:?}")]
    Dripping { url: String, least: u64, limit: Duration },
    #[error("{url} sent less than {least} bytes in {limit:?}, and others may have the file")]
    Slow { url: String, least: u64, limit: Duration },
    #[error("{url} did not end within {limit:?}")]
    Endless { url: String, limit: Duration },
    #[error("the downloader cannot be started")]
    StartDownloader(#[source] io::Error),
    #[error("the downloader ended while it read from {url}")]
    DownloaderEnded { url: String },
    #[error("the downloader that reads from {url} says what none would say")]
    Downloader { url: String, source: Invalid },
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
            Error::DecodeStored { .. } | Error::DamagedMemory { .. } | Error::Downloader { .. } => {
                ErrorClass::Corrupt
            }
            Error::InUse(_) | Error::MemoryOfOther { .. } => ErrorClass::Conflict,
            Error::NoMemory { .. } => ErrorClass::NotFound,
            Error::Work(_) => ErrorClass::Internal,
            Error::Content(error) => error.class(),
            Error::Catalog(error) => error.class(),
            Error::Connect(error) => error.class(),
            Error::Call { class, .. } => *class,
            Error::Policy { source, .. } => source.class(),
            Error::Answer { .. }
            | Error::Address { .. }
            | Error::ForeignUrl { .. }
            | Error::ForeignHttp { .. }
            | Error::ForeignSoap { .. }
            | Error::ForeignScan { .. } => ErrorClass::Invalid,
            Error::NotAClient { .. }
            | Error::InOtherHands { .. }
            | Error::Distrusted { .. }
            | Error::Redirected { .. }
            | Error::Astray { .. } => ErrorClass::Denied,
            Error::Files { .. }
            | Error::Reach { .. }
            | Error::Broken { .. }
            | Error::StartDownloader(_)
            | Error::DownloaderEnded { .. }
            | Error::ForeignReach { .. }
            | Error::Silent { .. }
            | Error::Fetch { .. }
            | Error::Dripping { .. }
            | Error::Slow { .. }
            | Error::Endless { .. }
            | Error::CutOff { .. }
            | Error::Facts(_)
            | Error::Stopping => ErrorClass::Unavailable,
        }
    }

    /// What is stored is not what this client has written, and never will be again.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Error::Store(error)
            | Error::Content(content_library::Error::Index(error))
            | Error::Catalog(update_catalog::Error::Database(error)) => is_database_damaged(error),
            Error::MemoryOfOther { .. } => true,
            error => error.class() == ErrorClass::Corrupt,
        }
    }

    /// Stored by a newer version of the agent, which this one does not understand.
    pub(crate) fn is_of_newer(&self) -> bool {
        matches!(self, Error::Store(sqlite_engine::Error::NewerDatabase { .. }))
    }

    /// The disk is full, or fails: what cannot be written now may be written later.
    pub(crate) fn is_of_disk(&self) -> bool {
        match self {
            // Nothing opens it again in this life.
            Error::Store(sqlite_engine::Error::Closed) => false,
            Error::Store(_) | Error::Content(_) | Error::Files { .. } => {
                matches!(self.class(), ErrorClass::Exhausted | ErrorClass::Unavailable)
            }
            _ => false,
        }
    }

    /// What answered does not speak the protocol; servers of ours say of themselves that they
    /// failed.
    pub(crate) fn is_senseless(&self) -> bool {
        match self {
            Error::Answer { .. } => true,
            Error::Call { is_senseless, .. } => *is_senseless,
            _ => false,
        }
    }

    pub(crate) fn reach(
        url: &str,
    ) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> Error {
        move |source| Error::Reach { url: url.to_owned(), source }
    }

    /// For `map_err` on answers.
    pub(crate) fn answer(url: &str) -> impl FnOnce(Invalid) -> Error {
        move |source| Error::Answer { url: url.to_owned(), source }
    }

    pub(crate) fn call(url: &str) -> impl FnOnce(tonic::Status) -> Error {
        move |status| called::failed(url, &status)
    }

    /// For `map_err` on connections.
    pub(crate) fn unreached(url: &str) -> impl FnOnce(transport::Error) -> Error {
        move |error| called::unreached(url.to_owned(), &error)
    }
}

/// Damaged, of another program or a newer one, or without a table that this one has made.
fn is_database_damaged(error: &sqlite_engine::Error) -> bool {
    use sqlite_engine::Error as Failed;
    match error {
        Failed::ForeignDatabase { .. } | Failed::NewerDatabase { .. } => true,
        Failed::Statement { .. } => matches!(error.fault(), Fault::Corrupt | Fault::Internal),
        _ => error.fault() == Fault::Corrupt,
    }
}
