use model::{HierarchyId, PeerIdentity, RoleKind};

use super::*;
use crate::{Intermediate, Root};

#[test]
fn signatures_hold_for_one_purpose_key_and_text() {
    let key = SigningKey::from_seed([7; 32]);
    let signature = key.sign(Purpose::StreamHead, b"head");
    let verify = |purpose, key: &SigningKey, bytes: &[u8]| {
        verify_signature(purpose, &key.public_key(), bytes, &signature)
    };
    assert!(verify(Purpose::StreamHead, &key, b"head").is_ok());
    assert!(verify(Purpose::PolicyHead, &key, b"head").is_err());
    assert!(verify(Purpose::StreamHead, &key, b"tail").is_err());
    assert!(verify(Purpose::StreamHead, &SigningKey::from_seed([8; 32]), b"head").is_err());
    assert_eq!(SigningKey::from_seed(*key.seed()).public_key(), key.public_key());
}

#[test]
fn statements_are_believed_from_the_site_itself_only() {
    let ambient = Ambient::seeded(7, 1_795_168_800_000);
    let now = Timestamp(ambient.now_ms());
    let hierarchy = HierarchyId::from_slice(&[1; 16]).expect("sixteen bytes");
    let site = SiteCode::new("PR1").expect("a good code");
    let root = Root::create(&ambient, hierarchy).expect("a root");
    let authority = KeyPair::generate().expect("a key");
    let issued = root.issue_intermediate(&ambient, site, &authority.public_key());
    let issuer = Intermediate::load(issued.expect("issued"), authority).expect("its key");
    let chain_of = |kind, id: &str, key: &KeyPair| {
        let who = PeerIdentity { hierarchy, site, kind, id: id.to_owned() };
        let leaf = issuer.issue(&ambient, &key.public_key(), &who, &[]).expect("issued");
        [leaf, issuer.certificate().clone()]
    };
    let holder = KeyPair::generate().expect("a key");
    let chain = chain_of(PeerKind::Site, "PR1", &holder);
    let key = SigningKey::generate(&ambient).public_key();
    let statement = sign_statement((site, 3, key), &holder, &chain).expect("stated");
    let verify = |statement: &KeyStatement| verify_statement(statement, root.anchor(), now);
    verify(&statement).expect("the site's own word");

    let mut tampered = statement.clone();
    tampered.key[0] ^= 1;
    assert!(matches!(verify(&tampered), Err(Refused::BadSignature { .. })));
    let mut tampered = statement.clone();
    tampered.epoch += 1;
    assert!(matches!(verify(&tampered), Err(Refused::BadSignature { .. })));
    let mut tampered = statement.clone();
    tampered.site = SiteCode::new("CAS").expect("a good code");
    assert!(matches!(verify(&tampered), Err(Refused::ForeignStatement { .. })));
    let mut tampered = statement;
    tampered.chain.clear();
    assert!(matches!(verify(&tampered), Err(Refused::Nothing)));

    let role = chain_of(PeerKind::Role(RoleKind::DistributionPoint), "dp-1", &holder);
    let statement = sign_statement((site, 3, key), &holder, &role).expect("made");
    assert!(matches!(verify(&statement), Err(Refused::ForeignStatement { .. })));
}
