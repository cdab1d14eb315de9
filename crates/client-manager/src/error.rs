//! What a management point or secondary site is refused with.

use model::{ClientId, ClientKind, ErrorClass, Invalid, SiteCode};

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
    #[error("site {site} has no clients; send {client} to a primary site or to a secondary site")]
    NoClients { client: ClientId, site: SiteCode },
    #[error(
        "{} computer {client} registers elsewhere: Windows computers at a software update point, \
         all others at a management point", kind.as_str()
    )]
    OtherVoice { client: ClientId, kind: ClientKind },
    #[error(
        "{client} is the name of another client, of kind {}, and not of one of kind {}; let the \
         computer draw a new one, or remove that client", held.as_str(), kind.as_str()
    )]
    OtherKind { client: ClientId, held: ClientKind, kind: ClientKind },
    #[error("the caller does not say whose clients it speaks for")]
    NoVoice,
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
            Error::Invalid(_) | Error::TooMany { .. } | Error::NoVoice => ErrorClass::Invalid,
            Error::NoClients { .. }
            | Error::ForeignClient { .. }
            | Error::OtherVoice { .. }
            | Error::OtherKind { .. }
            | Error::RemovedClient { .. } => ErrorClass::Conflict,
        }
    }
}

impl From<site_db::EngineError> for Error {
    fn from(error: site_db::EngineError) -> Error {
        Error::Database(error.into())
    }
}
