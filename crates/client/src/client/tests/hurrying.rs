//! Deadlines do not wait for a random moment (DEP-16, DEP-17, SCAN-02).

use super::*;

const SPREAD_MS: i64 = 2 * HOUR_MS;

/// Symptom: a deadline passed while the client waited for its share of the spread. Cause: it was
/// asked only when policy arrived whether one had passed. Repair: the spread ends with the first
/// deadline of what is not known here.
#[test]
fn the_spread_ends_with_the_deadline_of_what_is_new() {
    for wait in 0..40 {
        let mut scene = Scene::with(vec![with_file(1)], SPREAD_MS);
        scene.publish(vec![], &[]);
        // What is here is more than a day old; another moment of chance each time.
        scene.wait(26 * HOUR_MS + wait * MINUTE_MS);
        scene.take_log();
        let begun = scene.now;
        scene.documents.push(with_file(2));
        let mut deployment = scene.assignment(0);
        deployment.updates.remove(0);
        deployment.deadline = Some(begun.plus_ms(10 * MINUTE_MS));
        scene.publish(vec![deployment], &[]);
        scene.wait(4 * HOUR_MS);
        let log = scene.take_log();
        let deadline = (begun.0 - NOW.0) / MINUTE_MS + 10;
        assert_eq!(installs(&log), [deadline], "{log}");
    }
}

/// What was drawn before is not kept where it is too late, also over an end of the process.
#[test]
fn a_deadline_ends_a_spread_that_has_begun() {
    let mut scene = Scene::with(vec![with_file(1)], SPREAD_MS);
    scene.publish(vec![], &[]);
    scene.wait(26 * HOUR_MS);
    scene.documents.push(with_file(2));
    let mut far = scene.assignment(9 * DAY_MS);
    far.updates.remove(0);
    scene.publish(vec![far.clone()], &[]);
    scene.take_log();
    let mut near = far;
    near.deadline = Some(scene.now.plus_ms(MINUTE_MS));
    scene.publish(vec![near], &[]);
    scene.crash();
    scene.wait(MINUTE_MS);
    let log = scene.take_log();
    assert_eq!(installs(&log), [26 * 60 + 1], "{log}");
}

/// What policy names and nobody has does not make the client ask without pause.
#[test]
fn what_no_update_point_has_is_asked_for_with_patience() {
    let mut scene = Scene::with(vec![with_file(1)], SPREAD_MS);
    scene.publish(vec![], &[]);
    scene.wait(26 * HOUR_MS);
    let mut deployment = scene.assignment(0);
    deployment.updates[0].update.id = update_id(9);
    deployment.deadline = Some(scene.now);
    scene.take_log();
    scene.publish(vec![deployment], &[]);
    scene.wait(HOUR_MS);
    let log = scene.take_log();
    let scans = log.lines().filter(|line| line.contains("scan")).count();
    assert!((1..20).contains(&scans), "{log}");
}

/// Symptom: `status` and the site knew neither server nor size of the last scan. Cause: a scan with
/// what is here took their place. Repair: those of the last contact stay.
#[test]
fn a_scan_with_what_is_here_keeps_the_last_contact() {
    let mut scene = Scene::new(vec![software(1)]);
    scene.publish(vec![], &[("detection.hours", "8")]);
    let first = scene.client.record().scan.clone().expect("scanned");
    assert_eq!((first.server.as_str(), first.bytes), ("https://sup", 100));
    scene.wait(9 * HOUR_MS);
    let log = scene.take_log();
    assert!(log.contains("480 scan with what is here"), "{log}");
    let second = scene.client.record().scan.clone().expect("scanned");
    assert_eq!((second.server.as_str(), second.bytes), ("https://sup", 100));
    assert!(second.at > first.at);
}
