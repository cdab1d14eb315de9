//! The right to issue certificates, while the process runs.
//!
//! Owns the root (at the top only) and one intermediate per site code this site issues for. Refuses
//! to know who may have a certificate, and files: a new intermediate is handed to a function before
//! it is used.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use ambient::Ambient;
use model::SiteCode;
use trust::{Anchor, CertificateDer, Intermediate, KeyPair, PublicKey, Root};

use crate::Error;

/// Makes an intermediate durable.
pub type KeepIntermediate = Arc<
    dyn Fn(&Intermediate) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + Send + Sync,
>;

pub struct Authority {
    anchor: Anchor,
    root: Option<Root>,
    issuers: RwLock<BTreeMap<SiteCode, Arc<Intermediate>>>,
    keep: KeepIntermediate,
}

impl Authority {
    /// `issuers` are the intermediates kept so far; a secondary site has none.
    #[must_use]
    pub fn new(
        anchor: Anchor,
        root: Option<Root>,
        issuers: Vec<Intermediate>,
        keep: KeepIntermediate,
    ) -> Authority {
        let issuers = issuers.into_iter().map(|i| (i.site(), Arc::new(i))).collect();
        Authority { anchor, root, issuers: RwLock::new(issuers), keep }
    }

    #[must_use]
    pub fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    pub(crate) fn issuer(&self, site: SiteCode) -> Option<Arc<Intermediate>> {
        self.issuers.read().unwrap_or_else(PoisonError::into_inner).get(&site).cloned()
    }

    /// The issuer for `site`, or an error that says who to ask.
    pub(crate) fn require(
        &self,
        here: SiteCode,
        site: SiteCode,
    ) -> Result<Arc<Intermediate>, Error> {
        self.issuer(site).ok_or(Error::NotIssuer { here, site })
    }

    /// Issues an intermediate under the root; none where there is no root.
    pub(crate) fn authorize(
        &self,
        ambient: &Ambient,
        site: SiteCode,
        key: &PublicKey,
    ) -> Result<Option<CertificateDer<'static>>, Error> {
        let issue = |root: &Root| root.issue_intermediate(ambient, site, key);
        Ok(self.root.as_ref().map(issue).transpose()?)
    }

    /// Takes an intermediate under this site's own issuing key into use, once it is durable.
    pub(crate) fn adopt(
        &self,
        here: SiteCode,
        certificate: CertificateDer<'static>,
    ) -> Result<(), Error> {
        let key = KeyPair::from_pem(&self.require(here, here)?.key().to_pem())?;
        let intermediate = Intermediate::load(certificate, key)?;
        let site = intermediate.site();
        (self.keep)(&intermediate).map_err(|source| Error::Keep { site, source })?;
        let mut issuers = self.issuers.write().unwrap_or_else(PoisonError::into_inner);
        issuers.insert(site, Arc::new(intermediate));
        Ok(())
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuers = self.issuers.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Authority").field("issuers", &issuers.keys()).finish_non_exhaustive()
    }
}
