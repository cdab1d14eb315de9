//! What can go wrong in the site database.

use model::{ErrorClass, Invalid, Position, StreamId};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the site database failed")]
    Engine(#[from] sqlite_engine::Error),
    #[error(
        "a stored {what} cannot be read; run `check`, then restore or let replication repair it"
    )]
    DecodeStored { what: &'static str, source: Invalid },
    #[error("the database belongs to site {found}, this process is configured as {expected}")]
    ForeignDatabase { found: String, expected: String },
    #[error("{stream} is at {at:?}, the batch starts at {start:?}")]
    BatchStart { stream: StreamId, at: Position, start: Position },
    #[error("{stream} continues with {expected}, the batch brings {found}")]
    BatchOrder { stream: StreamId, expected: u64, found: u64 },
    #[error("the batch speaks of {stream}, which it does not start")]
    BatchStream { stream: StreamId },
    #[error("{stream} has another digest at {seq} than its sender says; nothing was committed")]
    Digest { stream: StreamId, seq: u64 },
    #[error(
        "the owner's signature of {stream} at {seq} is missing or wrong; nothing was committed"
    )]
    Signature { stream: StreamId, seq: u64 },
    #[error("the key statement of site {site} is refused")]
    Statement { site: String, source: trust::Refused },
    #[error("object {id} of {stream} is already owned by {owner}; only its owner writes it")]
    ForeignObject { stream: StreamId, id: String, owner: String },
    #[error("{stream} is not writable: {why}")]
    NotWritable { stream: StreamId, why: &'static str },
    #[error("the body of {what} has {size} bytes of at most {limit}")]
    BodySize { what: String, size: usize, limit: usize },
    #[error("an object of {stream} does not match its hash; the walk starts over")]
    WalkObject { stream: StreamId },
    #[error("there is no {what} {id}")]
    NotFound { what: &'static str, id: String },
    #[error("{what}")]
    Conflict { what: String },
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl Error {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::Engine(error) => match error.fault() {
                sqlite_engine::Fault::Invalid => ErrorClass::Invalid,
                sqlite_engine::Fault::Conflict => ErrorClass::Conflict,
                sqlite_engine::Fault::Exhausted => ErrorClass::Exhausted,
                sqlite_engine::Fault::Unavailable => ErrorClass::Unavailable,
                sqlite_engine::Fault::Corrupt => ErrorClass::Corrupt,
                sqlite_engine::Fault::Internal => ErrorClass::Internal,
            },
            Error::DecodeStored { .. } => ErrorClass::Corrupt,
            Error::BatchStart { .. }
            | Error::BatchOrder { .. }
            | Error::BatchStream { .. }
            | Error::Invalid(_)
            | Error::WalkObject { .. }
            | Error::BodySize { .. } => ErrorClass::Invalid,
            Error::Signature { .. } | Error::Statement { .. } => ErrorClass::Denied,
            Error::ForeignDatabase { .. }
            | Error::Digest { .. }
            | Error::ForeignObject { .. }
            | Error::NotWritable { .. }
            | Error::Conflict { .. } => ErrorClass::Conflict,
            Error::NotFound { .. } => ErrorClass::NotFound,
        }
    }

    pub(crate) fn stored(what: &'static str) -> impl FnOnce(Invalid) -> Error {
        move |source| Error::DecodeStored { what, source }
    }
}
