//! What keeps a site server from starting.

use std::path::PathBuf;

use model::{SiteCode, SiteKind};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "this site has not joined a hierarchy: run `join TOKEN` with a token made by \
         `tierline site token`{hint}"
    )]
    NotJoined { hint: &'static str },
    #[error(
        "{path} belongs to {found}, the configuration says {code}; set site.code, or name another \
         data directory", path = path.display()
    )]
    OtherSite { path: PathBuf, found: String, code: SiteCode },
    #[error("a {kind} site cannot be the top of a hierarchy", kind = kind.as_str())]
    NoTop { kind: SiteKind },
    #[error("the membership in pki/ lacks {what}; join again")]
    Membership { what: &'static str },
    #[error("the process's own keys failed")]
    Daemon(#[from] daemon::Error),
    #[error("the site's certificates failed")]
    Trust(#[from] trust::Error),
    #[error("the site database failed")]
    Database(#[from] site_db::Error),
    #[error("the site database failed")]
    Engine(#[from] sqlite_engine::Error),
    #[error("the link to the parent site failed")]
    Link(#[from] site_link::Error),
    #[error("the listener failed")]
    Transport(#[from] transport::Error),
    #[error("the content library failed")]
    Content(#[from] content_library::Error),
    #[error("administration failed")]
    Administration(#[from] administration::Error),
    #[error("the database is not sound: {}", problems.join("; "))]
    Unsound { problems: Vec<String> },
}
