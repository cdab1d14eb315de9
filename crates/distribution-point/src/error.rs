//! What can go wrong at a distribution point.

use model::{ErrorClass, Invalid};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the list of packages failed")]
    Manifests(#[from] sqlite_engine::Error),
    #[error("the spool of status messages failed")]
    Spool(#[source] sqlite_engine::Error),
    #[error("the content library failed")]
    Library(#[from] content_library::Error),
    #[error("the site server sent something that cannot be read")]
    Decode(#[from] Invalid),
    #[error("the site server failed")]
    Site(#[source] Box<tonic::Status>),
    #[error("a listener or back-off failed")]
    Transport(#[from] transport::Error),
}

impl Error {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::Manifests(error) | Error::Spool(error) => match error.fault() {
                sqlite_engine::Fault::Invalid => ErrorClass::Invalid,
                sqlite_engine::Fault::Conflict => ErrorClass::Conflict,
                sqlite_engine::Fault::Exhausted => ErrorClass::Exhausted,
                sqlite_engine::Fault::Unavailable => ErrorClass::Unavailable,
                sqlite_engine::Fault::Corrupt => ErrorClass::Corrupt,
                sqlite_engine::Fault::Internal => ErrorClass::Internal,
            },
            Error::Library(error) => error.class(),
            Error::Decode(_) => ErrorClass::Invalid,
            Error::Site(status) => rpc::status::class(status),
            Error::Transport(error) => error.class(),
        }
    }
}

impl From<tonic::Status> for Error {
    fn from(status: tonic::Status) -> Error {
        Error::Site(Box::new(status))
    }
}
