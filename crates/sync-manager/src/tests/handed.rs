//! Files and errands: when update points get them, and when no more.

use std::time::Duration;

use model::UpdateId;
use site_db::{Consent, ErrandKind, ErrandReport, ImportReport};
use tokio::time::timeout;

use super::world::{World, item};
use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

fn hand_in(w: &site_db::Writer<'_>) -> Result<i64, site_db::Error> {
    let id = w.begin_import("vendor.cab", &Consent::default())?;
    w.add_import_part(id, 0, b"a catalog")?;
    w.end_import(id, 1)?;
    Ok(id)
}

async fn add(world: &World, kind: ErrandKind) -> i64 {
    world.db.write(move |w| w.add_errand(&kind)).await.expect("at the top")
}

fn publication() -> ErrandKind {
    ErrandKind::Publish { name: "Editor".to_owned(), package: b"<package/>".to_vec() }
}

async fn report(world: &World, errand: i64) -> ErrandReport {
    world.until(move |r| r.errand_report(errand).expect("read").is_some()).await;
    world.db.read(move |r| r.errand_report(errand)).await.expect("read").expect("there")
}

async fn import_report(world: &World, id: i64) -> ImportReport {
    world.until(move |r| r.import_report(id).expect("read").is_some()).await;
    world.db.read(move |r| r.import_report(id)).await.expect("read").expect("there")
}

/// Symptom: a file that was handed in while a synchronization was under way made it fail, because
/// the sets differed, and the next one took the whole catalog. Cause: the file went to the update
/// point between two steps of the run, after the point had said what it holds. Repair: files and
/// errands wait for the end of the run.
#[tokio::test(start_paused = true)]
async fn what_is_handed_in_during_a_run_waits_for_its_end() {
    let mut world = World::new("CAS", None, 1).await;
    world.points[0].catalog().items = vec![item(1, 100), item(2, 100)];
    world.points[0].catalog().brings = Some(item(9, 100));
    world.points[0].catalog().meanwhile = Some(|db| {
        db.write_blocking(hand_in).expect("written");
    });
    world.start();
    world.ask(false).await.expect("at the top");
    world.until_ended(1).await;
    let run = world.db.read(|r| r.sync_run()).await.expect("read").expect("it has run");
    assert_eq!((run.step, run.cause.as_str()), (SyncStep::Succeeded, ""));
    assert_eq!(world.version().await.items, 2);
    assert_eq!(import_report(&world, 1).await.imported, 2);
    let orders = ["Synchronize", "GetChanges", "CompleteVersion", "Import"];
    assert_eq!(world.points[0].catalog().orders, orders);
    world.ask(false).await.expect("at the top");
    world.until_ended(2).await;
    assert_eq!((world.version().await.version, world.version().await.items), (2, 3));
    world.stop().await;
}

/// Symptom: a package at which the update point crashed was handed over again after every restart,
/// and no synchronization ever began. Cause: what waits comes before a synchronization, and a lost
/// connection left it waiting. Repair: tries are counted, and it is refused after a few.
#[tokio::test(start_paused = true)]
async fn what_crashes_an_update_point_is_given_up_and_the_next_run_begins() {
    for breaks_on in ["Publish", "Import"] {
        let mut world = World::new("CAS", None, 1).await;
        world.points[0].catalog().items = vec![item(1, 100)];
        world.points[0].catalog().breaks_on = breaks_on;
        let (errand, file) = (add(&world, publication()).await, world.db.write(hand_in).await);
        let file = file.expect("written");
        world.ask(false).await.expect("at the top");
        world.start();
        let refused = async {
            match breaks_on {
                "Publish" => report(&world, errand).await.refused,
                _ => import_report(&world, file).await.refused,
            }
        };
        let refused = timeout(HOUR, refused).await.expect("it is given up");
        expect![
            "the update point broke off 3 times at this; see its log, and hand it in again once \
             that is repaired"
        ]
        .assert_eq(&refused);
        if breaks_on == "Import" {
            world.stop().await;
            continue;
        }
        timeout(HOUR, world.until_ended(1)).await.expect("nothing holds it up");
        let count = world.points[0].catalog().orders.iter().filter(|o| *o == breaks_on).count();
        assert_eq!(count, 3);
        world.stop().await;
    }
}

/// Symptom: an errand that an update point never finished kept every synchronization from
/// beginning. Cause: its answer was waited for without a limit. Repair: it is stopped after a while.
#[tokio::test(start_paused = true)]
async fn an_errand_without_an_end_is_stopped() {
    let mut world = World::new("CAS", None, 1).await;
    world.start();
    let update = UpdateId(Uuid::from_u128(7));
    let errand = add(&world, ErrandKind::Content { update }).await;
    let report = timeout(5 * HOUR, report(&world, errand)).await.expect("there is a limit");
    expect!["the update point did not finish within 4 hours; see its log"]
        .assert_eq(&report.refused);
    world.ask(false).await.expect("at the top");
    timeout(HOUR, world.until_ended(1)).await.expect("it is free");
    assert_eq!(world.points[0].catalog().orders[..2], ["PublishContent", "Cancel"]);
    world.stop().await;
}

/// Symptom: while one update point was busy, no other heard what was declined, and no
/// synchronization of another one began. Cause: one lock was held while a turn was waited for.
/// Repair: a list is told within the turn of its update point, and who is busy is left for later.
#[tokio::test(start_paused = true)]
async fn a_busy_update_point_keeps_nobody_from_hearing_what_is_declined() {
    let mut world = World::new("CAS", None, 2).await;
    world.start();
    let update = UpdateId(Uuid::from_u128(7));
    add(&world, ErrandKind::Content { update }).await;
    while world.points[0].catalog().orders.is_empty() {
        tokio::task::yield_now().await;
    }
    let ruling = model::Ruling::new(update, model::Verdict::Declined, "ann", Timestamp(0));
    world.db.write(move |w| w.put_own(&ruling)).await.expect("written");
    let told = async |point: usize| {
        while world.points[point].catalog().rulings.is_empty() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    timeout(Duration::from_secs(60), told(1)).await.expect("it is idle");
    assert!(world.points[0].catalog().rulings.is_empty(), "it is at its errand");
    timeout(5 * HOUR, told(0)).await.expect("once it is free");
    world.stop().await;
}

/// Symptom: after one bad hour, a single failure to tell an update point what is declined took an
/// hour to be tried again, for as long as the site server ran. Cause: the back-off only grew.
/// Repair: success starts it over.
#[tokio::test(start_paused = true)]
async fn success_starts_the_back_off_over() {
    let mut world = World::new("CAS", None, 1).await;
    world.points[0].catalog().deaf = 8;
    world.start();
    let mut declined = 0;
    for limit in [2 * HOUR, Duration::from_secs(30)] {
        declined += 1;
        let update = UpdateId(Uuid::from_u128(declined as u128));
        let ruling = model::Ruling::new(update, model::Verdict::Declined, "ann", Timestamp(0));
        world.db.write(move |w| w.put_own(&ruling)).await.expect("written");
        let told = async {
            while world.points[0].catalog().rulings.len() < declined {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        timeout(limit, told).await.expect("it is tried again soon");
        world.points[0].catalog().deaf = 1;
    }
    world.stop().await;
}
