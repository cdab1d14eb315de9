//! A user sets the time of an installation (DEP-07).

use super::*;
use crate::client::{Command, NotDone, Wait};

fn at(scene: &Scene, ms: i64) -> Command {
    Command::InstallAt(None, scene.now.plus_ms(ms))
}

#[test]
fn what_a_user_has_set_a_time_for_is_installed_then_also_after_a_crash() {
    let mut scene = Scene::new(vec![with_file(1)]);
    let deployment = scene.assignment(8 * HOUR_MS);
    scene.publish(vec![deployment.clone()], &[]);
    let command = at(&scene, 3 * HOUR_MS);
    scene.client.command(&command, scene.now).expect("offered");
    scene.run();
    let stand = scene.client.stand(&deployment, &deployment.updates[0], scene.now);
    assert_eq!((stand.wait, stand.acts_at), (Wait::Planned, Some(NOW.plus_ms(3 * HOUR_MS))));
    scene.wait(HOUR_MS);
    scene.crash();
    scene.take_log();
    scene.wait(9 * HOUR_MS);
    assert_eq!(installs(&scene.take_log()), [180]);
    assert!(scene.client.notes.planned.is_empty() && scene.client.notes.wishes.is_empty());
}

#[test]
fn the_time_of_an_available_update_is_kept_to_and_can_be_taken_back() {
    let mut scene = Scene::new(vec![with_file(1)]);
    let mut offered = scene.assignment(0);
    (offered.intent, offered.deadline) = (Intent::Available, None);
    scene.publish(vec![offered.clone()], &[]);
    let command = at(&scene, HOUR_MS);
    scene.client.command(&command, scene.now).expect("offered");
    let stand = scene.client.stand(&offered, &offered.updates[0], scene.now);
    assert_eq!((stand.wait, stand.acts_at), (Wait::Planned, Some(NOW.plus_ms(HOUR_MS))));
    scene.client.command(&Command::Unplan(None), scene.now).expect("it is planned");
    scene.wait(2 * HOUR_MS);
    assert_eq!(installs(&scene.take_log()), [0_i64; 0]);
    let command = at(&scene, HOUR_MS);
    scene.client.command(&command, scene.now).expect("offered");
    scene.wait(2 * HOUR_MS);
    assert_eq!(installs(&scene.take_log()), [180]);
}

/// Symptom: what somebody had set a night for was installed at noon, when policy was renewed after
/// it had expired. Cause: a time that came meanwhile was a wish that waited. Repair: it is over.
#[test]
fn a_time_that_comes_after_the_policy_has_expired_is_over() {
    let mut scene = Scene::new(vec![with_file(1)]);
    let mut offered = scene.assignment(0);
    (offered.intent, offered.deadline) = (Intent::Available, None);
    scene.publish(vec![offered.clone()], &[]);
    let command = at(&scene, 40 * DAY_MS);
    scene.client.command(&command, scene.now).expect("offered");
    scene.wait(41 * DAY_MS);
    scene.sign_at = scene.now;
    scene.publish(vec![offered], &[]);
    scene.wait(DAY_MS);
    let log = scene.take_log();
    assert_eq!(installs(&log), [0_i64; 0], "{log}");
    assert!(scene.client.notes.planned.is_empty());
}

#[test]
fn a_time_has_bounds() {
    let mut scene = Scene::new(vec![with_file(1), software(2)]);
    let mut deployment = scene.assignment(8 * HOUR_MS);
    deployment.updates.truncate(1);
    scene.publish(vec![deployment], &[]);
    let now = scene.now;
    let mut refused = |command: Command| scene.client.command(&command, now).expect_err("refused");
    let of = |number| Some(vec![update_id(number)]);
    assert_eq!(refused(Command::InstallAt(None, now)), NotDone::Past(now));
    let far = now.plus_ms(400 * DAY_MS);
    assert_eq!(refused(Command::InstallAt(None, far)), NotDone::TooFar(far));
    let late = now.plus_ms(9 * HOUR_MS);
    let deadline = now.plus_ms(8 * HOUR_MS);
    let expected = NotDone::AfterDeadline(update_id(1), deadline);
    assert_eq!(refused(Command::InstallAt(None, late)), expected);
    let soon = now.plus_ms(HOUR_MS);
    assert_eq!(refused(Command::InstallAt(of(2), soon)), NotDone::NotOffered(update_id(2)));
    assert_eq!(refused(Command::Unplan(of(1))), NotDone::NotPlanned(update_id(1)));
    assert_eq!(refused(Command::Unplan(None)), NotDone::NothingPlanned);
}

#[test]
fn an_update_that_is_not_hidden_cannot_be_shown() {
    let mut scene = Scene::new(vec![with_file(1)]);
    scene.publish(vec![], &[]);
    let refused = scene.client.command(&Command::Show(update_id(9)), scene.now);
    assert_eq!(refused, Err(NotDone::NotHidden(update_id(9))));
}
