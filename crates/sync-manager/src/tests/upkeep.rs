//! What is declined, what expires and what is deleted, over real sessions and a real database.

use std::path::Path;
use std::process::Command;

use ambient::{Ambient, ManualClock, SeededEntropy};
use model::{
    Category, CategoryKind, Cleaned, Group, Item, ObjectCode, Owner, Ruled, Ruling, UpdateGroup,
    UpdateId, UpdateRef, Verdict,
};
use site_db::{Executor, Identity, Own, StatusFilter, own_ruling};
use testkit::pki::Pki;

use super::*;
use crate::cleanup::Cleaner;

const DAY_MS: i64 = 24 * 3_600_000;
/// The time of a world.
const NOW: i64 = 1_795_168_800_000;

fn id(number: u32) -> UpdateId {
    item(number, 1).update.id
}

/// The item of an update that expired so many days ago.
fn expired(number: u32, days: i64) -> Item {
    let expired_at = Some(Timestamp(NOW - days * DAY_MS));
    let numbered = Item { number, since: 1, ..item(number, 100) };
    Item { expired: true, expired_at, ..numbered }
}

fn group(updates: &[u32]) -> UpdateGroup {
    let code = ObjectCode::numbered(site("PR1"), 1).expect("small");
    let updates = updates.iter().copied().map(id).collect();
    UpdateGroup::plain(code, "Patches".to_owned(), updates)
}

impl World {
    async fn synchronize(&self, number: u64, is_full: bool) -> SyncStep {
        self.ask(is_full).await.expect("at the top");
        self.until_ended(number).await;
        self.db.read(|r| r.sync_run()).await.expect("read").expect("it has run").step
    }

    async fn rule(&self, number: u32, ruled: Ruled) {
        let own = own_ruling(id(number), ruled).into_iter().collect();
        self.db.write(|w| w.write_own(Group::Catalog, own)).await.expect("written");
    }

    async fn ruling(&self, number: u32) -> Option<Ruling> {
        self.db.read(move |r| r.get(id(number).as_bytes())).await.expect("read")
    }

    async fn find(&self, number: u32) -> Option<Item> {
        self.db.read(move |r| r.get(id(number).as_bytes())).await.expect("read")
    }

    /// Once every update point knows these declined and these dropped.
    async fn until_told(&self, declined: &[u32], dropped: &[u32]) {
        let ids = |numbers: &[u32]| numbers.iter().copied().map(id).collect::<Vec<_>>();
        let (declined, dropped) = (ids(declined), ids(dropped));
        let knows = |point: &world::FakePoint| {
            let catalog = point.catalog();
            let all = |is_it: fn(&rpc::pb::update_point::Ruling) -> bool| -> Vec<UpdateId> {
                let found = catalog.rulings.iter().filter(|(_, ruling)| is_it(ruling));
                found.map(|(id, _)| *id).collect()
            };
            all(|r| r.declined) == declined && all(|r| r.dropped.is_some()) == dropped
        };
        while !self.points.iter().all(knows) {
            tokio::task::yield_now().await;
        }
    }

    async fn until_cleaned(&self, number: u64) -> site_db::CleanupRun {
        self.until(move |r| {
            let run = r.cleanup_run().expect("read");
            run.is_some_and(|run| run.number >= number && run.ended_at.is_some())
        })
        .await;
        self.db.read(|r| r.cleanup_run()).await.expect("read").expect("it has run")
    }

    async fn clean(&self, number: u64) -> site_db::CleanupRun {
        self.db.write(|w| w.request_cleanup("ann")).await.expect("at the top");
        self.until_cleaned(number).await
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_declined_is_told_to_every_update_point_without_a_synchronization() {
    let mut world = World::new("CAS", None, 2).await;
    for point in &world.points {
        point.catalog().items = vec![item(1, 100), item(2, 100)];
    }
    world.start();
    assert_eq!(world.synchronize(1, false).await, SyncStep::Succeeded);
    let decline = |n| Ruling::new(id(n), Verdict::Declined, "ann", Timestamp(0));
    world.rule(1, Ruled::Put(decline(1))).await;
    world.until_told(&[1], &[]).await;
    world.rule(2, Ruled::Put(decline(2))).await;
    world.until_told(&[1, 2], &[]).await;
    world.rule(1, Ruled::Removed).await;
    world.until_told(&[2], &[]).await;

    // Whoever comes back and knows it is not told again; another catalog is.
    let before = world.points[0].catalog().orders.len();
    world.stop().await;
    world.points[1].catalog().rulings.clear();
    let forget = |w: &site_db::Writer<'_>| {
        let points = w.update_points(site("CAS"))?;
        let other = site_db::SyncPoint { server_id: vec![7; 16], ..Default::default() };
        w.save_sync_point(points[1].id, &other)
    };
    world.db.write(forget).await.expect("written");
    world.start();
    world.until_told(&[2], &[]).await;
    assert_eq!(world.points[0].catalog().orders.len(), before);
    // It is a version, so that agents that look hear of it.
    assert_eq!(world.synchronize(2, false).await, SyncStep::Succeeded);
    assert_eq!(world.version().await.version, 2);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_rule_expires_is_declined_and_an_administrator_keeps_it_in_spite_of_it() {
    let mut world = World::new("CAS", None, 1).await;
    let (mut newer, mut feature) = (item(3, 100), item(2, 100));
    newer.supersedes = vec![id(1), id(2)];
    newer.created_at = Timestamp(NOW);
    feature.classification = Some(model::FEATURE_UPDATES);
    world.points[0].catalog().items = vec![item(1, 100), feature, newer];
    let rule = SupersedenceRule { months: Some(0), feature_months: Some(12) };
    world.db.write(move |w| w.set_supersedence_rule(rule)).await.expect("at the top");
    world.start();
    assert_eq!(world.synchronize(1, true).await, SyncStep::Succeeded);
    world.until_told(&[1], &[]).await;
    let old = world.find(1).await.expect("it stays in the catalog");
    assert_eq!((old.expired, old.expired_at), (true, Some(Timestamp(NOW))));
    assert!(!world.find(2).await.expect("here").expired, "feature updates have their own rule");

    let ruling = world.ruling(1).await.expect("it is ruled");
    assert_eq!((ruling.verdict, ruling.by.as_str()), (Verdict::Superseded, ""));
    let kept = Item { expired: false, expired_at: None, ..old };
    world.db.write(move |w| w.put_own(&kept)).await.expect("written");
    world.rule(1, ruling.reinstate("ann", Timestamp(NOW))).await;
    world.until_told(&[], &[]).await;
    assert_eq!(world.synchronize(2, true).await, SyncStep::Succeeded);
    assert!(!world.find(1).await.expect("here").expired, "the rule has no say");

    // A later revision of a declined one starts anew, unless it is due again.
    world.rule(1, Ruled::Removed).await;
    assert_eq!(world.synchronize(3, true).await, SyncStep::Succeeded);
    assert!(world.find(1).await.expect("here").expired);
    world.points[0].catalog().items[2].supersedes.clear();
    world.points[0].catalog().items[2].update.revision = 101;
    world.points[0].catalog().items[0].update.revision = 101;
    assert_eq!(world.synchronize(4, true).await, SyncStep::Succeeded);
    world.until_told(&[], &[]).await;
    assert_eq!((world.find(1).await.expect("here").expired, world.ruling(1).await), (false, None));
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn cleanup_deletes_what_expired_long_ago_and_is_in_no_group() {
    let mut world = World::new("CAS", None, 1).await;
    let mut items = vec![item(1, 100), item(2, 100), item(3, 100), item(4, 100), item(5, 100)];
    for item in &mut items[1..] {
        item.expired = true;
    }
    world.points[0].catalog().items = items;
    world.start();
    assert_eq!(world.synchronize(1, false).await, SyncStep::Succeeded);
    let first = world.until_cleaned(1).await;
    assert_eq!((first.deleted, first.reason.as_str()), (0, "every hour"));
    world.db.write(|w| w.put_own(&group(&[2]))).await.expect("written");
    let kept = Ruling::new(id(3), Verdict::Kept, "ann", Timestamp(NOW));
    world.rule(3, Ruled::Put(kept)).await;

    world.clock.advance_ms(7 * DAY_MS - 1);
    let number = world.db.read(|r| r.cleanup_run()).await.expect("read").map_or(0, |r| r.number);
    assert_eq!(world.clean(number + 1).await.deleted, 0, "not yet seven days");
    world.clock.advance_ms(1_000);
    let number = world.db.read(|r| r.cleanup_run()).await.expect("read").map_or(0, |r| r.number);
    let run = world.clean(number + 1).await;
    assert_eq!((run.total, run.done, run.deleted), (2, 2, 2));
    let mut here = Vec::new();
    for number in 1..=5 {
        here.push(world.find(number).await.is_some());
    }
    assert_eq!(here, [true, true, true, false, false]);
    let filter = StatusFilter::default();
    let said = world.db.read(move |r| r.status_messages(&filter, 100)).await.expect("read");
    let said: Vec<_> = said.iter().filter(|(_, m)| m.id == 60_130).collect();
    assert_eq!((said.len(), said[0].1.strings.clone()), (1, vec!["2".to_owned(), "2".to_owned()]));

    // Catalogs let it go with the next version, not before: their sets are compared with this one.
    assert_eq!(world.points[0].catalog().items.len(), 5);
    assert_eq!(world.synchronize(2, false).await, SyncStep::Succeeded);
    world.until_told(&[], &[4, 5]).await;
    assert_eq!((world.version().await.version, world.version().await.items), (2, 3));
    assert_eq!(
        world.ruling(4).await.expect("remembered").cleaned,
        Some(Cleaned { revision: 100, number: 4, version: 2 })
    );

    // A later revision brings it back, with its number; new to every client.
    world.points[0].catalog().items.push(item(4, 101));
    assert_eq!(world.synchronize(3, false).await, SyncStep::Succeeded);
    let back = world.find(4).await.expect("it is back");
    assert_eq!((back.number, back.since, back.expired), (4, 3, false));
    assert_eq!(world.ruling(4).await, None);
    world.until_told(&[], &[5]).await;
    world.stop().await;
}

/// Symptom: a synchronization that took the whole catalog of an update point deleted updates that
/// were deployed, if the point did not have them any more. Cause: whatever the catalog did not name
/// was deleted. Repair: what a group names stays, expired and marked, until nothing names it.
#[tokio::test(start_paused = true)]
async fn a_full_synchronization_does_not_delete_what_is_deployed() {
    let mut world = World::new("CAS", None, 1).await;
    world.points[0].catalog().items = vec![item(1, 100), item(2, 100), item(3, 100)];
    world.start();
    assert_eq!(world.synchronize(1, true).await, SyncStep::Succeeded);
    world.db.write(|w| w.put_own(&group(&[1]))).await.expect("written");
    let lost: Vec<Item> = world.points[0].catalog().items.drain(..2).collect();
    for number in [2, 3] {
        assert_eq!(world.synchronize(number, true).await, SyncStep::Succeeded);
        let deployed = world.find(1).await.expect("it is deployed");
        assert_eq!((deployed.expired, deployed.withdrawn), (true, true));
        assert_eq!(deployed.expired_at, Some(Timestamp(NOW)));
        assert_eq!(world.find(2).await, None);
        assert_eq!((world.version().await.version, world.version().await.items), (2, 1));
    }
    // It comes back as it was.
    world.points[0].catalog().items.splice(0..0, lost);
    assert_eq!(world.synchronize(4, true).await, SyncStep::Succeeded);
    let back = world.find(1).await.expect("here");
    assert_eq!((back.number, back.expired, back.withdrawn), (1, false, false));
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_family_brings_its_products_also_those_that_come_later() {
    let mut world = World::new("CAS", None, 1).await;
    let category = |number: u32, kind, parent: Option<u32>, subscribed| {
        let update = UpdateRef { id: id(number), revision: 1 };
        let parent = parent.map(id);
        Category { update, kind, parent, texts: Vec::new(), subscribed, since: 0 }
    };
    let family = category(901, CategoryKind::ProductFamily, None, false);
    let product = category(902, CategoryKind::Product, Some(901), false);
    let classification = category(903, CategoryKind::Classification, None, false);
    world.points[0].catalog().items = vec![item(1, 100)];
    world.points[0].catalog().categories =
        vec![family.clone(), product.clone(), classification.clone()];
    world.start();
    assert_eq!(world.synchronize(1, false).await, SyncStep::Succeeded);
    assert!(world.points[0].catalog().told.products.is_empty(), "nothing is chosen");
    let choose = move |w: &site_db::Writer<'_>| {
        for chosen in [family, classification] {
            let held: Category = w.require(chosen.update.id.as_bytes())?;
            w.put_own(&Category { subscribed: true, ..held })?;
        }
        Ok::<_, site_db::Error>(())
    };
    world.db.write(choose).await.expect("written");
    assert_eq!(world.synchronize(2, false).await, SyncStep::Succeeded);
    let asked = |numbers: &[u32]| -> Vec<Vec<u8>> {
        numbers.iter().map(|n| id(*n).as_bytes().to_vec()).collect()
    };
    assert_eq!(world.points[0].catalog().told.products, asked(&[901, 902]));
    assert_eq!(world.points[0].catalog().told.classifications, asked(&[903]));

    // A product that appears is asked for at once, and marked with the version that brought it.
    let later = category(904, CategoryKind::Product, Some(901), false);
    world.points[0].catalog().categories.push(later);
    assert_eq!(world.synchronize(3, false).await, SyncStep::Succeeded);
    world.until_ended(4).await;
    let run = world.db.read(|r| r.sync_run()).await.expect("read").expect("it has run");
    assert_eq!((run.number, run.reason.as_str()), (4, "new products of what is subscribed"));
    assert_eq!(world.points[0].catalog().told.products, asked(&[901, 902, 904]));
    let found: Vec<Category> = {
        let all = world.db.read(|r| r.list::<Category>()).await.expect("read");
        all.into_iter().map(|(_, category)| category).collect()
    };
    assert_eq!(found.iter().map(|c| c.since).collect::<Vec<_>>(), [1, 1, 1, 3]);
    world.stop().await;
}

/// Symptom: a product that a chosen family got with a run whose site server was started again in
/// the middle was not asked for until the next one. Cause: what had been asked for was in memory
/// alone. Repair: it is in the row of the run.
#[tokio::test(start_paused = true)]
async fn a_new_product_is_asked_for_also_after_a_restart_in_the_middle() {
    let mut world = World::new("CAS", None, 1).await;
    let category = |number: u32, parent: Option<u32>, kind| {
        let (update, parent) = (UpdateRef { id: id(number), revision: 1 }, parent.map(id));
        Category { update, kind, parent, texts: Vec::new(), subscribed: false, since: 0 }
    };
    let family = category(901, None, CategoryKind::ProductFamily);
    world.points[0].catalog().items = vec![item(1, 100)];
    world.points[0].catalog().categories = vec![family.clone()];
    world.start();
    assert_eq!(world.synchronize(1, false).await, SyncStep::Succeeded);
    let chosen = Category { subscribed: true, since: 1, ..family };
    world.db.write(move |w| w.put_own(&chosen)).await.expect("written");
    world.points[0].catalog().categories.push(category(902, Some(901), CategoryKind::Product));
    world.points[0].catalog().breaks_on = "GetChanges";
    world.ask(false).await.expect("at the top");
    world
        .until(|r| r.sync_run().expect("read").is_some_and(|run| run.step == SyncStep::Database))
        .await;
    world.stop().await;
    world.points[0].catalog().breaks_on = "";
    world.start();
    world.until_ended(3).await;
    let run = world.db.read(|r| r.sync_run()).await.expect("read").expect("it has run");
    assert_eq!(run.reason, "new products of what is subscribed");
    world.stop().await;
}

/// Symptom: an update that an administrator kept while a synchronization looked for what is due
/// expired nevertheless. Cause: only the look took notice of what is kept. Repair: the write does.
#[tokio::test]
async fn what_is_kept_since_it_was_found_due_does_not_expire() {
    let world = World::new("CAS", None, 0).await;
    let numbered = Item { number: 1, since: 1, ..item(1, 100) };
    world.db.write(move |w| w.put_own(&numbered)).await.expect("written");
    let kept = Ruling::new(id(1), Verdict::Kept, "ann", Timestamp(NOW));
    world.rule(1, Ruled::Put(kept)).await;
    let expire = |w: &site_db::Writer<'_>| crate::supersedence::expire(w, &[id(1)]);
    assert_eq!(world.db.write(expire).await.expect("written"), 0);
    assert!(!world.find(1).await.expect("here").expired);
}

fn open(path: &Path) -> SiteDb {
    let ambient = Ambient::new(Arc::new(ManualClock::at(NOW)), Arc::new(SeededEntropy::new(1)));
    let pki = Pki::new(&ambient);
    let owner = Owner { code: site("CAS"), uuid: Uuid::from_u128(5) };
    let kind = SiteKind::Primary;
    let hierarchy = model::HierarchyId(Uuid::from_u128(6));
    let identity = Identity { hierarchy, owner, kind, parent: None };
    let keys = (pki.site(site("CAS")).signer, pki.anchor().clone());
    SiteDb::open(path, Executor::Inline, identity, keys, ambient).expect("opens")
}

async fn clean_to_the_end(db: &SiteDb) -> site_db::CleanupRun {
    let shutdown = CancellationToken::new();
    let cleaner = Cleaner::new(db.clone()).run(shutdown.clone());
    let mut changes = db.watch(&[]);
    let ended = async {
        loop {
            let run = db.read(|r| r.cleanup_run()).await.expect("read");
            if let Some(run) = run.filter(|run| run.ended_at.is_some()) {
                shutdown.cancel();
                return run;
            }
            changes.changed().await;
        }
    };
    tokio::join!(cleaner, ended).1
}

/// The test runs itself as a process that ends in the middle, then looks at what it left.
#[tokio::test]
async fn a_cleanup_that_was_killed_goes_on_where_it_stopped() {
    const PATH: &str = "TIERLINE_TEST_SITE_DB";
    const NAME: &str = "tests::upkeep::a_cleanup_that_was_killed_goes_on_where_it_stopped";
    if let Some(path) = std::env::var_os(PATH) {
        clean_to_the_end(&open(Path::new(&path))).await;
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("site.db");
    let db = open(&path);
    let fill = |w: &site_db::Writer<'_>| {
        let items = (1..=250).map(|n| Own::put(&expired(n, 8))).collect();
        w.write_own(Group::Catalog, items)?;
        w.put_own(&group(&[7, 150, 249]))
    };
    db.write(fill).await.expect("written");
    db.close().await;
    let child = Command::new(std::env::current_exe().expect("this test"))
        .args([NAME, "--exact"])
        .env(PATH, &path)
        .env("TIERLINE_FAILPOINT", "cleanup.batch:2")
        .output()
        .expect("runs");
    assert_eq!(child.status.code(), None, "it was not killed: {child:?}");

    let db = open(&path);
    let run = db.read(|r| r.cleanup_run()).await.expect("read").expect("it began");
    assert_eq!((run.number, run.total, run.done, run.deleted), (1, 247, 200, 200));
    assert_eq!(run.ended_at, None);
    let run = clean_to_the_end(&db).await;
    assert_eq!((run.number, run.total, run.done, run.deleted), (1, 247, 247, 247));
    let read = |r: &site_db::Reader<'_>| {
        let left: Vec<u32> = r.numbered_items()?.iter().map(|item| item.number).collect();
        let rulings = r.list::<Ruling>()?;
        let said = r.status_messages(&StatusFilter::default(), 100)?;
        Ok::<_, site_db::Error>((left, rulings, said))
    };
    let (left, rulings, said) = db.read(read).await.expect("read");
    assert_eq!(left, [7, 150, 249]);
    assert_eq!((rulings.len(), said.len()), (247, 1));
    let is_right = |ruling: &Ruling| {
        let cleaned =
            Cleaned { revision: 100, number: ruling.update.0.as_u128() as u32, version: 1 };
        ruling.verdict == Verdict::Expired && ruling.cleaned == Some(cleaned)
    };
    assert!(rulings.iter().all(|(_, ruling)| is_right(ruling)));
}
