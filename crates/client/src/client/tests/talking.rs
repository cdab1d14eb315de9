//! Policy and reports (SCAN-07, STATE-13, STATE-15, STATE-16, CSET-12).

use super::*;

#[test]
fn states_wait_for_their_batch_and_installations_do_not() {
    let mut scene = Scene::new(vec![software(1)]);
    scene.publish(vec![], &[]);
    scene.wait(15 * MINUTE_MS);
    expect![[r#"
        0 policy 1
        0 scan with https://sup (Online)
        15 report 1-1 1:required
    "#]]
    .assert_eq(&scene.take_log());
}

#[test]
fn nothing_is_lost_or_said_twice_over_a_crash() {
    let mut scene = Scene::new(vec![software(1), software(2)]);
    scene.is_management_point_deaf = true;
    scene.publish(vec![], &[]);
    scene.wait(HOUR_MS);
    scene.crash();
    scene.is_management_point_deaf = false;
    scene.wait(HOUR_MS);
    let log = scene.take_log();
    let reports: Vec<_> = log.lines().filter(|line| line.contains("report")).collect();
    assert_eq!(reports.len(), 1, "{log}");
    assert!(reports[0].ends_with("report 1-2 1:required 2:required"), "{log}");
}

#[test]
fn policy_is_asked_for_as_often_as_it_says() {
    let mut scene = Scene::new(vec![]);
    scene.publish(vec![], &[]);
    let mut polls = 0;
    let end = scene.now.plus_ms(DAY_MS);
    while let Some(at) = scene.client.polls.turn.due.filter(|at| *at < end) {
        let before = scene.now;
        scene.wait(at.0 - scene.now.0);
        let wait = (scene.now.0 - before.0) / MINUTE_MS;
        assert!((54..=60).contains(&wait), "{wait}");
        polls += 1;
    }
    assert!((24..=27).contains(&polls), "{polls}");
}

#[test]
fn everything_is_said_again_when_the_site_asks_for_it() {
    let mut scene = Scene::new(vec![software(1), software(2)]);
    scene.publish(vec![], &[]);
    scene.wait(HOUR_MS);
    scene.take_log();
    scene.client.want_everything();
    scene.run();
    expect![[r#"
             60 report 3-4 1:required 2:required
    "#]]
    .assert_eq(&scene.take_log());
}

#[test]
fn asking_twice_gives_work_only_once() {
    let mut scene = Scene::new(vec![software(1)]);
    let first = scene.client.next(NOW);
    assert_eq!(first.len(), 1);
    assert!(scene.client.next(NOW).is_empty());
    assert!(matches!(first[0], Work::AskPolicy(_)));
}

#[test]
fn a_clock_that_is_set_back_stops_nothing() {
    let mut scene = Scene::new(vec![software(1)]);
    scene.publish(vec![], &[]);
    scene.now = NOW.plus_ms(-365 * DAY_MS);
    scene.run();
    scene.take_log();
    let end = scene.now.plus_ms(8 * DAY_MS);
    while scene.now < end {
        scene.wait(HOUR_MS);
    }
    assert!(scene.take_log().contains("scan"));
}

/// Symptom: what a computer said after its disk was put back to an earlier snapshot came to nothing.
/// Cause: its serials had been used. Repair: it goes on after the last one that its site has.
#[test]
fn a_computer_that_was_put_back_goes_on_after_what_its_site_knows() {
    let mut scene = Scene::new(vec![software(1), software(2)]);
    scene.publish(vec![], &[]);
    scene.wait(HOUR_MS);
    scene.installed.insert(update_id(2));
    scene.client.want_everything();
    scene.client.want_scan_soon(scene.now);
    scene.wait(HOUR_MS);
    scene.take_log();
    scene.known = 40;
    scene.client.want_everything();
    scene.run();
    expect![[r#"
        120 report 6-7 1:required 2:installed
        120 report 41-42 1:required 2:installed
    "#]]
    .assert_eq(&scene.take_log());
    // What comes late is of no matter.
    let record = scene.client.record().clone();
    let late = Some(Taken::BySite(model::ReportOutcome::Behind(40)));
    scene.client.tell(Outcome::Sent(41, late), scene.now);
    scene.run();
    assert_eq!((scene.take_log().as_str(), scene.client.record()), ("", &record));
    // Nobody moves it to where there are no more numbers.
    let hostile = Some(Taken::BySite(model::ReportOutcome::Behind(u64::MAX)));
    scene.client.tell(Outcome::Sent(42, hostile), scene.now);
    scene.run();
    scene.client.want_everything();
    scene.run();
    assert!(scene.client.record().serial > u64::from(u32::MAX));
}
