//! When a computer is described to its site.

use super::*;

#[test]
fn a_computer_is_described_daily_and_after_installations() {
    let mut scene = Scene::new(vec![with_file(1), with_file(2)]);
    scene.publish(Vec::new(), &[]);
    assert!(scene.described.is_empty());
    scene.wait(2 * DAY_MS);
    let daily: Vec<i64> = scene.described.drain(..).collect();
    assert_eq!(daily.len(), 2, "{daily:?}");
    assert_eq!(daily[0], 1);
    assert!((24 * 60..=26 * 60).contains(&daily[1]), "{daily:?}");
    let before = (scene.now.0 - NOW.0) / MINUTE_MS;
    let deployed = scene.assignment(scene.now.0 - NOW.0);
    scene.publish(vec![deployed], &[]);
    scene.wait(10 * MINUTE_MS);
    assert_eq!(scene.installed.len(), 2);
    assert_eq!(scene.described, [before + 1], "of both installations together");
}

#[test]
fn a_description_that_nobody_takes_is_tried_again() {
    let mut scene = Scene::new(Vec::new());
    scene.publish(Vec::new(), &[]);
    scene.is_management_point_deaf = true;
    scene.wait(10 * MINUTE_MS);
    assert!(scene.described.len() > 2, "{:?}", scene.described);
    scene.is_management_point_deaf = false;
    scene.wait(HOUR_MS);
    let taken = scene.described.len();
    scene.wait(10 * HOUR_MS);
    assert_eq!(scene.described.len(), taken);
}
