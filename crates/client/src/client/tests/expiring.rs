//! Policy that nobody renews: what it named is not begun any more, and that is told once.

use super::*;
use crate::client::{Command, NotDone, Wait};

fn policy_events(scene: &mut Scene) -> String {
    std::mem::take(&mut scene.policy_events)
}

#[test]
fn nothing_is_installed_after_the_policy_has_expired() {
    let mut scene = Scene::new(vec![with_file(1)]);
    let deployment = scene.assignment(31 * DAY_MS);
    scene.publish(vec![deployment.clone()], &[]);
    scene.wait(40 * DAY_MS);
    let log = scene.take_log();
    assert!(log.contains("fetch 1.deb"), "{log}");
    assert_eq!(installs(&log), [0_i64; 0], "{log}");
    expect!["43200 policy 1 expired at 2026-12-20T10:00:00.000Z; nothing new is begun upon it\n"]
        .assert_eq(&policy_events(&mut scene));
    let stand = scene.client.stand(&deployment, &deployment.updates[0], scene.now);
    assert_eq!((stand.wait, stand.acts_at), (Wait::Policy, None));
    let refused = scene.client.command(&Command::Install(None), scene.now);
    assert_eq!(refused, Err(NotDone::PolicyExpired(NOW.plus_ms(30 * DAY_MS))));
    // What ends it is newer policy, and nothing else.
    scene.crash();
    scene.wait(DAY_MS);
    assert_eq!(installs(&scene.take_log()), [0_i64; 0]);
    scene.sign_at = scene.now;
    scene.publish(vec![deployment], &[]);
    assert_eq!(installs(&scene.take_log()), [41 * 24 * 60]);
}

#[test]
fn nothing_is_downloaded_after_the_policy_has_expired() {
    let mut scene = Scene::new(vec![with_file(1)]);
    let mut deployment = scene.assignment(50 * DAY_MS);
    scene.documents.clear();
    scene.publish(vec![deployment.clone()], &[]);
    scene.wait(31 * DAY_MS);
    scene.documents.push(with_file(1));
    scene.wait(8 * DAY_MS);
    assert!(!scene.take_log().contains("fetch"));
    assert_eq!(
        scene.client.stand(&deployment, &deployment.updates[0], scene.now).wait,
        Wait::Policy
    );
    scene.sign_at = scene.now;
    deployment.deadline = Some(scene.now.plus_ms(DAY_MS));
    scene.publish(vec![deployment], &[]);
    assert!(scene.take_log().contains("fetch 1.deb"));
}

/// A clock that was ahead is put right: the policy holds still, and its end is told when it comes.
#[test]
fn what_expired_by_a_wrong_clock_holds_again() {
    let mut scene = Scene::new(vec![with_file(1)]);
    let deployment = scene.assignment(HOUR_MS);
    scene.publish(vec![deployment], &[]);
    scene.now = NOW.plus_ms(300 * DAY_MS);
    scene.run();
    assert_eq!(installs(&scene.take_log()), [0_i64; 0]);
    scene.now = NOW;
    scene.run();
    scene.wait(2 * HOUR_MS);
    assert_eq!(installs(&scene.take_log()), [60]);
    scene.wait(31 * DAY_MS);
    assert_eq!(policy_events(&mut scene).lines().count(), 2);
}
