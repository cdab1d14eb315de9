//! What can be wrong with a state vector.

use model::{ClientId, ErrorClass};

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(
        "state vector is damaged at byte {at}: {reason}; the client's next full report replaces it"
    )]
    DecodeVector { at: usize, reason: &'static str },
    #[error("state vector has version {version}, made by a newer site; upgrade this site first")]
    UnknownVersion { version: u8 },
    #[error("state vector of client {client} cannot be encoded: {reason}")]
    EncodeVector { client: ClientId, reason: &'static str },
}

impl Error {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::DecodeVector { .. } => ErrorClass::Corrupt,
            Error::UnknownVersion { .. } => ErrorClass::Invalid,
            Error::EncodeVector { .. } => ErrorClass::Internal,
        }
    }
}
