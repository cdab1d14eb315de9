//! What must not go round in circles, or be forgotten, over months.

use super::*;
use crate::client::Command;
use crate::triggers::Trigger;

#[test]
fn a_restart_that_makes_nothing_effective_is_no_loop() {
    let mut scene = Scene::new(vec![with_file(1)]);
    scene.endings = (0..50).map(|_| Ended::Succeeded { needs_restart: true }).collect();
    let deployment = scene.assignment(0);
    scene.publish(vec![deployment], &[("missed.delay", "1")]);
    for boot in 0..10 {
        scene.wait(10 * MINUTE_MS);
        scene.restart(&format!("boot {boot}"));
    }
    let log = scene.take_log();
    // Once, and again after an hour.
    assert_eq!(installs(&log).len(), 2, "{log}");
    assert!(log.contains("1:required/11(-2016410844)"), "{log}");
}

#[test]
fn an_installer_that_takes_the_client_with_it_is_begun_twice_and_then_waits() {
    let mut scene = Scene::new(vec![with_file(1)]);
    let deployment = scene.assignment(0);
    scene.is_deadly = true;
    scene.publish(vec![deployment], &[]);
    for _ in 0..10 {
        scene.crash();
    }
    assert_eq!(installs(&scene.take_log()).len(), 2);
    scene.is_deadly = false;
    scene.wait(4 * HOUR_MS);
    assert!(scene.installed.contains(&update_id(1)), "{}", scene.log);
}

#[test]
fn what_is_gone_again_at_once_is_not_installed_without_pause() {
    let mut scene = Scene::new(vec![with_file(1)]);
    let deployment = scene.assignment(0);
    scene.publish(vec![deployment], &[]);
    for _ in 0..20 {
        scene.installed.clear();
        scene.client.want_scan(Trigger::Asked);
        scene.wait(MINUTE_MS);
    }
    assert_eq!(installs(&scene.take_log()), [0]);
}

#[test]
fn nothing_is_begun_before_it_is_known_what_new_policy_needs() {
    let mut scene = Scene::new(vec![with_file(1), with_file(2)]);
    let (mut first, second) = (scene.assignment(HOUR_MS), scene.assignment(9 * HOUR_MS));
    first.updates.truncate(1);
    scene.publish(vec![first], &[]);
    scene.offer_policy(vec![second], &[]);
    let [Work::AskPolicy(_)] = &scene.client.next(scene.now)[..] else { panic!("it asks") };
    let accepted = Box::new(scene.offer.clone().expect("published"));
    let answered = Answered { has_introduced: true, answer: Answer::New(accepted) };
    scene.client.tell(Outcome::Policy(Some(answered)), scene.now);
    // The deadline of before comes, which holds no more.
    scene.now = NOW.plus_ms(HOUR_MS);
    let works = scene.client.next(scene.now);
    assert!(works.iter().any(|work| matches!(work, Work::Inspect(_))), "{works:?}");
    let begins = |work: &Work| matches!(work, Work::Detect(_) | Work::Install(_));
    assert!(!works.iter().any(begins), "{works:?}");
    assert!(scene.client.wake_at().is_none_or(|at| at > scene.now));
}

#[test]
fn a_wake_up_during_a_question_is_answered_by_another_question() {
    let mut scene = Scene::new(vec![]);
    let works = scene.client.next(NOW);
    assert!(matches!(works[..], [Work::AskPolicy(_)]));
    scene.client.want_policy(NOW);
    let answered = Answered { has_introduced: true, answer: Answer::Same };
    scene.client.tell(Outcome::Policy(Some(answered)), NOW);
    assert!(matches!(scene.client.next(NOW)[..], [Work::AskPolicy(_)]));
}

#[test]
fn a_wish_ends_with_its_deployment() {
    let mut scene = Scene::new(vec![with_file(1)]);
    let mut offered = scene.assignment(0);
    (offered.intent, offered.deadline) = (Intent::Available, None);
    scene.publish(vec![offered], &[]);
    scene.endings.push_back(Ended::Failed(5));
    scene.client.command(&Command::Install(None), scene.now).expect("offered");
    scene.publish(vec![], &[]);
    scene.wait(HOUR_MS);
    let required = scene.assignment(9 * HOUR_MS);
    scene.take_log();
    scene.publish(vec![required], &[]);
    scene.wait(HOUR_MS);
    assert!(installs(&scene.take_log()).is_empty());
}

#[test]
fn a_clock_that_was_years_ahead_leaves_nothing_behind() {
    let mut scene = Scene::new(vec![with_file(1)]);
    scene.now = NOW.plus_ms(3 * 365 * DAY_MS);
    scene.run();
    scene.now = NOW;
    let deployment = scene.assignment(HOUR_MS);
    scene.publish(vec![deployment], &[]);
    scene.wait(HOUR_MS);
    let log = scene.take_log();
    assert_eq!(installs(&log), [60], "{log}");
    let scans = log.lines().filter(|line| line.contains("scan")).count();
    assert!(scans <= 4, "{log}");
}

#[test]
fn a_deferral_is_forgotten_with_its_restart() {
    let mut scene = Scene::new(vec![with_file(1)]);
    scene.around.has_users = true;
    scene.client.observe(scene.around.clone(), scene.now);
    scene.endings.push_back(Ended::Succeeded { needs_restart: true });
    let deployment = scene.assignment(0);
    scene.publish(vec![deployment], &[]);
    scene.client.command(&Command::Defer(60), scene.now).expect("pending");
    scene.publish(vec![], &[]);
    scene.wait(DAY_MS);
    let log = scene.take_log();
    assert!(!log.contains(" restart\n"), "{log}");
    assert_eq!(scene.client.notes.restart_deferred_to, None);
}

#[test]
fn users_who_come_back_late_are_told_before_it_restarts() {
    let mut scene = Scene::new(vec![with_file(1)]);
    scene.around.has_users = true;
    scene.client.observe(scene.around.clone(), scene.now);
    scene.endings.push_back(Ended::Succeeded { needs_restart: true });
    let deployment = scene.assignment(0);
    scene.publish(vec![deployment], &[]);
    scene.take_log();
    // The lid was closed over the deadline of the restart.
    scene.now = NOW.plus_ms(17 * HOUR_MS);
    scene.run();
    scene.wait(20 * MINUTE_MS);
    expect![[r#"
        1020 tell users: restart in Some(15) minutes
        1035 restart
    "#]]
    .assert_eq(&restart_lines(&scene.take_log()));
}

fn restart_lines(log: &str) -> String {
    let lines = log.lines().filter(|line| line.contains("restart"));
    lines.fold(String::new(), |all, line| all + line + "\n")
}
