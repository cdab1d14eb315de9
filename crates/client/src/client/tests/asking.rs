//! What people ask for again and again.

use super::*;

fn failing(scene: &mut Scene, times: usize) {
    scene.endings = std::iter::repeat_n(Ended::Failed(1), times).collect();
}

/// Symptom: anybody who started a failed update a few times had its next attempt by itself put off
/// for a day and more. Cause: each start counted as an attempt. Repair: those of users do not.
#[test]
fn starts_by_users_do_not_put_off_what_starts_by_itself() {
    let mut scene = Scene::new(vec![with_file(1)]);
    failing(&mut scene, 100);
    scene.publish(vec![scene.assignment(0)], &[]);
    assert_eq!(installs(&scene.take_log()), [0]);
    for _ in 0..5 {
        scene.wait(2 * MINUTE_MS);
        scene.client.command(&Command::Install(None), scene.now).expect("it is offered");
        scene.run();
    }
    assert_eq!(installs(&scene.take_log()), [2, 4, 6, 8, 10]);
    scene.wait(8 * HOUR_MS);
    let (hour, four) = (10 + 60, 10 + 60 + 4 * 60);
    assert_eq!(installs(&scene.take_log()), [hour, four]);
}

/// Others' installers come and go; each of them would put off what fails by itself.
#[test]
fn what_waits_for_other_installers_is_tried_again_soon_and_puts_nothing_off() {
    let mut scene = Scene::new(vec![with_file(1)]);
    let busy = || Ended::NotRun { code: crate::plan::BUSY, reason: "apt is at work".to_owned() };
    scene.endings = [busy(), busy(), busy(), Ended::Failed(1), Ended::Failed(1)].into();
    scene.publish(vec![scene.assignment(0)], &[]);
    scene.wait(2 * HOUR_MS);
    assert_eq!(installs(&scene.take_log()), [0, 10, 20, 30, 90]);
}

/// One that ends the client with it is counted all the same: it must not begin without pause.
#[test]
fn an_installer_that_a_user_starts_and_that_ends_the_client_does_not_start_for_ever() {
    let mut scene = Scene::new(vec![with_file(1)]);
    failing(&mut scene, 1);
    scene.publish(vec![scene.assignment(0)], &[]);
    scene.wait(MINUTE_MS);
    scene.take_log();
    scene.is_deadly = true;
    scene.client.command(&Command::Install(None), scene.now).expect("it is offered");
    scene.run();
    for _ in 0..10 {
        scene.crash();
        scene.wait(MINUTE_MS);
    }
    let log = scene.take_log();
    assert!(installs(&log).len() < 5, "{log}");
}

/// Symptom: an administrator had a client forget what failed, and it was tried again after a day
/// only, if it failed once more. Cause: the number of its attempts stayed.
#[test]
fn after_a_reset_what_fails_is_repeated_soon() {
    let mut scene = Scene::new(vec![with_file(1)]);
    failing(&mut scene, 100);
    scene.publish(vec![scene.assignment(0)], &[]);
    scene.wait(6 * HOUR_MS);
    assert_eq!(installs(&scene.take_log()), [0, 60, 300]);
    scene.client.command(&Command::Reset, scene.now).expect("always");
    scene.wait(2 * HOUR_MS);
    let at = 6 * 60;
    assert_eq!(installs(&scene.take_log()), [at, at + 60]);
}

#[test]
fn one_scan_answers_all_who_ask_within_a_minute() {
    let mut scene = Scene::new(vec![with_file(1)]);
    assert!(!scene.client.has_scanned_lately(scene.now));
    scene.client.command(&Command::Scan, scene.now).expect("always");
    assert!(scene.client.has_scanned_lately(scene.now), "it is about to");
    scene.publish(vec![], &[]);
    assert!(scene.client.has_scanned_lately(scene.now), "it has just ended");
    let later = scene.now.plus_ms(MINUTE_MS);
    assert!(!scene.client.has_scanned_lately(later));
    assert!(!scene.client.has_scanned_lately(scene.now.plus_ms(-1)), "the clock was set back");
}
