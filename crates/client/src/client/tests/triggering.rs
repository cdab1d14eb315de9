//! What makes a client scan, sentence by sentence (SCAN-02 … SCAN-18).

use super::*;
use crate::triggers::Trigger;

#[test]
fn the_first_scan_begins_at_a_random_moment_within_two_hours() {
    let mut moments = BTreeSet::new();
    for seed in 0..20 {
        let mut scene = Scene::with(vec![with_file(1)], 2 * HOUR_MS);
        scene.client.chance = Chance::new(seed);
        let deployment = scene.assignment(DAY_MS);
        scene.publish(vec![deployment], &[]);
        assert_eq!(scene.take_log(), "0 policy 1\n");
        let due = scene.client.next_scan(scene.now).expect("planned").0;
        assert!((NOW..=NOW.plus_ms(2 * HOUR_MS)).contains(&due), "{due}");
        scene.wait(2 * HOUR_MS);
        let log = scene.take_log();
        assert!(log.contains("scan with https://sup (Online)"), "{log}");
        moments.insert(due);
    }
    assert!(moments.len() > 15, "{moments:?}");
}

#[test]
fn scans_follow_the_schedule_and_each_trigger_goes_as_far_as_it_is_documented_to() {
    let mut scene = Scene::new(vec![software(1)]);
    scene.publish(vec![], &[]);
    expect![[r#"
              0 policy 1
              0 scan with https://sup (Online)
    "#]]
    .assert_eq(&scene.take_log());
    scene.now = NOW.plus_ms(HOUR_MS);
    // SCAN-12 and SCAN-13: whoever asks gets an answer of the server, and the lifetime begins anew.
    for trigger in [Trigger::Asked, Trigger::EvaluationAsked] {
        scene.client.want_scan(trigger);
        scene.run();
    }
    // SCAN-14, SCAN-15, SCAN-16 within the lifetime: what is here does.
    for trigger in [Trigger::Reevaluation, Trigger::BeforeDownload, Trigger::BeforeInstall] {
        scene.client.want_scan(trigger);
        scene.run();
    }
    // SCAN-17 and SCAN-18: never a server, however old what is here is.
    scene.now = NOW.plus_ms(3 * DAY_MS);
    for trigger in [Trigger::AfterInstall, Trigger::AfterRestart] {
        scene.client.want_scan(trigger);
        scene.run();
    }
    // Beyond the lifetime of 24 hours (SCAN-09, SCAN-10).
    scene.client.want_scan(Trigger::Reevaluation);
    scene.run();
    let scans: Vec<_> = scene.log.lines().filter(|line| line.contains("scan")).collect();
    expect![[r#"
        60 scan with https://sup (Forced)
        60 scan with https://sup (Forced)
        60 scan with what is here (Online)
        60 scan with what is here (Online)
        60 scan with what is here (Online)
        4320 scan with what is here (Offline)
        4320 scan with what is here (Offline)
        4320 scan with https://sup (Online)"#]]
    .assert_eq(&scans.join("\n"));
}

#[test]
fn the_schedule_is_a_setting_and_less_is_said_only_of_what_changed() {
    let mut scene = Scene::new(vec![software(1)]);
    scene.publish(vec![], &[]);
    scene.wait(HOUR_MS);
    scene.take_log();
    // SCAN-08, SCAN-11 and SCAN-06: seven days, and nothing new to say.
    scene.wait(15 * DAY_MS);
    let log = scene.take_log();
    let scans: Vec<_> = log.lines().filter(|line| line.contains("scan")).collect();
    // The evaluation of all deployments comes with it.
    expect![[r#"
          10080 scan with https://sup (Online)
          20160 scan with https://sup (Online)"#]]
    .assert_eq(&scans.join("\n"));
    assert!(!log.contains(":required"), "{log}");
}

#[test]
fn an_update_point_that_is_away_is_asked_again_and_what_is_here_goes_on() {
    let mut scene = Scene::new(vec![with_file(1)]);
    let deployment = scene.assignment(2 * HOUR_MS);
    scene.publish(vec![deployment], &[]);
    scene.take_log();
    scene.is_update_point_away = true;
    scene.now = NOW.plus_ms(HOUR_MS);
    scene.client.want_scan(Trigger::Asked);
    scene.run();
    // SUPX-16: half an hour between attempts.
    scene.wait(2 * HOUR_MS);
    expect![[r#"
        60 scan with nobody (Forced)
        75 report 6-6 nobody answers
        90 scan with nobody (Forced)
        120 report 7-8 1:required/8(0) nobody answers
        120 scan with nobody (Forced)
        120 install 1
        120 report 9-10 1:installed nobody answers
        120 scan with what is here (Offline)
        150 scan with nobody (Forced)
        180 scan with nobody (Forced)
    "#]]
    .assert_eq(&scene.take_log());
}
