//! Bundles: who signs them, and who is believed.

use std::time::Duration;

use catalog_bundle::{Bundle, MAGIC, trailer_length};
use model::Sha256;
use site_db::{Consent, Direction, ExportStanding, ImportReport};
use tokio::time::timeout;

use super::world::{World, item, site};
use super::*;
use crate::bundles::{Verdict, judge};

/// A site whose catalog is a complete version of two updates.
async fn with_catalog() -> World {
    let mut world = World::new("CAS", None, 1).await;
    world.points[0].catalog().items = vec![item(1, 100), item(2, 100)];
    world.points[0].catalog().exported = vec!["<a/>".to_owned(), "<b/>".to_owned()];
    world.start();
    world.ask(false).await.expect("at the top");
    world.until_ended(1).await;
    world
}

async fn begin(world: &World) -> i64 {
    world.db.write(|w| w.begin_export(0, false, "ann")).await.expect("written")
}

/// The parts from `part` on as whoever asked gets them, or why there are none.
async fn take(world: &World, id: i64, mut part: u32) -> Result<Vec<u8>, String> {
    let (mut file, mut changes) = (Vec::new(), world.db.watch(&[]));
    loop {
        let standing = world.db.write(move |w| w.take_export_part(id, part)).await.expect("taken");
        match standing {
            ExportStanding::Waiting => changes.changed().await,
            ExportStanding::Failed { reason } => return Err(reason),
            ExportStanding::Part { data, is_last, .. } => {
                file.extend(data);
                part += 1;
                if is_last {
                    return Ok(file);
                }
            }
        }
    }
}

async fn hand_in(world: &World, file: &[u8], trust: Option<Sha256>) -> i64 {
    let file = file.to_vec();
    let prepare = move |w: &site_db::Writer<'_>| {
        let consent = Consent { account: "ann".to_owned(), trust, is_unsigned: false };
        let id = w.begin_import("may.tlbundle", &consent)?;
        // Its end lies across parts.
        let parts = file.chunks(100).count() as u32;
        for (part, data) in file.chunks(100).enumerate() {
            w.add_import_part(id, part as u32, data)?;
        }
        w.end_import(id, parts)?;
        Ok::<_, site_db::Error>(id)
    };
    world.db.write(prepare).await.expect("written")
}

async fn import(world: &World, file: &[u8], trust: Option<Sha256>) -> ImportReport {
    let id = hand_in(world, file, trust).await;
    world.until(move |r| r.import_report(id).expect("read").is_some()).await;
    world.db.read(move |r| r.import_report(id)).await.expect("read").expect("there")
}

fn read(file: &[u8]) -> Bundle {
    let length = trailer_length(file, file.len() as u64).expect("has a footer");
    Bundle::read(file, &file[file.len() - length..], file.len() as u64).expect("is whole")
}

#[tokio::test(start_paused = true)]
async fn a_bundle_is_signed_here_and_believed_where_its_root_is_named() {
    let mut ours = with_catalog().await;
    let id = begin(&ours).await;
    let file = take(&ours, id, 0).await.expect("made");
    let bundle = read(&file);
    assert_eq!(&bundle.manifest.to_bytes(), &bundle.manifest_bytes);
    let made = ours.db.read(move |r| r.bundle(Direction::Export, id)).await.expect("read");
    let made = made.expect("is noted");
    let signer = made.signer.expect("is signed");
    assert_eq!((made.facts.anchor, made.facts.documents), (9, 2));
    assert_eq!(signer.pin, ours.db.anchor().pin().0);

    let report = import(&ours, &file, None).await;
    assert_eq!((report.imported, report.refused.as_str()), (2, ""), "its own is believed");
    assert_eq!(ours.points[0].catalog().warrant, (bundle.digest().0.to_vec(), false));
    assert_eq!(ours.points[0].catalog().imported, file);

    let mut theirs = World::new("TOP", None, 1).await;
    theirs.start();
    let pin = signer.pin.to_string();
    let refused = async |trust| import(&theirs, &file, trust).await.refused.replace(&pin, "PIN");
    let refusals = [refused(None).await, refused(Some(Sha256([9; 32]))).await];
    expect![[r#"
        may.tlbundle is not taken: it was signed in hierarchy 00000000-0000-0000-0000-000000000007 under the root PIN, which is not trusted here; compare this fingerprint with what the export printed there, and add --trust PIN
        may.tlbundle is not taken: it was signed in hierarchy 00000000-0000-0000-0000-000000000007 under the root PIN, not under 0909090909090909090909090909090909090909090909090909090909090909; compare the fingerprints"#]]
    .assert_eq(&refusals.join("\n"));
    assert!(theirs.points[0].catalog().imported.is_empty(), "the update point saw nothing of it");
    assert_eq!(refused(Some(signer.pin)).await, "");
    assert_eq!(refused(None).await, "", "it was named once");
    theirs.db.write(move |w| w.distrust_root(signer.pin)).await.expect("written").expect("known");
    assert!(refused(None).await.contains("not trusted here"));
    theirs.stop().await;
    ours.stop().await;
}

/// Of what the site judges; that every byte is answered for, the format's own tests say.
#[tokio::test(start_paused = true)]
async fn nothing_that_was_altered_is_believed() {
    let mut world = with_catalog().await;
    let id = begin(&world).await;
    let file = take(&world, id, 0).await.expect("made");
    world.stop().await;
    let parts = MAGIC.len() + read(&file).manifest.size() as usize;
    for at in (0..MAGIC.len()).chain((parts..file.len()).step_by(5)) {
        let mut altered = file.clone();
        altered[at] ^= 1;
        hand_in(&world, &altered, None).await;
        let judge = |w: &site_db::Writer<'_>| {
            let import = w.pending_import()?.expect("is there");
            let verdict = judge(w, &import)?;
            w.finish_import(&import, &ImportReport::default(), None)?;
            Ok::<_, Error>(verdict)
        };
        let verdict = world.db.write(judge).await.expect("is judged");
        let is_believed = matches!(verdict, Verdict::Believed { .. });
        assert!(!is_believed, "byte {at} of {}: {verdict:?}", file.len());
    }
}

#[tokio::test(start_paused = true)]
async fn an_export_that_cannot_be_made_says_why() {
    let mut world = with_catalog().await;
    world.points[0].catalog().version = 7;
    let id = begin(&world).await;
    let other = take(&world, id, 0).await.expect_err("is not what the site knows");
    world.points[0].catalog().version = 1;
    // Nobody takes the parts, until the site gives up; the next one is made.
    world.points[0].catalog().exported = (0..40).map(|n| format!("<d{n}/>")).collect();
    let gone = begin(&world).await;
    let made = begin(&world).await;
    let file = take(&world, made, 0).await.expect("made");
    assert_eq!(read(&file).manifest.parts.len(), 40);
    let given_up = take(&world, gone, 0).await.expect_err("is over");
    world.stop().await;
    let left = begin(&world).await;
    world.start();
    let broke_off = take(&world, left, 0).await.expect_err("is over");
    expect![[r#"
        the catalog of the update point (version 7) is not what this site recorded (version 1); synchronize first: `tierline sync run --wait`
        nobody asked for the next part of the bundle for a minute; export again
        the site server was started again meanwhile; export again"#]]
    .assert_eq(&[other, given_up, broke_off].join("\n"));
    world.stop().await;
}

/// Symptom: while an update point was away, every change at the site verified a waiting bundle
/// anew, and held up all that is written. Cause: it was judged, as part of a write, before anybody
/// asked whether it could be handed over. Repair: the connection comes first, and judging reads.
#[tokio::test(start_paused = true)]
async fn a_bundle_is_judged_once_it_can_be_handed_over() {
    let mut ours = with_catalog().await;
    let id = begin(&ours).await;
    let file = take(&ours, id, 0).await.expect("made");
    ours.stop().await;
    let mut theirs = World::new("TOP", None, 1).await;
    let away: Vec<_> = theirs.points.drain(..).collect();
    theirs.start();
    let id = hand_in(&theirs, &file, Some(ours.db.anchor().pin().0)).await;
    let reported = async || {
        theirs.until(move |r| r.import_report(id).expect("read").is_some()).await;
    };
    timeout(Duration::from_secs(3_600), reported()).await.expect_err("nobody takes it");
    let trusted = theirs.db.read(|r| r.trusted_roots()).await.expect("read");
    assert!(trusted.is_empty(), "nobody looked at it: {trusted:?}");
    theirs.stop().await;
    theirs.points = away;
    theirs.start();
    theirs.until(move |r| r.import_report(id).expect("read").is_some()).await;
    assert_eq!(theirs.db.read(|r| r.trusted_roots()).await.expect("read").len(), 1);
    theirs.stop().await;
}

/// Symptom: an export that was made and not fetched yet failed with "there is no such export" when
/// somebody else began one. Cause: whatever had ended was deleted. Repair: it is kept for a while.
#[tokio::test(start_paused = true)]
async fn an_export_that_was_made_is_kept_when_another_one_begins() {
    let mut world = with_catalog().await;
    let first = begin(&world).await;
    world.until(move |r| r.bundle(Direction::Export, first).expect("read").is_some()).await;
    let second = begin(&world).await;
    let file = take(&world, first, 0).await.expect("is still here");
    assert_eq!(read(&file).manifest.parts.len(), 2);
    take(&world, second, 0).await.expect("made");
    world.clock.advance_ms(61 * 60 * 1_000);
    begin(&world).await;
    let gone = take(&world, first, 0).await.expect_err("nobody wanted it any more");
    assert_eq!(gone, "there is no such export");
    world.stop().await;
}

/// Symptom: while somebody fetched a bundle, no synchronization began, no run was retried and no
/// errand was carried out. Cause: the loop of synchronizations sent the bundle itself, at the pace
/// of whoever fetched it. Repair: exports have a loop of their own, and a limit.
#[tokio::test(start_paused = true)]
async fn a_slow_export_holds_up_nothing_and_ends() {
    let mut world = with_catalog().await;
    world.points[0].catalog().exported = (0..400).map(|n| format!("<d{n}/>")).collect();
    let id = begin(&world).await;
    world.until(move |r| r.export_backlog(id).expect("read") > 0).await;
    world.ask(false).await.expect("at the top");
    let begun = world.until(|r| r.sync_run().expect("read").is_some_and(|run| run.number == 2));
    timeout(limits::RETRY_MIN, begun).await.expect("the run has begun");
    let slow = async {
        let mut part = 0;
        loop {
            let took = world.db.write(move |w| w.take_export_part(id, part)).await.expect("taken");
            match took {
                ExportStanding::Failed { reason } => return reason,
                ExportStanding::Part { is_last: true, .. } => return "whole".to_owned(),
                ExportStanding::Part { .. } => part += 1,
                ExportStanding::Waiting => {}
            }
            tokio::time::sleep(Duration::from_secs(50)).await;
        }
    };
    expect![
        "the bundle was not fetched within 4 hours; fetch it over a faster line, or without \
         --content"
    ]
    .assert_eq(&slow.await);
    world.until_ended(2).await;
    assert!(world.points[0].catalog().orders.iter().any(|order| order == "Cancel"));
    world.stop().await;
}

/// Symptom: an export that nobody could sign was refused after all of it had been sent. Cause: the
/// signer was looked for at the end. Repair: at the beginning.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_signed_is_not_made() {
    let mut secondary = World::of_kind(SiteKind::Secondary, "SEC", Some("CAS"), 1).await;
    secondary.start();
    let greeted = |r: &site_db::Reader<'_>| {
        let points = r.update_points(r.identity().code()).expect("read");
        !r.sync_point(points[0].id).expect("read").server_id.is_empty()
    };
    secondary.until(greeted).await;
    let id = begin(&secondary).await;
    let no_signer = take(&secondary, id, 0).await.expect_err("signs nothing");
    assert!(secondary.points[0].catalog().orders.is_empty());
    secondary.stop().await;
    let mut world = with_catalog().await;
    world.stop().await;
    world.points[0].catalog().version = 7;
    world.points[0].catalog().orders.clear();
    world.start();
    let site = site("CAS");
    world
        .until(move |r| {
            let points = r.update_points(site).expect("read");
            r.sync_point(points[0].id).expect("read").version == 7
        })
        .await;
    let id = begin(&world).await;
    let other = take(&world, id, 0).await.expect_err("is not what the site knows");
    assert!(world.points[0].catalog().orders.is_empty());
    expect![[r#"
        a secondary site signs nothing; export at its primary site, or at the top, with --server
        the catalog of the update point (version 7) is not what this site recorded (version 1); synchronize first: `tierline sync run --wait`"#]]
    .assert_eq(&[no_signer, other].join("\n"));
    world.stop().await;
}
