use std::path::Path;

use ambient::Ambient;
use model::{HierarchyId, ObjectCode, Owner, SiteKind, UpdateGroup, UpdateRef};
use site_db::{Executor, Identity};
use testkit::pki::Pki;
use uuid::Uuid;

use super::*;

fn open() -> SiteDb {
    let ambient = Ambient::seeded(1, 30 * DAY_MS);
    let pki = Pki::new(&ambient);
    let code: model::SiteCode = "CAS".parse().expect("a good code");
    let owner = Owner { code, uuid: Uuid::from_u128(5) };
    let hierarchy = HierarchyId(Uuid::from_u128(6));
    let identity = Identity { hierarchy, owner, kind: SiteKind::Primary, parent: None };
    let keys = (pki.site(code).signer, pki.anchor().clone());
    SiteDb::open(Path::new(":memory:"), Executor::Inline, identity, keys, ambient).expect("opens")
}

/// Symptom: a group that replicated here while a cleanup was at work kept a bundle whose parts were
/// deleted. Cause: every batch looked only whether a group names the very updates of the batch.
/// Repair: when groups changed, what may go is found anew.
#[tokio::test]
async fn a_group_that_comes_meanwhile_keeps_the_parts_of_its_bundle() {
    let db = open();
    let (part, mut bundle) = (testkit::objects::item(1), testkit::objects::item(2));
    let part = Item { hidden: true, ..part };
    let UpdateRef { id, .. } = bundle.update;
    bundle.bundles = vec![part.update];
    (bundle.expired, bundle.expired_at) = (true, Some(Timestamp(0)));
    let own = vec![Own::put(&part), Own::put(&bundle)];
    db.write(move |w| w.write_own(Group::Catalog, own)).await.expect("written");
    let Plan { updates, position, assigned } = db.read(plan).await.expect("read");
    assert_eq!(updates, [part.update.id, id]);
    let code = ObjectCode::numbered("PR1".parse().expect("a good code"), 1).expect("small");
    let group = UpdateGroup::plain(code, "Late".to_owned(), vec![id]);
    db.write(move |w| w.put_own(&group)).await.expect("written");
    let run = db.write(|w| w.begin_cleanup("ann", 2)).await.expect("written");
    let late = move |w: &Writer<'_>| delete(w, run, &updates, (position, &assigned));
    let done = db.write(late).await.expect("written");
    assert!(matches!(done, Batch::Outdated));
    assert!(db.read(plan).await.expect("read").updates.is_empty());
}

/// Symptom: an expired servicing stack left every catalog, and each update that has to have it was
/// unknown everywhere from then on. Cause: cleanup did not read prerequisites. Repair: it does.
#[tokio::test]
async fn what_another_update_has_to_have_stays() {
    let db = open();
    let (mut stack, mut update) = (testkit::objects::item(1), testkit::objects::item(2));
    (stack.expired, stack.expired_at) = (true, Some(Timestamp(0)));
    update.prerequisites = vec![stack.update.id, UpdateId(Uuid::from_u128(77))];
    let own = vec![Own::put(&stack), Own::put(&update)];
    db.write(move |w| w.write_own(Group::Catalog, own)).await.expect("written");
    assert!(db.read(plan).await.expect("read").updates.is_empty());
    (update.expired, update.expired_at) = (true, Some(Timestamp(0)));
    let both = vec![stack.update.id, update.update.id];
    db.write(move |w| w.put_own(&update)).await.expect("written");
    assert_eq!(db.read(plan).await.expect("read").updates, both);
}
