//! Sites and their roles: the objects of the topology group.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::words::words;
use crate::{Invalid, RoleId, SiteCode, Timestamp};

words! {
    /// How a link between two sites stands (DRS-14).
    LinkState, "link state" {
        Active = "active",
        Degraded = "degraded",
        Failed = "failed",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SiteKind {
    Central,
    Primary,
    Secondary,
}

impl SiteKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SiteKind::Central => "central",
            SiteKind::Primary => "primary",
            SiteKind::Secondary => "secondary",
        }
    }

    /// What a site may stand below: a primary below a central site or alone, a secondary below a
    /// primary, a central site below nothing (HIER-03).
    #[must_use]
    pub fn may_join(self, parent: SiteKind) -> bool {
        matches!(
            (self, parent),
            (SiteKind::Primary, SiteKind::Central) | (SiteKind::Secondary, SiteKind::Primary)
        )
    }
}

impl FromStr for SiteKind {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<SiteKind, Invalid> {
        match text {
            "central" => Ok(SiteKind::Central),
            "primary" => Ok(SiteKind::Primary),
            "secondary" => Ok(SiteKind::Secondary),
            _ => Err(Invalid::new("site kind", format!("\"{text}\" is no kind of site"))),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleKind {
    SoftwareUpdatePoint,
    ManagementPoint,
    DistributionPoint,
}

impl RoleKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RoleKind::SoftwareUpdatePoint => "sup",
            RoleKind::ManagementPoint => "mp",
            RoleKind::DistributionPoint => "dp",
        }
    }
}

impl fmt::Display for RoleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RoleKind {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<RoleKind, Invalid> {
        match text {
            "sup" => Ok(RoleKind::SoftwareUpdatePoint),
            "mp" => Ok(RoleKind::ManagementPoint),
            "dp" => Ok(RoleKind::DistributionPoint),
            _ => Err(Invalid::new("kind", format!("\"{text}\" is no kind of peer"))),
        }
    }
}

/// A site of the hierarchy. A primary's record is owned by the top, a secondary's by its primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteRecord {
    pub code: SiteCode,
    /// Made when the site joins; a code is never given to another site (SITE-03).
    pub uuid: Uuid,
    pub kind: SiteKind,
    pub parent: Option<SiteCode>,
    pub name: String,
    /// Where its children, roles and administrators reach it.
    pub url: String,
}

/// A site system role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRecord {
    pub id: RoleId,
    pub site: SiteCode,
    pub kind: RoleKind,
    pub name: String,
    /// Where its peers reach it over TLS.
    pub url: String,
    /// Where it serves plain HTTP (content, update protocols); empty if it does not.
    pub http_url: String,
    /// When it joined; the first software update point of a site is the one that is synchronized
    /// first (SYNC-22).
    pub joined_at: Timestamp,
}

/// A certificate that is refused everywhere, by the URI of its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    pub identity: String,
    pub at: Timestamp,
    pub reason: String,
}

/// A site's policy signing key, stated under the site's certificate chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStatement {
    pub site: SiteCode,
    pub epoch: u32,
    /// Ed25519 public key.
    pub key: [u8; 32],
    /// The chain (leaf, intermediate) whose leaf key signed this statement, in DER.
    pub chain: Vec<Vec<u8>>,
    pub signature: Vec<u8>,
}
