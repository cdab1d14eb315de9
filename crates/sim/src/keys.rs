//! Keys of a small hierarchy, made once per process: drawing certificates costs more than a run.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use ambient::Ambient;
use model::{HierarchyId, Owner, PeerIdentity, PeerKind, SiteCode, SiteKind};
use site_db::Identity;
use trust::{Anchor, Intermediate, KeyPair, Root, SigningKey, sign_statement};
use uuid::Uuid;

/// What one site needs to open its database.
#[derive(Clone, Debug)]
pub struct SiteKeys {
    pub identity: Identity,
    pub seed: [u8; 32],
    /// Encoded key statement.
    pub statement: Vec<u8>,
}

/// All keys of CAS above PR1 and PR2, with SE1 below PR1.
#[derive(Debug)]
pub struct Keys {
    pub anchor: Anchor,
    pub sites: BTreeMap<SiteCode, SiteKeys>,
}

/// The sites of the model and their parents.
pub(crate) const SITES: [(&str, SiteKind, Option<&str>); 4] = [
    ("CAS", SiteKind::Central, None),
    ("PR1", SiteKind::Primary, Some("CAS")),
    ("PR2", SiteKind::Primary, Some("CAS")),
    ("SE1", SiteKind::Secondary, Some("PR1")),
];

pub(crate) fn code(text: &str) -> SiteCode {
    SiteCode::new(text).expect("the codes of the model are good")
}

impl Keys {
    pub fn get() -> &'static Keys {
        static KEYS: OnceLock<Keys> = OnceLock::new();
        KEYS.get_or_init(|| make().expect("certificates can be made in memory"))
    }
}

fn make() -> Result<Keys, trust::Error> {
    let ambient = Ambient::seeded(1, START_MS);
    let hierarchy = HierarchyId(Uuid::from_u128(1));
    let root = Root::create(&ambient, hierarchy)?;
    let mut sites = BTreeMap::new();
    for (number, (site, kind, parent)) in (2_u128..).zip(SITES) {
        let owner = Owner { code: code(site), uuid: Uuid::from_u128(number) };
        let key = KeyPair::generate()?;
        let certificate = root.issue_intermediate(&ambient, owner.code, &key.public_key())?;
        let intermediate = Intermediate::load(certificate, key)?;
        let holder = KeyPair::generate()?;
        let peer = PeerIdentity {
            hierarchy,
            site: owner.code,
            kind: PeerKind::Site,
            id: owner.code.to_string(),
        };
        let leaf = intermediate.issue(&ambient, &holder.public_key(), &peer, &[])?;
        let chain = [leaf, intermediate.certificate().clone()];
        let signer = SigningKey::generate(&ambient);
        let stated = (owner.code, 1, signer.public_key());
        let statement = sign_statement(stated, &holder, &chain)?;
        let identity = Identity { hierarchy, owner, kind, parent: parent.map(code) };
        let statement = rpc::object::ObjectBody::encode(&statement);
        sites.insert(owner.code, SiteKeys { identity, seed: *signer.seed(), statement });
    }
    Ok(Keys { anchor: root.anchor().clone(), sites })
}

/// When the worlds begin.
pub(crate) const START_MS: i64 = 1_795_000_000_000;
