//! What the administration service works with.

use std::fmt;
use std::sync::Arc;

use compliance::BoardHandle;
use model::{ClientId, PeerIdentity, SiteCode, SiteKind, SiteRecord, Timestamp};
use site_db::{Reader, SiteDb, Writer};

use crate::token::{Order, mint};
use crate::{Authority, Error, Links};

/// How this site is called and reached.
#[derive(Clone, Debug)]
pub struct Home {
    pub name: String,
    pub url: String,
}

/// Tells clients to scan now; a hint.
pub type Scan = Arc<dyn Fn(&[ClientId]) + Send + Sync>;

/// What a site that has clients knows and can do about them.
#[derive(Clone)]
pub struct Clients {
    pub board: BoardHandle,
    pub scan: Scan,
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").field("board", &self.board).finish_non_exhaustive()
    }
}

/// The administration service of one site server.
#[derive(Clone)]
pub struct Admin {
    pub(crate) db: SiteDb,
    pub(crate) authority: Arc<Authority>,
    pub(crate) home: Home,
    pub(crate) links: Links,
    /// None at a secondary site.
    pub(crate) clients: Option<Clients>,
}

impl Admin {
    #[must_use]
    pub fn new(db: SiteDb, authority: Arc<Authority>, home: Home, links: Links) -> Admin {
        Admin { db, authority, home, links, clients: None }
    }

    /// Of a site that has clients, or counts those of its children.
    #[must_use]
    pub fn with_clients(self, clients: Clients) -> Admin {
        Admin { clients: Some(clients), ..self }
    }

    pub(crate) fn code(&self) -> SiteCode {
        self.db.identity().code()
    }

    pub(crate) fn mint(
        &self,
        w: &Writer<'_>,
        account: &str,
        order: Order,
    ) -> Result<(String, Timestamp), Error> {
        mint(w, (self.db.ambient(), self.authority.anchor()), account, order)
    }

    /// Where `site` is reached; this site knows its own address before its record is here.
    pub(crate) fn url_of(&self, r: &Reader<'_>, site: SiteCode) -> Result<String, Error> {
        if site == self.code() {
            return Ok(self.home.url.clone());
        }
        Ok(r.require::<SiteRecord>(site.as_str().as_bytes())?.url)
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Admin({})", self.code())
    }
}

/// A call of an administrator.
#[derive(Debug)]
pub(crate) struct Call<M> {
    pub(crate) caller: PeerIdentity,
    pub(crate) message: M,
}

impl<M> Call<M> {
    /// The account, as audit names it.
    pub(crate) fn account(&self) -> String {
        self.caller.id.clone()
    }
}

pub(crate) fn site_kind(r: &Reader<'_>, site: SiteCode) -> Result<SiteKind, Error> {
    if site == r.identity().code() {
        return Ok(r.identity().kind);
    }
    Ok(r.require::<SiteRecord>(site.as_str().as_bytes())?.kind)
}

/// The code of the top-level site, as far as this site knows it.
pub(crate) fn top_of(r: &Reader<'_>) -> Result<String, Error> {
    if r.identity().is_top() {
        return Ok(r.identity().code().to_string());
    }
    let top = r.list::<SiteRecord>()?.into_iter().find(|(_, site)| site.parent.is_none());
    Ok(top.map_or_else(|| "(not known here yet)".to_owned(), |(_, site)| site.code.to_string()))
}
