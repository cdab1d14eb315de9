//! What a client is refused with, and what ends the role.

use model::{ClientId, ErrorClass, Invalid};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the store of this management point failed")]
    Store(#[from] sqlite_engine::Error),
    #[error("cannot use a connection or listener")]
    Transport(#[from] transport::Error),
    #[error("the site server does not do what was asked")]
    Site(#[source] Box<tonic::Status>),
    #[error("the site server answered with {what} of something else")]
    SiteAnswer { what: &'static str },
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("client {caller} cannot report for client {named}")]
    OtherClient { caller: String, named: ClientId },
    #[error("{what} holds {count}, of at most {max}; send less at once")]
    TooMuch { what: &'static str, count: usize, max: usize },
}

impl Error {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::Store(error) => match error.fault() {
                sqlite_engine::Fault::Invalid => ErrorClass::Invalid,
                sqlite_engine::Fault::Conflict => ErrorClass::Conflict,
                sqlite_engine::Fault::Exhausted => ErrorClass::Exhausted,
                sqlite_engine::Fault::Unavailable => ErrorClass::Unavailable,
                sqlite_engine::Fault::Corrupt => ErrorClass::Corrupt,
                sqlite_engine::Fault::Internal => ErrorClass::Internal,
            },
            Error::Transport(error) => error.class(),
            Error::Site(status) => rpc::status::class(status),
            Error::SiteAnswer { .. } => ErrorClass::Corrupt,
            Error::Invalid(_) | Error::TooMuch { .. } => ErrorClass::Invalid,
            Error::OtherClient { .. } => ErrorClass::Denied,
        }
    }
}

impl From<tonic::Status> for Error {
    fn from(status: tonic::Status) -> Error {
        Error::Site(Box::new(status))
    }
}
