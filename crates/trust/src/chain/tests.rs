use ambient::Ambient;
use expect_test::expect;
use model::{RoleKind, error_chain};

use super::*;
use crate::{Intermediate, KeyPair, Root};

const NOW_MS: i64 = 1_795_168_800_000;
const YEAR_MS: i64 = 365 * 24 * 60 * 60 * 1000;

fn site(code: &str) -> SiteCode {
    SiteCode::new(code).expect("a good code")
}

fn hierarchy(number: u128) -> HierarchyId {
    HierarchyId::from_slice(&number.to_be_bytes()).expect("sixteen bytes")
}

struct World {
    ambient: Ambient,
    root: Root,
}

impl World {
    fn new(number: u128) -> World {
        let ambient = Ambient::seeded(7, NOW_MS);
        let root = Root::create(&ambient, hierarchy(number)).expect("a root");
        World { ambient, root }
    }

    fn anchor(&self) -> &Anchor {
        self.root.anchor()
    }

    fn intermediate(&self, code: &str, key: KeyPair) -> Intermediate {
        let issued = self.root.issue_intermediate(&self.ambient, site(code), &key.public_key());
        Intermediate::load(issued.expect("an intermediate"), key).expect("its own key")
    }

    fn identity(&self, code: &str, kind: PeerKind, id: &str) -> PeerIdentity {
        let hierarchy = self.anchor().hierarchy();
        PeerIdentity { hierarchy, site: site(code), kind, id: id.to_owned() }
    }

    fn verify(&self, chain: &[CertificateDer<'_>]) -> Result<PeerIdentity, String> {
        self.verify_at(chain, NOW_MS)
    }

    fn verify_at(&self, chain: &[CertificateDer<'_>], now_ms: i64) -> Result<PeerIdentity, String> {
        verify_chain(chain, self.anchor(), Timestamp(now_ms)).map_err(|e| error_chain(&e))
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

/// A leaf by way of a request, as in life.
fn issue(world: &World, issuer: &Intermediate, who: &PeerIdentity) -> Vec<CertificateDer<'static>> {
    let request = key().request().expect("a request");
    let key = crate::PublicKey::from_request(&request).expect("proven");
    let names = ["sup.example".to_owned(), "127.0.0.1".to_owned()];
    let leaf = issuer.issue(&world.ambient, &key, who, &names).expect("issued");
    vec![leaf, issuer.certificate().clone()]
}

#[test]
fn peers_of_every_kind_are_recognized() {
    let world = World::new(1);
    let issuer = world.intermediate("PR1", key());
    for (kind, id) in [
        (PeerKind::Site, "PR1"),
        (PeerKind::Role(RoleKind::SoftwareUpdatePoint), "sup-1"),
        (PeerKind::Client, "c-1"),
        (PeerKind::Administrator, "anna"),
    ] {
        let who = world.identity("PR1", kind, id);
        let mut chain = issue(&world, &issuer, &who);
        assert_eq!(world.verify(&chain), Ok(who.clone()));
        chain.push(world.anchor().root().clone());
        let pinned = verify_pinned(&chain, world.anchor().pin(), hierarchy(1), Timestamp(NOW_MS));
        assert_eq!(pinned.expect("pinned"), (who, world.anchor().clone()));
        assert_eq!(certificates_from_pem(&certificates_to_pem(&chain)).expect("readable"), chain);
    }
}

#[test]
fn a_secondary_is_believed_under_the_key_of_its_primary() {
    let world = World::new(1);
    let primary = world.intermediate("PR1", key());
    let same_key = KeyPair::from_pem(&primary.key().to_pem()).expect("a stored key");
    let secondary = world.intermediate("SE1", same_key);
    let who = world.identity("SE1", PeerKind::Site, "SE1");
    assert_eq!(world.verify(&issue(&world, &secondary, &who)), Ok(who));
}

#[test]
fn a_site_cannot_mint_a_certificate_of_another() {
    let world = World::new(1);
    let primary = world.intermediate("PR1", key());
    let central = world.identity("CAS", PeerKind::Site, "CAS");
    let refused = primary.issue(&world.ambient, &key().public_key(), &central, &[]);
    expect!["site PR1 cannot issue a certificate for tierline://00000000-0000-0000-0000-000000000001/CAS/site/CAS: a site issues for itself"]
        .assert_eq(&refused.expect_err("refused").to_string());

    // A taken-over primary does not ask itself; everybody else refuses what it mints.
    let (issuer, certificate) = (primary.site(), primary.certificate().clone());
    let mut forger = primary;
    forger.site = central.site;
    let forged = forger.issue(&world.ambient, &key().public_key(), &central, &[]).expect("forged");
    let refused = world.verify(&[forged, certificate.clone()]);
    expect!["the certificate of tierline://00000000-0000-0000-0000-000000000001/CAS/site/CAS was issued by site PR1, which issues only for itself"]
        .assert_eq(&refused.expect_err("refused"));

    // Nor can it wear its own code with the id of another site.
    let disguised = world.identity("PR1", PeerKind::Site, "CAS");
    forger.site = issuer;
    let forged = forger.issue(&world.ambient, &key().public_key(), &disguised, &[]);
    assert!(world.verify(&[forged.expect("forged"), certificate]).is_err());
}

#[test]
fn an_intermediate_cannot_make_further_intermediates() {
    let world = World::new(1);
    let primary = world.intermediate("PR1", key());
    let below = key();
    let mut params = rcgen::CertificateParams::default();
    params.subject_alt_names = vec![rcgen::SanType::URI(
        authority_name(hierarchy(1), Some(site("CAS"))).try_into().expect("ASCII"),
    )];
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = rcgen::Issuer::from_ca_cert_der(primary.certificate(), &primary.key().0);
    let made = params.signed_by(&below.0, &issuer.expect("a CA")).expect("signed");
    let made = Intermediate::load(made.into(), below).expect("it looks like one");
    let central = world.identity("CAS", PeerKind::Site, "CAS");
    let mut chain = issue(&world, &made, &central);
    chain.push(primary.certificate().clone());
    let refused = world.verify(&chain).expect_err("refused");
    assert!(
        refused.contains("has no valid path to the root: PathLenConstraintViolated"),
        "{refused}"
    );
}

#[test]
fn foreign_hierarchies_are_named_as_such() {
    let (ours, theirs) = (World::new(1), World::new(2));
    let issuer = theirs.intermediate("PR1", key());
    let chain = issue(&theirs, &issuer, &theirs.identity("PR1", PeerKind::Site, "PR1"));
    expect!["foreign hierarchy: the chain of tierline://00000000-0000-0000-0000-000000000002/PR1/site/PR1 does not end at the root of 00000000-0000-0000-0000-000000000001"]
        .assert_eq(&ours.verify(&chain).expect_err("refused"));

    // The same hierarchy id under another root: somebody made a root of their own.
    let impostor = World::new(1);
    let issuer = impostor.intermediate("PR1", key());
    let mut chain = issue(&impostor, &issuer, &impostor.identity("PR1", PeerKind::Site, "PR1"));
    assert!(ours.verify(&chain).expect_err("refused").starts_with("foreign hierarchy"));
    chain.push(impostor.anchor().root().clone());
    let refused = verify_pinned(&chain, ours.anchor().pin(), hierarchy(1), Timestamp(NOW_MS));
    assert!(matches!(refused, Err(Refused::PinMismatch { .. })), "{refused:?}");
}

#[test]
fn certificates_are_valid_for_their_time() {
    let world = World::new(1);
    let issuer = world.intermediate("PR1", key());
    let lives = |kind, id, years: i64| {
        let chain = issue(&world, &issuer, &world.identity("PR1", kind, id));
        assert!(world.verify_at(&chain, NOW_MS + years * YEAR_MS - 1000).is_ok());
        let half = Validity::of(&chain[0]).expect("readable").renew_at().0 - NOW_MS;
        assert!((half - years * YEAR_MS / 2).abs() <= 60 * 60 * 1000, "{half}");
        world.verify_at(&chain, NOW_MS + years * YEAR_MS + 1000).expect_err("expired")
    };
    lives(PeerKind::Site, "PR1", 2);
    expect!["the certificate of tierline://00000000-0000-0000-0000-000000000001/PR1/client/c-1, or its issuer's, expired at 2027-11-20T10:00:00.000Z"]
        .assert_eq(&lives(PeerKind::Client, "c-1", 1));
    let chain = issue(&world, &issuer, &world.identity("PR1", PeerKind::Client, "c-1"));
    let early = world.verify_at(&chain, NOW_MS - 2 * 60 * 60 * 1000).expect_err("too early");
    assert!(early.contains("is valid only from 2026-11-20T09:00:00.000Z"), "{early}");
}

#[test]
fn nonsense_is_refused() {
    let world = World::new(1);
    assert!(matches!(verify_chain(&[], world.anchor(), Timestamp(0)), Err(Refused::Nothing)));
    let issuer = world.intermediate("PR1", key());
    let chain = issue(&world, &issuer, &world.identity("PR1", PeerKind::Client, "c-1"));
    assert!(world.verify(&chain[..1]).expect_err("no intermediate").starts_with("foreign"));
    assert!(world.verify(&chain[1..]).is_err(), "an intermediate is no peer");
    assert!(certificates_from_pem("nothing").is_err());
    for end in 0..chain[0].len() {
        let cut = CertificateDer::from(chain[0][..end].to_vec());
        assert!(world.verify(&[cut, chain[1].clone()]).is_err());
    }
    let mut request = key().request().expect("a request");
    *request.last_mut().expect("not empty") ^= 1;
    assert!(crate::PublicKey::from_request(&request).is_err(), "its key is not proven");
    assert!(Root::load(world.anchor().root().clone(), key()).is_err(), "not the root's key");
    let broken = world.identity("PR1", PeerKind::Administrator, "a/b");
    assert!(issuer.issue(&world.ambient, &key().public_key(), &broken, &[]).is_err());
}
