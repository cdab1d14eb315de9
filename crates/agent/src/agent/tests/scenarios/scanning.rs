//! Scans (SCAN-01 … SCAN-19, COMP-01 … COMP-15).

use std::sync::atomic::Ordering;

use update_metadata::Rule;

use super::*;

const SCANS: [&str; 3] = ["scan", "SUP", "alice"];

/// SCAN-01, SCAN-02, SCAN-05, COMP-01: policy names an update point, and the scan with it begins
/// two hours later at the latest, differently for each computer.
#[tokio::test]
async fn the_first_scan_begins_at_a_random_moment_within_two_hours_of_policy() {
    let mut log = String::new();
    for seed in [1, 2, 3] {
        let mut scene = Scene::of(seed, vec![update(1)]).await;
        scene.world.scan_spread = Duration::from_secs(2 * 60 * 60);
        let deployment = scene.required(&[1], DAY_MS);
        scene.publish(vec![deployment], &[]).await;
        scene.wait(2 * HOUR_MS).await;
        log += &scene.take_lines(&["policy", "scan", "SUP"]);
    }
    expect![[r#"
        0 policy 1 is asked for
        108 SUP1 is asked for documents
        108 scan: schedule, with SUP1
        0 policy 1 is asked for
        80 SUP1 is asked for documents
        80 scan: schedule, with SUP1
        0 policy 1 is asked for
        72 SUP1 is asked for documents
        72 scan: schedule, with SUP1
    "#]]
    .assert_eq(&log);
}

/// SCAN-03: where policy names another update point, the next scan goes there.
#[tokio::test]
async fn each_scan_goes_to_the_update_point_that_policy_names() {
    let mut scene = Scene::new(&[1]).await;
    scene.publish(vec![], &[]).await;
    scene.wait(HOUR_MS).await;
    scene.world.add_sup(&scene.documents.clone()).await;
    scene.world.servers.remove(1);
    scene.publish(vec![], &[]).await;
    scene.ask_to_scan().await;
    expect![[r#"
        0 SUP1 is asked for documents
        0 scan: schedule, with SUP1
        60 alice asks for a scan
        60 SUP2 is asked for documents
        60 scan: asked for, with SUP2
    "#]]
    .assert_eq(&scene.take_lines(&SCANS));
}

/// SCAN-04: a server without TLS is told nothing.
#[tokio::test]
async fn no_scan_goes_over_an_open_connection() {
    let mut scene = Scene::new(&[1]).await;
    let documents = scene.documents.clone();
    let open = scene.world.open_sup(&documents).await;
    scene.world.log.call(&open, "OPEN");
    scene.publish(vec![], &[]).await;
    let log = scene.take_log();
    // What follows is in the words of the system.
    let (said, _) = log.split_once(" cannot reach OPEN").expect("it fails");
    expect![[r#"
        0 policy 1 is asked for
        0 scan: schedule: waiting for catalog 1:"#]]
    .assert_eq(said);
    assert!(!log.contains("is asked for documents"), "{log}");
    // It would have answered whoever asks without TLS.
    let channel = tonic::transport::Endpoint::from_shared(open).expect("an address");
    let channel = channel.connect().await.expect("it listens");
    let request = rpc::pb::metadata::FollowDocumentsRequest::default();
    let mut plain = rpc::pb::metadata::metadata_service_client::MetadataServiceClient::new(channel);
    plain.follow_documents(request).await.expect("it answers");
    assert_eq!(scene.take_log(), "0 SUP9 is asked for documents\n");
}

/// SCAN-06, SCAN-08, COMP-03, COMP-04, COMP-08, COMP-09: what is required is said, deployed or
/// not, and what is installed; what is not applicable is not said at all; and of the scan a week
/// later only what is different.
#[tokio::test]
async fn the_next_scan_comes_by_schedule_and_only_what_changed_is_told() {
    let mut not_applicable = update(3);
    not_applicable.rules.is_installable = Some(Rule::False);
    let mut scene = Scene::of(1, vec![update(1), update(2), not_applicable]).await;
    scene.computer.set(2, true);
    scene.publish(vec![], &[("reevaluation.every", "30d")]).await;
    scene.wait(DAY_MS).await;
    scene.computer.set(2, false);
    scene.wait(7 * DAY_MS).await;
    expect![[r#"
        0 policy 1 is asked for
        0 SUP1 is asked for documents
        0 scan: schedule, with SUP1
        15 report: 1 required; 2 installed
        10080 SUP1 is asked for documents
        10080 scan: schedule, with SUP1
        10095 report: 2 required
    "#]]
    .assert_eq(&scene.take_log());
}

/// SCAN-07, COMP-02: states wait for a quarter of an hour and go together.
#[tokio::test]
async fn states_are_told_in_bulk_every_fifteen_minutes() {
    let mut scene = Scene::new(&[1, 2, 3]).await;
    scene.publish(vec![], &[]).await;
    scene.computer.set(2, true);
    scene.wait(5 * MINUTE_MS).await;
    scene.ask_to_scan().await;
    scene.computer.set(3, true);
    scene.wait(5 * MINUTE_MS).await;
    scene.ask_to_scan().await;
    scene.wait(HOUR_MS).await;
    expect![[r#"
        0 policy 1 is asked for
        0 SUP1 is asked for documents
        0 scan: schedule, with SUP1
        5 alice asks for a scan
        5 SUP1 is asked for documents
        5 scan: asked for, with SUP1
        10 alice asks for a scan
        10 SUP1 is asked for documents
        10 scan: asked for, with SUP1
        15 report: 1 required; 2 required; 3 required
        15 report: 2 installed
        15 report: 3 installed
    "#]]
    .assert_eq(&scene.take_log());
}

/// SCAN-09, SCAN-10, SCAN-11, INT-05: every eight hours by setting; the server is asked when what
/// is here is a day old.
#[tokio::test]
async fn a_scheduled_scan_asks_the_server_once_a_day() {
    let mut scene = Scene::new(&[1]).await;
    scene.publish(vec![], &[("detection.hours", "8")]).await;
    scene.wait(49 * HOUR_MS).await;
    expect![[r#"
        0 SUP1 is asked for documents
        0 scan: schedule, with SUP1
        480 scan: schedule
        960 scan: schedule
        1440 SUP1 is asked for documents
        1440 scan: schedule, with SUP1
        1920 scan: schedule
        2400 scan: schedule
        2880 SUP1 is asked for documents
        2880 scan: schedule, with SUP1
    "#]]
    .assert_eq(&scene.take_lines(&SCANS));
}

/// SCAN-12, SCAN-13: the server is asked whatever the age of what is here, which counts from then.
#[tokio::test]
async fn a_scan_or_an_evaluation_by_hand_asks_the_server_and_begins_the_day_anew() {
    let mut scene = Scene::new(&[1]).await;
    scene.publish(vec![], &[("detection.hours", "10")]).await;
    scene.wait(HOUR_MS).await;
    scene.ask_to_scan().await;
    scene.wait(18 * HOUR_MS).await;
    scene.ask(Request::Scan { cycle: Cycle::Evaluation }).await;
    scene.wait(31 * HOUR_MS).await;
    expect![[r#"
        0 SUP1 is asked for documents
        0 scan: schedule, with SUP1
        60 alice asks for a scan
        60 SUP1 is asked for documents
        60 scan: asked for, with SUP1
        660 scan: schedule
        1140 alice asks for an evaluation
        1140 SUP1 is asked for documents
        1140 scan: evaluation asked for, with SUP1
        1740 scan: schedule
        2340 scan: schedule
        2940 SUP1 is asked for documents
        2940 scan: schedule, with SUP1
    "#]]
    .assert_eq(&scene.take_lines(&SCANS));
}

/// SCAN-14, SCAN-19, DEP-26: the evaluation of all deployments has a schedule of its own, and asks
/// the server only for what is more than a day old.
#[tokio::test]
async fn deployments_are_evaluated_again_by_a_schedule_of_their_own() {
    let mut scene = Scene::new(&[1]).await;
    scene.world.settings.scan_interval_ms = 30 * 86_400_000;
    scene.publish(vec![], &[("reevaluation.every", "2d")]).await;
    scene.wait(30 * HOUR_MS).await;
    scene.ask_to_scan().await;
    scene.wait(3 * DAY_MS).await;
    expect![[r#"
        0 SUP1 is asked for documents
        0 scan: schedule, with SUP1
        1800 alice asks for a scan
        1800 SUP1 is asked for documents
        1800 scan: asked for, with SUP1
        2880 scan: evaluation again
        5760 SUP1 is asked for documents
        5760 scan: evaluation again, with SUP1
    "#]]
    .assert_eq(&scene.take_lines(&SCANS));
}

/// SCAN-15: what is here is too old, so that the server is asked before the download; what is not
/// required any more is not fetched.
#[tokio::test]
async fn before_a_download_it_is_verified_that_it_is_required() {
    let mut scene = Scene::new(&[1, 2]).await;
    let offered = scene.available(&[1, 2]);
    scene.publish(vec![offered], &[]).await;
    scene.wait(30 * HOUR_MS).await;
    scene.take_log();
    scene.computer.set(2, true);
    scene.ask(Request::Install { updates: Vec::new() }).await;
    scene.wait(HOUR_MS).await;
    expect![[r#"
        1800 alice asks for an installation
        1800 report: 1 required/downloading; 2 required/downloading; deployment d non_compliant/downloading
        1800 SUP1 is asked for documents
        1800 scan: before download, with SUP1
        1800 report: 2 installed
        1800 the MP is asked where 1.sh is
        1800 DP1 is asked for 1.sh
        1800 report: 1 required/installing; deployment d non_compliant/installing
        1800 the installer of 1 runs
        1800 report: 1 installed; deployment d compliant/installed
        1800 scan: after installation
    "#]].assert_eq(&scene.take_log());
}

/// SCAN-16, DEP-19: the same before the installation, whose deadline is more than a day after the
/// last scan.
#[tokio::test]
async fn before_an_installation_it_is_verified_that_it_is_required() {
    let mut scene = Scene::new(&[1, 2]).await;
    let deployment = scene.required(&[1, 2], 30 * HOUR_MS);
    scene.publish(vec![deployment], &[]).await;
    scene.wait(29 * HOUR_MS).await;
    scene.take_log();
    scene.computer.set(2, true);
    scene.wait(2 * HOUR_MS).await;
    expect![[r#"
        1800 report: 1 required/installing; 2 required/installing; deployment d non_compliant/installing
        1800 SUP1 is asked for documents
        1800 scan: before installation, with SUP1
        1800 report: 2 installed
        1800 the installer of 1 runs
        1800 report: 1 installed; deployment d compliant/installed
        1800 scan: after installation
    "#]].assert_eq(&scene.take_log());
}

/// SCAN-17: what is here is a day old when the installer ends, and is used all the same.
#[tokio::test]
async fn after_an_installation_the_scan_asks_nobody() {
    let mut scene = Scene::new(&[1, 2]).await;
    scene.computer.end(1, Ending { code: 0, minutes: 25 * 60 });
    scene.computer.end(2, Ending { code: 3010, minutes: 0 });
    let deployment = scene.required(&[1, 2], HOUR_MS);
    scene.publish(vec![deployment], &[("restart.force", "no")]).await;
    scene.wait(26 * HOUR_MS + 30 * MINUTE_MS).await;
    expect![[r#"
        0 policy 1 is asked for
        0 SUP1 is asked for documents
        0 scan: new policy, with SUP1
        0 report: deployment d unknown
        0 the MP is asked where 1.sh 2.sh is
        0 DP1 is asked for 1.sh
        0 DP1 is asked for 2.sh
        0 report: 1 required/downloading; 2 required/downloading; deployment d non_compliant/downloading
        0 report: 1 required/downloaded; 2 required/downloaded; deployment d non_compliant/downloaded
        60 report: 1 required/installing; 2 required/installing; deployment d non_compliant/installing
        60 scan: before installation
        60 report: no news
        60 the installer of 1 runs
        1560 the installer of 1 ends
        1560 report: 1 installed
        1560 the installer of 2 runs
        1560 report: 2 required/pending_restart; deployment d non_compliant/pending_restart
        1560 scan: after installation
    "#]].assert_eq(&scene.take_log());
}

/// SCAN-18, COMP-06: required until the restart has completed it; then a scan that asks nobody
/// tells that it is installed.
#[tokio::test]
async fn after_a_restart_the_scan_asks_nobody() {
    let mut scene = Scene::new(&[1]).await;
    scene.computer.needs_restart(1);
    let deployment = scene.required(&[1], HOUR_MS);
    scene.publish(vec![deployment], &[("restart.force", "no")]).await;
    scene.wait(30 * HOUR_MS).await;
    scene.restart().await;
    scene.wait(HOUR_MS).await;
    expect![[r#"
        0 policy 1 is asked for
        0 SUP1 is asked for documents
        0 scan: new policy, with SUP1
        0 report: deployment d unknown
        0 the MP is asked where 1.sh is
        0 DP1 is asked for 1.sh
        0 report: 1 required/downloading; deployment d non_compliant/downloading
        0 report: 1 required/downloaded; deployment d non_compliant/downloaded
        60 report: 1 required/installing; deployment d non_compliant/installing
        60 scan: before installation
        60 report: no news
        60 the installer of 1 runs
        60 report: 1 required/pending_restart; deployment d non_compliant/pending_restart
        60 scan: after installation
        1800 alice restarts the system
        1802 the system starts
        1802 scan: after restart
        1802 report: 1 installed; deployment d compliant/installed
    "#]]
    .assert_eq(&scene.take_log());
}

/// SCAN-19: how often is a client setting, and a changed one holds from the next scan on.
#[tokio::test]
async fn the_schedule_of_scans_is_a_setting() {
    let mut scene = Scene::new(&[1]).await;
    scene.world.settings.scan_interval_ms = 2 * 86_400_000;
    scene.publish(vec![], &[("reevaluation.every", "30d")]).await;
    scene.wait(3 * DAY_MS).await;
    scene.world.settings.scan_interval_ms = 3 * 86_400_000;
    scene.publish(vec![], &[("reevaluation.every", "30d")]).await;
    scene.wait(5 * DAY_MS).await;
    expect![[r#"
        0 SUP1 is asked for documents
        0 scan: schedule, with SUP1
        2880 SUP1 is asked for documents
        2880 scan: schedule, with SUP1
        5760 SUP1 is asked for documents
        5760 scan: schedule, with SUP1
        10080 SUP1 is asked for documents
        10080 scan: schedule, with SUP1
    "#]]
    .assert_eq(&scene.take_lines(&SCANS));
}

/// COMP-05: until its last word has come, the site believes what it heard before.
#[tokio::test]
async fn what_is_installed_counts_as_required_until_the_site_hears_of_it() {
    let mut scene = Scene::new(&[1]).await;
    scene.computer.end(1, Ending { code: 0, minutes: 10 });
    let deployment = scene.required(&[1], HOUR_MS);
    scene.publish(vec![deployment], &[]).await;
    scene.wait(HOUR_MS - 1).await;
    scene.world.mp.lock().is_deaf = true;
    scene.wait(12 * MINUTE_MS).await;
    scene.world.mp.lock().is_deaf = false;
    scene.wait(20 * MINUTE_MS).await;
    expect![[r#"
        0 policy 1 is asked for
        0 SUP1 is asked for documents
        0 scan: new policy, with SUP1
        0 report: deployment d unknown
        0 the MP is asked where 1.sh is
        0 DP1 is asked for 1.sh
        0 report: 1 required/downloading; deployment d non_compliant/downloading
        0 report: 1 required/downloaded; deployment d non_compliant/downloaded
        60 scan: before installation
        60 the installer of 1 runs
        70 the installer of 1 ends
        70 scan: after installation
        72 report: 1 required/installing; deployment d non_compliant/installing
        72 report: no news
        72 report: 1 installed; deployment d compliant/installed
    "#]]
    .assert_eq(&scene.take_log());
}

/// COMP-10, COMP-11: before a scan succeeds, no state of any update is told, but why.
#[tokio::test]
async fn a_computer_that_cannot_be_scanned_tells_why_and_no_states() {
    let mut scene = Scene::new(&[1]).await;
    scene.sup.is_away.store(true, Ordering::SeqCst);
    scene.publish(vec![], &[]).await;
    scene.wait(20 * MINUTE_MS).await;
    scene.sup.is_away.store(false, Ordering::SeqCst);
    scene.wait(40 * MINUTE_MS).await;
    expect![[r#"
        15 report: waiting for catalog 1: SUP1 refused or failed: not now
        21 scan: schedule, with SUP1
        36 report: 1 required
    "#]]
    .assert_eq(&scene.take_lines(&["report", "with SUP1"]));
}

/// COMP-15: what nobody has taken is kept here, also while the agent does not run.
#[tokio::test]
async fn states_are_kept_at_the_computer_until_they_are_sent() {
    let mut scene = Scene::new(&[1]).await;
    scene.world.mp.lock().is_deaf = true;
    scene.publish(vec![], &[]).await;
    scene.wait(20 * MINUTE_MS).await;
    scene.switch_off(HOUR_MS).await;
    scene.world.mp.lock().is_deaf = false;
    scene.wait(20 * MINUTE_MS).await;
    expect![[r#"
        0 policy 1 is asked for
        0 SUP1 is asked for documents
        0 scan: schedule, with SUP1
        20 the system is switched off
        80 the system starts
        80 scan: after restart
        80 report: 1 required
    "#]]
    .assert_eq(&scene.take_log());
}
