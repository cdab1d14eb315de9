//! What can go wrong with the content of a site.

use model::{ErrorClass, Invalid, Sha1};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the site database refused")]
    Database(#[from] site_db::Error),
    #[error("the site database failed")]
    Engine(#[from] site_db::EngineError),
    #[error("the content library failed")]
    Library(#[from] content_library::Error),
    #[error("a message cannot be read")]
    Decode(#[from] Invalid),
    #[error("the parent site failed")]
    Parent(#[source] Box<tonic::Status>),
    #[error("back-off")]
    Backoff(#[from] transport::Error),
    #[error("no package of this site wants a file with SHA-1 {sha1}")]
    Unwanted { sha1: Sha1 },
    #[error("the upload is refused")]
    Upload { source: content_library::Error },
    #[error("{peer} speaks of {what}, which is not its own")]
    Foreign { peer: String, what: String },
}

impl Error {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::Database(error) => error.class(),
            Error::Library(error) => error.class(),
            Error::Engine(_) | Error::Backoff(_) => ErrorClass::Internal,
            Error::Decode(_) => ErrorClass::Invalid,
            Error::Parent(status) => rpc::status::class(status),
            Error::Unwanted { .. } => ErrorClass::NotFound,
            // Damaged on the way is the sender's concern, not damage here.
            Error::Upload { source } => match source.class() {
                ErrorClass::Corrupt => ErrorClass::Invalid,
                class => class,
            },
            Error::Foreign { .. } => ErrorClass::Denied,
        }
    }
}

impl From<tonic::Status> for Error {
    fn from(status: tonic::Status) -> Error {
        Error::Parent(Box::new(status))
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> tonic::Status {
        let class = error.class();
        if matches!(class, ErrorClass::Internal | ErrorClass::Corrupt) {
            tracing::error!(error = %model::error_chain(&error), "a content call failed");
        }
        rpc::status::from_error(class, &error)
    }
}
