//! What can go wrong with a catalog.

use model::{ErrorClass, UpdateRef};
use sqlite_engine::Fault;

use crate::limits;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the update catalog's database failed")]
    Database(#[from] sqlite_engine::Error),
    #[error(
        "a batch of {documents} documents is too large: split it into batches of {}",
        limits::BATCH_DOCUMENTS_MAX
    )]
    ImportBatch { documents: usize },
    #[error("{ids} ids are too many: ask for at most {max}")]
    AskForIds { ids: usize, max: usize },
    #[error("cannot compress or unpack documents")]
    Compression { source: std::io::Error },
    #[error(
        "the stored document of {} revision {} is damaged: {reason}; restore the catalog or \
         synchronize it anew",
        update.id, update.revision
    )]
    ReadDocument { update: UpdateRef, reason: String },
    #[error("what is kept of revision {local_id} for computers is damaged; restore the catalog")]
    ReadFragment { local_id: i64 },
    #[error("catalog version {version} is older than version {latest}, which is complete here")]
    CompleteVersion { version: u64, latest: u64 },
}

impl Error {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::Database(error) => match error.fault() {
                Fault::Invalid => ErrorClass::Invalid,
                Fault::Conflict => ErrorClass::Conflict,
                Fault::Exhausted => ErrorClass::Exhausted,
                Fault::Unavailable => ErrorClass::Unavailable,
                Fault::Corrupt => ErrorClass::Corrupt,
                Fault::Internal => ErrorClass::Internal,
            },
            Error::ImportBatch { .. } | Error::AskForIds { .. } => ErrorClass::Exhausted,
            Error::Compression { .. } => ErrorClass::Internal,
            Error::ReadDocument { .. } | Error::ReadFragment { .. } => ErrorClass::Corrupt,
            Error::CompleteVersion { .. } => ErrorClass::Conflict,
        }
    }
}
