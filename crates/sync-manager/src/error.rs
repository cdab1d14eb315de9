//! What can go wrong with a synchronization.

use std::path::PathBuf;

use model::{ErrorClass, Invalid, SiteCode};
use site_db::SyncStep;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the site database refused")]
    Database(#[from] site_db::Error),
    #[error("the site database failed")]
    Engine(#[from] site_db::EngineError),
    #[error("the update point sent something that cannot be read")]
    Decode(#[from] Invalid),
    #[error("site {site} has no software update point; let one join with `tierline role token`")]
    NoPoint { site: SiteCode },
    #[error("the parent site {site} has no software update point to synchronize with")]
    NoSource { site: SiteCode },
    #[error(
        "software update point {name} is a replica, which takes its decisions from a foreign \
         server, and cannot be the first of a site; set upstream.mode = \"autonomous\" there"
    )]
    Replica { name: String },
    #[error("software update point {name} is not connected; is it running?")]
    NotConnected { name: String },
    #[error("the connection of the update point was lost; see whether it runs, and its log")]
    PointLost,
    #[error("the update point did not finish within {hours} hours; see its log")]
    Unfinished { hours: u64 },
    #[error("software update point {name} has something else to do")]
    Busy { name: String },
    #[error("{reason}")]
    PointFailed { reason: String, is_transient: bool },
    #[error("the update point answered with something that was not asked")]
    Answer,
    #[error(
        "the update point holds {found} updates, catalog version {version} names {wanted}, and \
         their sets differ"
    )]
    Sets { version: u64, found: u64, wanted: u64 },
    #[error("a synchronization in step {step} cannot go on with: {event}")]
    Transition { step: &'static str, event: String },
    #[error("{found} of site {site} is no software update point of this site")]
    ForeignPoint { found: String, site: SiteCode },
    #[error("the update point said something before its greeting")]
    NoGreeting,
    #[error("cannot watch the inbox {path}", path = path.display())]
    WatchInbox { path: PathBuf, source: notify::Error },
    #[error("back-off")]
    Backoff(#[from] transport::Error),
    #[error("the bundle is not usable")]
    Bundle(#[from] catalog_bundle::Error),
    #[error("nobody asked for the next part of the bundle for a minute; export again")]
    NobodyTakes,
    #[error(
        "the bundle was not fetched within {hours} hours; fetch it over a faster line, or without \
         --content"
    )]
    TooSlow { hours: u64 },
    #[error(
        "a secondary site signs nothing; export at its primary site, or at the top, with --server"
    )]
    NoSigner,
    #[error(
        "the catalog of the update point (version {found}) is not what this site recorded (version \
         {recorded}); synchronize first: `tierline sync run --wait`"
    )]
    OtherCatalog { found: u64, recorded: u64 },
}

impl Error {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::Database(error) => error.class(),
            Error::Engine(_) | Error::Transition { .. } | Error::Backoff(_) => ErrorClass::Internal,
            Error::Decode(_) | Error::NoGreeting | Error::Answer => ErrorClass::Invalid,
            Error::NoPoint { .. } | Error::NoSource { .. } => ErrorClass::NotFound,
            Error::NotConnected { .. }
            | Error::PointLost
            | Error::Unfinished { .. }
            | Error::Busy { .. }
            | Error::PointFailed { .. }
            | Error::WatchInbox { .. } => ErrorClass::Unavailable,
            Error::Bundle(error) => error.class(),
            Error::NobodyTakes | Error::TooSlow { .. } => ErrorClass::Unavailable,
            Error::NoSigner => ErrorClass::Invalid,
            Error::OtherCatalog { .. } => ErrorClass::Conflict,
            Error::Sets { .. } | Error::Replica { .. } => ErrorClass::Conflict,
            Error::ForeignPoint { .. } => ErrorClass::Denied,
        }
    }

    pub(crate) fn transition(step: SyncStep, event: &impl std::fmt::Debug) -> Error {
        Error::Transition { step: step.as_str(), event: format!("{event:?}") }
    }
}
