//! A hierarchy's root and what sites get from it.

use std::sync::Arc;

use ambient::{Ambient, ManualClock, SystemEntropy};
use model::{HierarchyId, PeerIdentity, PeerKind, SiteCode};
use rpc::object::ObjectBody as _;
use transport::Credentials;
use trust::{Anchor, CertificateDer, Intermediate, KeyPair, Root, SigningKey, sign_statement};
use uuid::Uuid;

/// A root with the keys of its sites.
#[derive(Debug)]
pub struct Pki {
    ambient: Ambient,
    root: Root,
}

/// What a site server holds.
#[derive(Debug)]
pub struct SiteKeys {
    pub signer: SigningKey,
    /// The encoded statement of that key.
    pub statement: Vec<u8>,
    site: SiteCode,
    /// Issues the certificates of those who join it.
    pub issuer: Arc<Intermediate>,
}

impl Pki {
    #[must_use]
    pub fn new(ambient: &Ambient) -> Pki {
        let root = Root::create(ambient, HierarchyId(Uuid::from_u128(7))).expect("a root");
        Pki { ambient: ambient.clone(), root }
    }

    /// As [`Pki::new`], at a moment that stays.
    #[must_use]
    pub fn at(now_ms: i64) -> Pki {
        let clock = Arc::new(ManualClock::at(now_ms));
        Pki::new(&Ambient::new(clock, Arc::new(SystemEntropy)))
    }

    #[must_use]
    pub fn anchor(&self) -> &Anchor {
        self.root.anchor()
    }

    /// A fresh signing key of a site, stated under the root.
    #[must_use]
    pub fn site(&self, site: SiteCode) -> SiteKeys {
        let (authority, holder) = (key(), key());
        let issued = self.root.issue_intermediate(&self.ambient, site, &authority.public_key());
        let issuer = Intermediate::load(issued.expect("issued"), authority).expect("its key");
        let chain = self.chain((site, &issuer), PeerKind::Site, &site.to_string(), &holder);
        let signer = SigningKey::generate(&self.ambient);
        let stated = sign_statement((site, 1, signer.public_key()), &holder, &chain);
        let (statement, issuer) = (stated.expect("signed").encode(), Arc::new(issuer));
        SiteKeys { signer, statement, site, issuer }
    }

    /// What a process of `site` joined with.
    #[must_use]
    pub fn credentials(&self, keys: &SiteKeys, kind: PeerKind, id: &str) -> Credentials {
        let (own, anchor) = (key(), self.anchor().clone());
        let chain = self.chain((keys.site, &*keys.issuer), kind, id, &own);
        Credentials::new(self.ambient.clone(), anchor, &chain, &own).expect("its own certificate")
    }

    fn chain(
        &self,
        (site, issuer): (SiteCode, &Intermediate),
        kind: PeerKind,
        id: &str,
        key: &KeyPair,
    ) -> [CertificateDer<'static>; 2] {
        let (hierarchy, id) = (self.anchor().hierarchy(), id.to_owned());
        let identity = PeerIdentity { hierarchy, site, kind, id };
        let leaf = issuer.issue(&self.ambient, &key.public_key(), &identity, &[]);
        [leaf.expect("issued"), issuer.certificate().clone()]
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}
