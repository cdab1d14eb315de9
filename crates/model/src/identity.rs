//! Who a peer is, as its certificate says.

use std::fmt;
use std::str::FromStr;

use crate::{HierarchyId, Invalid, RoleKind, SiteCode};

/// What kind of peer holds a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerKind {
    Site,
    Role(RoleKind),
    Client,
    Administrator,
}

impl PeerKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            PeerKind::Site => "site",
            PeerKind::Role(kind) => kind.as_str(),
            PeerKind::Client => "client",
            PeerKind::Administrator => "admin",
        }
    }
}

impl FromStr for PeerKind {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<PeerKind, Invalid> {
        match text {
            "site" => Ok(PeerKind::Site),
            "client" => Ok(PeerKind::Client),
            "admin" => Ok(PeerKind::Administrator),
            other => other.parse().map(PeerKind::Role),
        }
    }
}

/// `tierline://<hierarchy>/<site>/<kind>/<id>`, the one URI name of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerIdentity {
    pub hierarchy: HierarchyId,
    /// The site whose intermediate issued the certificate.
    pub site: SiteCode,
    pub kind: PeerKind,
    /// The site's code, the role's or client's id, or the administrator's account name.
    pub id: String,
}

impl fmt::Display for PeerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PeerIdentity { hierarchy, site, kind, id } = self;
        write!(f, "tierline://{hierarchy}/{site}/{}/{id}", kind.as_str())
    }
}

impl FromStr for PeerIdentity {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<PeerIdentity, Invalid> {
        let bad = |why: &str| Invalid::new("peer identity", format!("\"{text}\" {why}"));
        let rest = text.strip_prefix("tierline://").ok_or_else(|| bad("is not a tierline URI"))?;
        let parts: Vec<&str> = rest.split('/').collect();
        let [hierarchy, site, kind, id] = parts[..] else {
            return Err(bad("has not exactly four parts"));
        };
        if id.is_empty() || id.len() > 64 {
            return Err(bad("has an id that is empty or longer than 64 bytes"));
        }
        Ok(PeerIdentity {
            hierarchy: hierarchy.parse()?,
            site: site.parse()?,
            kind: kind.parse()?,
            id: id.to_owned(),
        })
    }
}
