//! A hierarchy's root and what sites get from it.

use ambient::Ambient;
use model::{HierarchyId, PeerIdentity, PeerKind, SiteCode};
use rpc::object::ObjectBody as _;
use trust::{Anchor, Intermediate, KeyPair, Root, SigningKey, sign_statement};
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
}

impl Pki {
    #[must_use]
    pub fn new(ambient: &Ambient) -> Pki {
        let root = Root::create(ambient, HierarchyId(Uuid::from_u128(7))).expect("a root");
        Pki { ambient: ambient.clone(), root }
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
        let (hierarchy, id) = (self.anchor().hierarchy(), site.to_string());
        let identity = PeerIdentity { hierarchy, site, kind: PeerKind::Site, id };
        let leaf = issuer.issue(&self.ambient, &holder.public_key(), &identity, &[]);
        let chain = [leaf.expect("issued"), issuer.certificate().clone()];
        let signer = SigningKey::generate(&self.ambient);
        let stated = sign_statement((site, 1, signer.public_key()), &holder, &chain);
        SiteKeys { signer, statement: stated.expect("signed").encode() }
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}
