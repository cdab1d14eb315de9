//! What ends a link's session.

use model::{ErrorClass, Invalid, StreamId};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the site database refused")]
    Database(#[from] site_db::Error),
    #[error("the site database failed")]
    Engine(#[from] sqlite_engine::Error),
    #[error("the neighbor sent something that is no frame")]
    DecodeFrame(#[from] Invalid),
    #[error("the neighbor said {what} before its greeting")]
    NoHello { what: &'static str },
    #[error("the neighbor {found} belongs to another hierarchy or is not {expected}")]
    WrongNeighbor { found: String, expected: String },
    #[error(
        "the neighbor speaks version {found} of replication, this site {known}; upgrade from the \
         top of the hierarchy down"
    )]
    Protocol { found: u32, known: u32 },
    #[error("{stream} does not travel over this link that way")]
    NotRouted { stream: StreamId },
    #[error("{what} of this site changed; the session begins anew")]
    Renew { what: &'static str },
    #[error("the connection failed")]
    Connection(#[source] Box<tonic::Status>),
    #[error("the neighbor is not reachable")]
    Connect(#[from] transport::Error),
    #[error("the neighbor ended the session")]
    Ended,
}

impl Error {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::Database(error) => error.class(),
            Error::Engine(_) => ErrorClass::Internal,
            Error::DecodeFrame(_) | Error::NoHello { .. } | Error::Protocol { .. } => {
                ErrorClass::Invalid
            }
            Error::WrongNeighbor { .. } | Error::NotRouted { .. } => ErrorClass::Denied,
            Error::Connection(status) => rpc::status::class(status),
            Error::Renew { .. } | Error::Connect(_) | Error::Ended => ErrorClass::Unavailable,
        }
    }
}

impl From<tonic::Status> for Error {
    fn from(status: tonic::Status) -> Error {
        Error::Connection(Box::new(status))
    }
}
