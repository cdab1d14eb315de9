use ambient::Ambient;
use model::HierarchyId;

use super::*;

#[test]
fn a_publisher_is_kept_and_its_signatures_hold() {
    let ambient = Ambient::seeded(1, 1_700_000_000_000);
    let made = Publisher::create(&ambient, HierarchyId(ambient.random_id())).expect("is made");
    let key = KeyPair::from_pem(&made.key().to_pem()).expect("reads");
    let kept = Publisher::load(made.certificate().clone(), key).expect("belong together");
    let signature = kept.sign(b"a file").expect("signs");
    assert!(verify_published(made.certificate(), b"a file", &signature));
    assert!(!verify_published(made.certificate(), b"another", &signature));
    assert!(!verify_published(b"no certificate", b"a file", &signature));
    let other = KeyPair::generate().expect("is made");
    let refused = Publisher::load(made.certificate().clone(), other).expect_err("is refused");
    assert!(matches!(refused, Error::ForeignKey { .. }));
}
