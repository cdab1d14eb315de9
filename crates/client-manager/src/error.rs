//! What a management point or secondary site is refused with.

use model::{ClientId, ErrorClass, Invalid, SiteCode};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the site database refused")]
    Database(#[from] site_db::Error),
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("{count} {what} in one request, of at most {max}; ask in parts")]
    TooMany { what: &'static str, count: usize, max: usize },
    #[error("client {client} is assigned to site {home} and cannot register at site {site}")]
    ForeignClient { client: ClientId, home: SiteCode, site: SiteCode },
    #[error("client {client} was removed; it must join again")]
    RemovedClient { client: ClientId },
}

impl Error {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            // The caller keeps what he has and asks again; a conflict he would give up.
            Error::Database(site_db::Error::NotWritable { .. }) => ErrorClass::Unavailable,
            Error::Database(error) => error.class(),
            Error::Invalid(_) | Error::TooMany { .. } => ErrorClass::Invalid,
            Error::ForeignClient { .. } | Error::RemovedClient { .. } => ErrorClass::Conflict,
        }
    }
}

impl From<site_db::EngineError> for Error {
    fn from(error: site_db::EngineError) -> Error {
        Error::Database(error.into())
    }
}
