//! Restarts of the system (DEP-22 … DEP-24, INT-09, SCAN-18, COMP-06).

use super::*;
use crate::client::{Command, NotDone};

fn needing_restart(deadline: i64) -> (Scene, Assignment) {
    let mut scene = Scene::new(vec![with_file(1)]);
    scene.endings.push_back(Ended::Succeeded { needs_restart: true });
    let deployment = scene.assignment(deadline);
    (scene, deployment)
}

#[test]
fn at_the_deadline_the_system_is_restarted_and_then_it_is_installed() {
    let (mut scene, deployment) = needing_restart(HOUR_MS);
    scene.publish(vec![deployment], &[]);
    scene.wait(HOUR_MS);
    scene.installed.insert(update_id(1));
    scene.restart("second");
    expect![[r#"
        0 policy 1
        0 scan with https://sup (Online)
        0 report 1-1
        0 fetch 1.deb
        0 report 2-3 1:required/12(0)
        0 report 4-5 1:required/13(0)
        60 report 6-7 1:required/8(0)
        60 scan with what is here (Online)
        60 report 8-8
        60 install 1
        60 report 9-10 1:required/9(0)
        60 scan with what is here (Offline)
        60 restart
        60 the system restarts
        60 scan with what is here (Offline)
        60 report 11-12 1:installed
    "#]]
    .assert_eq(&scene.take_log());
}

#[test]
fn what_detection_sees_at_once_waits_for_its_restart_all_the_same() {
    let (mut scene, deployment) = needing_restart(0);
    scene.publish(vec![deployment], &[]);
    scene.installed.insert(update_id(1));
    scene.client.want_scan(Trigger::Asked);
    scene.wait(HOUR_MS);
    let log = scene.take_log();
    assert!(log.contains("1:required/9(0)") && !log.contains("1:installed"), "{log}");
    assert_eq!(
        (log.matches("install 1\n").count(), log.contains(" restart\n")),
        (1, true),
        "{log}"
    );
    scene.restart("second");
    assert!(scene.take_log().contains("1:installed"));
}

/// A bundle is not installed as long as one of its members waits for a restart, whether others
/// have it installed or are yet to be installed.
#[test]
fn a_member_of_a_bundle_that_is_seen_at_once_waits_for_its_restart() {
    for needing in [0, 1] {
        let mut documents = vec![software(1), with_file(2), with_file(3)];
        documents[0].relations.bundled =
            documents[1..].iter().map(|document| vec![document.update]).collect();
        documents[1..].iter_mut().for_each(|d| d.properties.is_explicitly_deployable = false);
        let mut scene = Scene::new(documents);
        scene.is_seen_at_once = true;
        let ended = |number| Ended::Succeeded { needs_restart: number == needing };
        scene.endings = (0..2).map(ended).collect();
        let deployment = scene.assignment(0);
        scene.publish(vec![deployment], &[]);
        scene.wait(HOUR_MS);
        let log = scene.take_log();
        assert!(log.contains(" restart\n") && !log.contains("1:installed"), "{log}");
        assert!(log.contains("1:required/9(0)"), "{log}");
        scene.restart("second");
        assert!(scene.take_log().contains("1:installed"));
    }
}

#[test]
fn what_a_user_installs_early_waits_for_the_deadline_with_its_restart() {
    let (mut scene, deployment) = needing_restart(5 * HOUR_MS);
    scene.publish(vec![deployment], &[]);
    scene.client.command(&Command::Install(None), scene.now).expect("offered");
    scene.wait(4 * HOUR_MS);
    let log = scene.take_log();
    assert!(log.contains("install 1") && !log.contains(" restart\n"), "{log}");
    scene.wait(HOUR_MS);
    assert!(scene.take_log().contains("300 restart\n"));
}

#[test]
fn an_earlier_restart_for_another_reason_is_enough() {
    let (mut scene, deployment) = needing_restart(5 * HOUR_MS);
    scene.publish(vec![deployment], &[]);
    scene.client.command(&Command::Install(None), scene.now).expect("offered");
    scene.wait(HOUR_MS);
    scene.installed.insert(update_id(1));
    scene.restart("second");
    scene.wait(DAY_MS);
    let log = scene.take_log();
    assert!(log.contains("1:installed") && !log.contains(" restart\n"), "{log}");
}

#[test]
fn servers_and_workstations_are_spared_apart() {
    for (is_server, servers, workstations, is_restarted) in [
        (true, true, false, false),
        (true, false, true, true),
        (false, false, true, false),
        (false, true, false, true),
    ] {
        let (mut scene, mut deployment) = needing_restart(0);
        deployment.experience.suppress_restart_servers = servers;
        deployment.experience.suppress_restart_workstations = workstations;
        scene.around.is_server = is_server;
        scene.client.observe(scene.around.clone(), scene.now);
        scene.publish(vec![deployment], &[]);
        scene.wait(HOUR_MS);
        let log = scene.take_log();
        assert_eq!(log.contains(" restart\n"), is_restarted, "{log}");
        assert!(log.contains("1:required/9(0)"), "{log}");
    }
}

#[test]
fn users_are_told_and_may_put_it_off() {
    let (mut scene, deployment) = needing_restart(0);
    scene.around.has_users = true;
    scene.client.observe(scene.around.clone(), scene.now);
    scene.publish(vec![deployment], &[]);
    scene.take_log();
    let refused = scene.client.command(&Command::Defer(91), scene.now);
    assert_eq!(refused, Err(NotDone::TooLate(NOW.plus_ms(90 * MINUTE_MS))));
    scene.client.command(&Command::Defer(60), scene.now).expect("soon enough");
    scene.wait(60 * MINUTE_MS);
    expect![[r#"
             30 tell users: restart in Some(30) minutes
             45 tell users: restart in Some(15) minutes
             60 restart
    "#]]
    .assert_eq(&scene.take_log());
}

#[test]
fn nothing_to_put_off_is_said() {
    let mut scene = Scene::new(vec![software(1)]);
    scene.publish(vec![], &[]);
    assert_eq!(scene.client.command(&Command::Defer(5), NOW), Err(NotDone::NoRestart));
}

#[test]
fn a_restart_the_system_asks_for_is_left_to_users() {
    let mut scene = Scene::new(vec![software(1)]);
    scene.around.asks_for_restart = true;
    scene.around.has_users = true;
    scene.client.observe(scene.around.clone(), scene.now);
    scene.publish(vec![], &[]);
    scene.wait(DAY_MS);
    let log = scene.take_log();
    assert!(log.contains("tell users: restart in None") && !log.contains(" restart\n"), "{log}");
}

#[test]
fn what_was_missed_while_the_system_was_off_waits_a_little_after_its_start() {
    let mut scene = Scene::new(vec![with_file(1)]);
    let deployment = scene.assignment(HOUR_MS);
    scene.publish(vec![deployment], &[("missed.delay", "20")]);
    scene.take_log();
    scene.now = NOW.plus_ms(3 * HOUR_MS);
    scene.restart("second");
    assert!(!scene.take_log().contains("install"));
    scene.wait(20 * MINUTE_MS);
    assert!(scene.take_log().contains("200 install 1"));
}

#[test]
fn a_write_filter_is_opened_for_what_is_to_be_kept_and_closed_afterwards() {
    let mut scene = Scene::new(vec![with_file(1)]);
    scene.around.filter = WriteFilter::Closed;
    scene.client.observe(scene.around.clone(), scene.now);
    let mut deployment = scene.assignment(HOUR_MS);
    deployment.experience.commit_write_filter = true;
    scene.publish(vec![deployment], &[("missed.delay", "1")]);
    scene.wait(HOUR_MS);
    scene.around.filter = WriteFilter::Open;
    scene.restart("second");
    scene.wait(5 * MINUTE_MS);
    scene.around.filter = WriteFilter::Closed;
    scene.restart("third");
    scene.wait(DAY_MS);
    let log = scene.take_log();
    let done: Vec<_> =
        log.lines().filter(|line| !line.contains("report") && !line.contains("scan")).collect();
    expect![[r#"
        0 policy 1
        0 fetch 1.deb
        60 open the write filter
        60 restart
        60 the system restarts
        60 fetch 1.deb
        61 install 1
        61 close the write filter
        61 restart
        65 the system restarts"#]]
    .assert_eq(&done.join("\n"));
}

#[test]
fn without_the_wish_to_keep_it_goes_into_the_overlay() {
    let mut scene = Scene::new(vec![with_file(1)]);
    scene.around.filter = WriteFilter::Closed;
    scene.client.observe(scene.around.clone(), scene.now);
    let deployment = scene.assignment(0);
    scene.publish(vec![deployment], &[]);
    let log = scene.take_log();
    assert!(log.contains("install 1") && !log.contains("filter"), "{log}");
}
