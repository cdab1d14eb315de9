//! Deployments (DEP-03 … DEP-08, DEP-15 … DEP-29).

use std::collections::BTreeSet;

use super::*;

fn digest(number: u128) -> BTreeSet<model::Sha256> {
    BTreeSet::from([client::digest::sha256(content(number).as_bytes())])
}

/// DEP-03, DEP-07, DEP-08, DEP-16, DEP-17, DEP-19, DEP-21, COMP-07, COMP-09: evaluated and fetched
/// on receipt; at the deadline verified, installed from what is here, verified again and told.
#[tokio::test]
async fn a_required_deployment_is_fetched_on_receipt_and_installed_at_its_deadline() {
    let mut scene = Scene::new(&[1]).await;
    scene.publish(vec![], &[]).await;
    scene.wait(HOUR_MS).await;
    scene.take_log();
    let deployment = scene.required(&[1], 4 * HOUR_MS);
    scene.publish(vec![deployment], &[]).await;
    scene.wait(4 * HOUR_MS).await;
    expect![[r#"
        60 policy 2 is asked for
        60 scan: new policy
        60 report: 1 required/downloading; deployment d non_compliant/downloading
        60 the MP is asked where 1.sh is
        60 DP1 is asked for 1.sh
        60 report: 1 required/downloaded; deployment d non_compliant/downloaded
        240 report: 1 required/installing; deployment d non_compliant/installing
        240 scan: before installation
        240 report: no news
        240 the installer of 1 runs
        240 report: 1 installed; deployment d compliant/installed
        240 scan: after installation
    "#]]
    .assert_eq(&scene.take_log());
}

/// DEP-07: the user starts it before its deadline.
#[tokio::test]
async fn a_user_starts_a_required_update_before_its_deadline() {
    let mut scene = Scene::new(&[1]).await;
    let deployment = scene.required(&[1], 4 * HOUR_MS);
    scene.publish(vec![deployment], &[]).await;
    scene.wait(HOUR_MS).await;
    scene.take_log();
    scene.ask_to_install(1).await;
    scene.wait(4 * HOUR_MS).await;
    expect![[r#"
        60 alice asks for an installation
        60 report: 1 required/installing; deployment d non_compliant/installing
        60 scan: before installation
        60 report: no news
        60 the installer of 1 runs
        60 report: 1 installed; deployment d compliant/installed
        60 scan: after installation
    "#]]
    .assert_eq(&scene.take_log());
}

/// DEP-08: a failure is told with its code, and tried again.
#[tokio::test]
async fn a_failed_installation_is_told_with_its_code() {
    let mut scene = Scene::new(&[1]).await;
    scene.computer.end(1, Ending { code: 17, minutes: 0 });
    let deployment = scene.required(&[1], HOUR_MS);
    scene.publish(vec![deployment], &[]).await;
    scene.wait(HOUR_MS - 1).await;
    scene.take_log();
    scene.wait(30 * MINUTE_MS).await;
    scene.computer.end(1, Ending::default());
    scene.wait(HOUR_MS).await;
    expect![[r#"
        60 report: 1 required/installing; deployment d non_compliant/installing
        60 scan: before installation
        60 report: no news
        60 the installer of 1 runs
        60 report: 1 required/failed(17); deployment d non_compliant/failed
        60 scan: after installation
        120 report: 1 required/installing; deployment d non_compliant/installing
        120 scan: before installation
        120 report: no news
        120 the installer of 1 runs
        120 report: 1 installed; deployment d compliant/installed
        120 scan: after installation
    "#]]
    .assert_eq(&scene.take_log());
}

/// DEP-17: content is here at once; nobody can install before the time it becomes available.
#[tokio::test]
async fn before_the_available_time_nothing_can_be_installed() {
    let mut scene = Scene::new(&[1]).await;
    let mut deployment = scene.required(&[1], 8 * HOUR_MS);
    deployment.available_at = NOW.plus_ms(4 * HOUR_MS);
    scene.publish(vec![deployment], &[]).await;
    scene.wait(HOUR_MS).await;
    scene.ask_to_install(1).await;
    scene.wait(4 * HOUR_MS).await;
    scene.ask_to_install(1).await;
    expect![[r#"
        0 DP1 is asked for 1.sh
        60 alice asks for an installation: update 00000000-0000-0000-0000-000000000001 is not offered here: no deployment offers it yet, or it is not applicable
        300 alice asks for an installation
        300 the installer of 1 runs
    "#]].assert_eq(&scene.take_lines(&["DP", "installer", "alice"]));
}

/// DEP-18: nothing is fetched before the user starts it.
#[tokio::test]
async fn an_available_deployment_is_fetched_when_the_user_starts_it() {
    let mut scene = Scene::new(&[1]).await;
    let offered = scene.available(&[1]);
    scene.publish(vec![offered], &[]).await;
    scene.wait(9 * HOUR_MS).await;
    scene.ask_to_install(1).await;
    expect![[r#"
        0 policy 1 is asked for
        0 SUP1 is asked for documents
        0 scan: new policy, with SUP1
        15 report: deployment d unknown
        15 report: 1 required; deployment d non_compliant
        540 alice asks for an installation
        540 report: 1 required/downloading; deployment d non_compliant/downloading
        540 scan: before download
        540 report: no news
        540 the MP is asked where 1.sh is
        540 DP1 is asked for 1.sh
        540 report: 1 required/installing; deployment d non_compliant/installing
        540 the installer of 1 runs
        540 report: 1 installed; deployment d compliant/installed
        540 scan: after installation
    "#]]
    .assert_eq(&scene.take_log());
}

/// DEP-06: three updates of 0.7 MB come into a cache that may hold 1 MB.
#[tokio::test]
async fn updates_are_fetched_however_small_the_cache_is() {
    let mut scene = Scene::new(&[1, 2, 3]).await;
    let deployment = scene.required(&[1, 2, 3], HOUR_MS);
    scene.publish(vec![deployment], &[("cache.max_mb", "1")]).await;
    scene.wait(2 * HOUR_MS).await;
    expect![[r#"
        0 DP1 is asked for 1.sh
        0 DP1 is asked for 2.sh
        0 DP1 is asked for 3.sh
        60 the installer of 1 runs
        60 the installer of 2 runs
        60 the installer of 3 runs
    "#]]
    .assert_eq(&scene.take_lines(&["DP", "installer"]));
}

/// DEP-20: a deployment is withdrawn, what it had brought makes room for another, and comes once
/// more when it is deployed again.
#[tokio::test]
async fn what_was_removed_to_make_room_is_fetched_again() {
    let mut scene = Scene::new(&[1, 2]).await;
    let small = [("cache.max_mb", "1"), ("cache.min_age", "0")];
    let (first, second) = (scene.required(&[1], 9 * HOUR_MS), scene.required(&[2], 9 * HOUR_MS));
    scene.publish(vec![first.clone()], &small).await;
    scene.wait(HOUR_MS).await;
    scene.publish(vec![second.clone()], &small).await;
    scene.wait(HOUR_MS).await;
    scene.publish(vec![first, second], &small).await;
    scene.wait(8 * HOUR_MS).await;
    expect![[r#"
        0 policy 1 is asked for
        0 scan: new policy, with SUP1
        0 DP1 is asked for 1.sh
        60 policy 2 is asked for
        60 scan: new policy
        60 DP1 is asked for 2.sh
        120 policy 3 is asked for
        120 scan: new policy
        120 DP1 is asked for 1.sh
        540 the installer of 1 runs
        540 the installer of 2 runs
    "#]]
    .assert_eq(&scene.take_lines(&["policy", "DP", "installer"]));
}

/// DEP-19, DEP-20: at the deadline the cache is looked at; what is gone from it is fetched again.
#[tokio::test]
async fn what_is_missing_in_the_cache_at_the_deadline_is_fetched_again() {
    let mut scene = Scene::new(&[1]).await;
    let deployment = scene.required(&[1], HOUR_MS);
    scene.publish(vec![deployment], &[]).await;
    scene.agent().hands.library.remove(digest(1)).await.expect("removed");
    scene.wait(2 * HOUR_MS).await;
    expect![[r#"
        0 report: deployment d unknown
        0 DP1 is asked for 1.sh
        0 report: 1 required/downloading; deployment d non_compliant/downloading
        0 report: 1 required/downloaded; deployment d non_compliant/downloaded
        60 report: 1 required/installing; deployment d non_compliant/installing
        60 report: no news
        60 report: 1 required/downloading; deployment d non_compliant/downloading
        60 DP1 is asked for 1.sh
        60 report: 1 required/installing; deployment d non_compliant/installing
        60 the installer of 1 runs
        60 report: 1 installed; deployment d compliant/installed
    "#]]
    .assert_eq(&scene.take_lines(&["DP", "installer", "report"]));
}

/// DEP-25: every seven days; what is missing is installed from the cache, or fetched again.
#[tokio::test]
async fn what_was_removed_from_the_computer_is_installed_again() {
    let mut scene = Scene::new(&[1]).await;
    let deployment = scene.required(&[1], 0);
    scene.publish(vec![deployment], &[]).await;
    scene.wait(DAY_MS).await;
    scene.take_log();
    scene.computer.set(1, false);
    scene.wait(7 * DAY_MS).await;
    scene.computer.set(1, false);
    scene.agent().hands.library.remove(digest(1)).await.expect("removed");
    scene.wait(7 * DAY_MS).await;
    expect![[r#"
        10080 SUP1 is asked for documents
        10080 scan: evaluation again, with SUP1
        10080 report: 1 required/installing; deployment d non_compliant/installing
        10080 the installer of 1 runs
        10080 report: 1 installed; deployment d compliant/installed
        10080 scan: after installation
        20160 SUP1 is asked for documents
        20160 scan: evaluation again, with SUP1
        20160 report: 1 required/installing; deployment d non_compliant/installing
        20160 report: 1 required/downloading; deployment d non_compliant/downloading
        20160 the MP is asked where 1.sh is
        20160 DP1 is asked for 1.sh
        20160 scan: after installation
        20160 report: 1 required/installing; deployment d non_compliant/installing
        20160 the installer of 1 runs
        20160 report: 1 installed; deployment d compliant/installed
        20160 scan: after installation
    "#]]
    .assert_eq(&scene.take_log());
}

/// DEP-26: the same every day, by setting.
#[tokio::test]
async fn how_often_it_is_looked_for_is_a_setting() {
    let mut scene = Scene::new(&[1]).await;
    scene.world.settings.scan_interval_ms = 30 * 86_400_000;
    let deployment = scene.required(&[1], 0);
    scene.publish(vec![deployment], &[("reevaluation.every", "1d")]).await;
    scene.wait(HOUR_MS).await;
    scene.take_log();
    scene.computer.set(1, false);
    scene.wait(2 * DAY_MS).await;
    expect![[r#"
        1440 scan: evaluation again, with SUP1
        1440 the installer of 1 runs
        1440 scan: after installation
        2880 scan: evaluation again, with SUP1
    "#]]
    .assert_eq(&scene.take_lines(&["scan", "DP", "installer"]));
}

/// DEP-27, DEP-29: with "commit changes at deadline", the filter is opened at the deadline, and
/// closed when everything is installed; each with a restart.
#[tokio::test]
async fn a_write_filter_is_open_for_as_long_as_something_is_to_be_kept() {
    let mut scene = Scene::new(&[1]).await;
    scene.computer.close_filter();
    let mut deployment = scene.required(&[1], HOUR_MS);
    deployment.experience.commit_write_filter = true;
    scene.publish(vec![deployment], &[]).await;
    scene.wait(2 * HOUR_MS).await;
    scene.restart().await;
    scene.wait(HOUR_MS).await;
    expect![[r#"
        0 report: deployment d unknown
        0 report: 1 required/downloading; deployment d non_compliant/downloading
        0 report: 1 required/downloaded; deployment d non_compliant/downloaded
        60 report: 1 required/restart_required_first; deployment d non_compliant/waiting_for_restart
        60 the write filter opens with the next start
        60 the system restarts
        62 the system starts
        62 report: 1 required/downloaded; deployment d non_compliant/downloaded
        67 report: 1 required/installing; deployment d non_compliant/installing
        67 report: no news
        67 the installer of 1 runs
        67 report: 1 installed; deployment d compliant/installed
        67 the write filter closes with the next start
        67 the system restarts
        69 the system starts
        120 alice restarts the system
        122 the system starts
    "#]]
    .assert_eq(&scene.take_lines(&["installer", "system", "filter", "report"]));
}

/// DEP-27: without, the update goes into the overlay and is gone after a restart, until a
/// deployment that commits makes it stay.
#[tokio::test]
async fn without_commit_an_update_is_gone_after_a_restart() {
    let mut scene = Scene::new(&[1, 2]).await;
    scene.computer.close_filter();
    let passing = scene.required(&[1], HOUR_MS);
    scene.publish(vec![passing.clone()], &[]).await;
    scene.wait(2 * HOUR_MS).await;
    scene.restart().await;
    let mut lasting = scene.required(&[2], 0);
    lasting.experience.commit_write_filter = true;
    scene.publish(vec![passing, lasting], &[]).await;
    scene.wait(HOUR_MS).await;
    scene.restart().await;
    scene.wait(HOUR_MS).await;
    expect![[r#"
        0 policy 1 is asked for
        0 scan: new policy, with SUP1
        60 the installer of 1 runs
        120 alice restarts the system
        122 the system starts
        122 policy 2 is asked for
        122 scan: new policy
        127 the installer of 1 runs
        127 the write filter opens with the next start
        127 the system restarts
        129 the system starts
        134 the installer of 1 runs
        134 the installer of 2 runs
        134 the write filter closes with the next start
        134 the system restarts
        136 the system starts
        182 alice restarts the system
        184 the system starts
    "#]]
    .assert_eq(&scene.take_lines(&["policy", "installer", "system", "filter"]));
}

/// DEP-28: the window says when the filter is opened and closed, and when the device restarts.
#[tokio::test]
async fn a_write_filter_is_opened_in_a_maintenance_window() {
    let mut scene = Scene::new(&[1]).await;
    scene.computer.close_filter();
    scene.world.windows = vec![window("0 20 * * *")];
    let mut deployment = scene.required(&[1], HOUR_MS);
    deployment.experience.commit_write_filter = true;
    scene.publish(vec![deployment], &[]).await;
    scene.wait(DAY_MS).await;
    expect![[r#"
        0 DP1 is asked for 1.sh
        600 the write filter opens with the next start
        600 the system restarts
        602 the system starts
        607 the installer of 1 runs
        607 the write filter closes with the next start
        607 the system restarts
        609 the system starts
    "#]]
    .assert_eq(&scene.take_lines(&["DP", "installer", "system", "filter"]));
}
