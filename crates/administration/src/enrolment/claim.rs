//! Requests as values: read once, here, and valid from then on.

use model::{Invalid, PeerKind, RoleKind, Sha256, SiteCode, SiteKind};
use rpc::pb::enrolment::{AuthorizeSecondaryRequest, EnrolRequest};
use trust::{PublicKey, TokenSecret};

use crate::Error;
use crate::token::Presented;

/// A name or address that is longer was not meant as one.
const TEXT_BYTES_MAX: usize = 512;

/// DNS names and addresses of one machine.
const NAMES_MAX: usize = 32;

/// What a joining process presents.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) secret: TokenSecret,
    pub(crate) kind: PeerKind,
    pub(crate) site: SiteCode,
    /// Of a joining site.
    pub(crate) site_kind: Option<SiteKind>,
    pub(crate) key: PublicKey,
    authority_key: Option<PublicKey>,
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) http_url: String,
    names: Vec<String>,
}

impl Claim {
    /// What is wanted for the token, at site `here`.
    pub(crate) fn presented(&self, here: SiteCode) -> Presented {
        Presented {
            hash: self.secret.hash(),
            kind: self.kind,
            site: self.site,
            joins: self.site_kind.map(|kind| (kind, here)),
            key: self.key.digest(),
        }
    }

    pub(crate) fn authority_key(&self) -> Result<&PublicKey, Error> {
        let missing = || Invalid::new("authority_csr", "is missing; a primary sends one").into();
        self.authority_key.as_ref().ok_or_else(missing)
    }

    pub(crate) fn names(&self) -> &[String] {
        names_for(self.kind, &self.names)
    }
}

/// The names a leaf may carry. Windows computers trust them, so nobody gets any whom they do not
/// talk to by name: a taken-over distribution point could pass for the software update point.
pub(crate) fn names_for(kind: PeerKind, names: &[String]) -> &[String] {
    match kind {
        PeerKind::Site | PeerKind::Role(RoleKind::SoftwareUpdatePoint) => names,
        PeerKind::Role(RoleKind::ManagementPoint | RoleKind::DistributionPoint)
        | PeerKind::Client
        | PeerKind::Administrator => &[],
    }
}

pub(crate) fn check_names(names: &[String]) -> Result<(), Error> {
    names.iter().try_for_each(|name| check_text("names", name))?;
    if names.len() > NAMES_MAX {
        let reason = format!("{} names, at most {NAMES_MAX}", names.len());
        return Err(Invalid::new("names", reason).into());
    }
    Ok(())
}

fn check_text(field: &'static str, text: &str) -> Result<(), Error> {
    if text.len() > TEXT_BYTES_MAX {
        let reason = format!("{} bytes, at most {TEXT_BYTES_MAX}", text.len());
        return Err(Invalid::new(field, reason).into());
    }
    Ok(())
}

impl TryFrom<EnrolRequest> for Claim {
    type Error = Error;

    fn try_from(message: EnrolRequest) -> Result<Claim, Error> {
        let EnrolRequest {
            secret,
            kind,
            site,
            csr,
            name,
            url,
            http_url,
            authority_csr,
            site_kind,
            names,
        } = message;
        let kind: PeerKind = kind.parse()?;
        let site_kind: Option<SiteKind> = site_kind.map(|kind| kind.parse()).transpose()?;
        if (kind == PeerKind::Site) != site_kind.is_some() {
            return Err(Invalid::new("site_kind", "is said by sites and nobody else").into());
        }
        check_text("name", &name)?;
        check_text("url", &url)?;
        check_text("http_url", &http_url)?;
        check_names(&names)?;
        Ok(Claim {
            secret: TokenSecret::from_slice(&secret)?,
            kind,
            site: site.parse()?,
            site_kind,
            key: PublicKey::from_request(&csr)?,
            authority_key: authority_csr.map(|csr| PublicKey::from_request(&csr)).transpose()?,
            name,
            url,
            http_url,
            names,
        })
    }
}

/// What a primary asks the top about a joining secondary.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) presented: Presented,
    pub(crate) authority_key: PublicKey,
}

impl Question {
    /// Asked by site `primary`.
    pub(crate) fn read(
        message: AuthorizeSecondaryRequest,
        primary: SiteCode,
    ) -> Result<Question, Error> {
        // Name and address go into the record, which is the primary's.
        let AuthorizeSecondaryRequest { secret, site, name: _, url: _, key_digest, authority_csr } =
            message;
        let presented = Presented {
            hash: TokenSecret::from_slice(&secret)?.hash(),
            kind: PeerKind::Site,
            site: site.parse()?,
            joins: Some((SiteKind::Secondary, primary)),
            key: Sha256::from_slice(&key_digest)?,
        };
        Ok(Question { presented, authority_key: PublicKey::from_request(&authority_csr)? })
    }
}
