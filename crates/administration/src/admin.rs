//! What the administration service works with.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use compliance::BoardHandle;
use model::{ClientId, PeerIdentity, PeerKind, Revocation, SiteCode, SiteKind, SiteRecord};
use model::{Invalid, Timestamp};
use rpc::object::ObjectBody;
use site_db::{Own, Reader, SiteDb, Writer};

use crate::audit::{Deed, audit};
use crate::token::{Order, mint};
use crate::{Authority, Error, Links, Publishing};

/// How this site is called and reached.
#[derive(Clone, Debug)]
pub struct Home {
    pub name: String,
    pub url: String,
}

impl Home {
    /// Type and address of `site`; this site knows its own before its record is here.
    pub(crate) fn place(
        &self,
        r: &Reader<'_>,
        site: SiteCode,
    ) -> Result<(SiteKind, String), Error> {
        if site == r.identity().code() {
            return Ok((r.identity().kind, self.url.clone()));
        }
        let record: SiteRecord = r.require(site.as_str().as_bytes())?;
        Ok((record.kind, record.url))
    }
}

/// Tells clients to do something now, such as to scan; a hint.
pub type Nudge = Arc<dyn Fn(&[ClientId]) + Send + Sync>;

/// What a site that has clients knows and can do about them.
#[derive(Clone)]
pub struct Clients {
    pub board: BoardHandle,
    pub scan: Nudge,
    /// To say everything now.
    pub report: Nudge,
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
    /// None but at the top-level site.
    pub(crate) publishing: Option<Publishing>,
}

impl Admin {
    #[must_use]
    pub fn new(db: SiteDb, authority: Arc<Authority>, home: Home, links: Links) -> Admin {
        Admin { db, authority, home, links, clients: None, publishing: None }
    }

    /// Of the top-level site, which publishes updates of its own.
    #[must_use]
    pub fn with_publishing(self, publishing: Publishing) -> Admin {
        Admin { publishing: Some(publishing), ..self }
    }

    /// Of a site that has clients, or counts those of its children.
    #[must_use]
    pub fn with_clients(self, clients: Clients) -> Admin {
        Admin { clients: Some(clients), ..self }
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Admin({})", self.db.identity().code())
    }
}

/// What a question is answered from: a snapshot, and the service around it.
pub(crate) struct View<'a> {
    pub(crate) admin: &'a Admin,
    pub(crate) reader: &'a Reader<'a>,
}

impl<'a> Deref for View<'a> {
    type Target = Reader<'a>;

    fn deref(&self) -> &Reader<'a> {
        self.reader
    }
}

/// A change by an administrator: one transaction with its audit message.
pub(crate) struct Change<'a> {
    pub(crate) admin: &'a Admin,
    pub(crate) writer: &'a Writer<'a>,
    /// Who makes it, as audit names him.
    pub(crate) account: &'a str,
}

impl<'a> Deref for Change<'a> {
    type Target = Writer<'a>;

    fn deref(&self) -> &Writer<'a> {
        self.writer
    }
}

impl Change<'_> {
    pub(crate) fn audit(&self, deed: Deed, object: impl Into<String>) -> Result<(), Error> {
        audit(self, self.account, deed, object)
    }

    pub(crate) fn mint(&self, order: Order) -> Result<(String, Timestamp), Error> {
        let made_by = (self.admin.db.ambient(), self.admin.authority.anchor());
        mint(self, made_by, self.account, order)
    }

    /// The site that is named, or this one if none is.
    pub(crate) fn site_or_here(&self, name: &str) -> Result<SiteCode, Invalid> {
        if name.is_empty() { Ok(self.identity().code()) } else { name.parse() }
    }

    /// Such a site's type and address, if this one issues certificates for it.
    pub(crate) fn issues_at(&self, site: SiteCode) -> Result<(SiteKind, String), Error> {
        self.admin.authority.require(self.identity().code(), site)?;
        self.admin.home.place(self, site)
    }

    pub(crate) fn delete<T: ObjectBody>(&self, value: &T) -> Result<(), Error> {
        let delete = Own::delete(T::KIND, value.object_id());
        Ok(self.write_own(T::KIND.group(), vec![delete])?)
    }

    /// The revocation of a certificate under this site's authority, audited and yet to be written.
    pub(crate) fn revocation(
        &self,
        (site, kind): (SiteCode, PeerKind),
        id: String,
        reason: String,
    ) -> Result<Revocation, Error> {
        let hierarchy = self.identity().hierarchy;
        let identity = PeerIdentity { hierarchy, site, kind, id }.to_string();
        self.audit(Deed::Removed, identity.clone())?;
        Ok(Revocation { identity, at: self.now(), reason })
    }
}

/// Refuses what only the top-level site does.
pub(crate) fn check_top(r: &Reader<'_>) -> Result<(), Error> {
    if r.identity().is_top() { Ok(()) } else { Err(Error::OnlyTop { top: top_of(r)? }) }
}

/// The code of the top-level site, as far as this site knows it.
pub(crate) fn top_of(r: &Reader<'_>) -> Result<String, Error> {
    if r.identity().is_top() {
        return Ok(r.identity().code().to_string());
    }
    let top = r.list::<SiteRecord>()?.into_iter().find(|(_, site)| site.parent.is_none());
    Ok(top.map_or_else(|| "(not known here yet)".to_owned(), |(_, site)| site.code.to_string()))
}
