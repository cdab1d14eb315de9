//! Installers that outlive the client, and versions of the agent that it gave up.

use super::*;
use crate::agent_update::{Reason, Rejected, Version};
use crate::plan::Phase;

/// The client has ended while its installer ran.
fn interrupted() -> Scene {
    let mut scene = Scene::new(vec![with_file(1)]);
    let deployment = scene.assignment(0);
    scene.is_deadly = true;
    scene.publish(vec![deployment], &[]);
    scene.is_deadly = false;
    scene.take_log();
    scene
}

/// Which updates are reported, in which steps, and what is done besides.
fn told(scene: &mut Scene) -> String {
    let log = scene.take_log();
    let lines = log.lines().filter(|line| !line.contains("scan"));
    let news = lines.filter(|line| !line.contains("report") || line.contains(':'));
    news.map(|line| line.to_owned() + "\n").collect()
}

#[test]
fn an_exit_code_outlives_the_client() {
    let mut scene = interrupted();
    scene.seen = Some(Ended::Failed(17));
    scene.crash();
    scene.wait(HOUR_MS);
    expect![[r#"
        crash
        0 report 4-5 1:required/8(0)
        0 install 1 has ended
        0 report 6-7 1:required/11(17)
        60 report 8-9 1:required/12(0)
        60 fetch 1.deb
        60 report 11-12 1:required/8(0)
        60 install 1
        60 report 13-14 1:installed
    "#]]
    .assert_eq(&told(&mut scene));
}

#[test]
fn a_need_for_a_restart_outlives_the_client() {
    let mut scene = interrupted();
    scene.seen = Some(Ended::Succeeded { needs_restart: true });
    scene.installed.insert(update_id(1));
    scene.crash();
    let log = told(&mut scene);
    assert!(log.contains("1:required/9(0)") && log.contains("0 restart\n"), "{log}");
    scene.restart("second");
    assert!(told(&mut scene).contains("1:installed"));
}

#[test]
fn a_need_for_a_restart_that_has_come_meanwhile_is_met() {
    let mut scene = interrupted();
    scene.seen = Some(Ended::Succeeded { needs_restart: true });
    scene.installed.insert(update_id(1));
    scene.restart("second");
    scene.wait(HOUR_MS);
    let log = told(&mut scene);
    assert!(log.contains("1:installed") && !log.contains(" restart\n"), "{log}");
}

#[test]
fn an_ending_counts_once() {
    let mut scene = interrupted();
    scene.seen = Some(Ended::Failed(17));
    scene.crash();
    let run = scene.memory.runs[&update_id(1)].clone();
    assert_eq!((run.phase, run.attempts), (Phase::Failed(17), 1));
    let assigned = scene.client.policy().assignments[0].updates[0].clone();
    let again = (assigned, Ended::Failed(18), Applicability::Applicable);
    scene.client.tell(Outcome::Settled(Some(again)), scene.now);
    scene.run();
    assert_eq!(scene.memory.runs[&update_id(1)], run);
    scene.seen = Some(Ended::Failed(18));
    scene.crash();
    assert_eq!(scene.memory.runs[&update_id(1)], run, "nobody asks for it any more");
}

#[test]
fn what_nobody_saw_is_left_to_detection() {
    for (is_there, installs) in [(true, 0), (false, 1)] {
        let mut scene = interrupted();
        scene.installed.extend(is_there.then_some(update_id(1)));
        scene.crash();
        scene.wait(MINUTE_MS);
        let log = told(&mut scene);
        assert!(log.contains("1:installed"), "{log}");
        assert_eq!(log.matches("install 1").count(), installs, "{log}");
    }
}

/// Whoever waited for it has ended, and the client has not.
#[test]
fn an_installer_of_this_life_that_nobody_saw_the_end_of_is_begun_once_more() {
    let mut scene = Scene::new(vec![with_file(1)]);
    scene.endings = [Ended::Unseen, Ended::Unseen].into();
    let deployment = scene.assignment(0);
    scene.publish(vec![deployment], &[]);
    scene.wait(MINUTE_MS);
    let log = told(&mut scene);
    assert_eq!(log.matches("install 1").count(), 2, "{log}");
    assert!(log.contains("1:required/11(-2016410844)"), "then it waits: {log}");
}

fn rejected(scene: &Scene) -> Rejected {
    let sha256 = scene.client.policy().assignments[0].updates[0].files[0].sha256;
    let version = Version { version: "1.4.0".to_owned(), sha256, beside: "1.3.0".to_owned() };
    Rejected { version, reason: Reason::Ended, is_told: false }
}

#[test]
fn a_version_that_was_given_up_is_said_once() {
    let mut scene = Scene::new(vec![with_file(1)]);
    let deployment = scene.assignment(0);
    scene.publish(vec![deployment], &[]);
    assert_eq!(scene.memory.runs[&update_id(1)].phase, Phase::Installed);
    scene.installed.clear();
    scene.is_management_point_deaf = true;
    let rejected = rejected(&scene);
    for _ in 0..2 {
        scene.client.gave_up(&rejected, "1.3.0", scene.now);
        scene.run();
        // What nobody has taken is said by the next life, too.
        scene.crash();
    }
    let given_up = |report: &StateReport| report.given_up.clone();
    let said: Vec<_> = scene.memory.unsent.iter().flat_map(given_up).collect();
    let expected = model::GivenUpVersion {
        version: "1.4.0".to_owned(),
        running: "1.3.0".to_owned(),
        code: Reason::Ended.code(),
        reason: Reason::Ended.as_str().to_owned(),
    };
    assert_eq!(said, std::slice::from_ref(&expected));
    scene.client.want_everything();
    scene.run();
    let said: Vec<_> = scene.memory.unsent.iter().flat_map(given_up).collect();
    assert_eq!(said, [expected], "everything takes the place of what it was said with");
    let phase = scene.memory.runs[&update_id(1)].phase;
    assert_eq!(phase, Phase::Failed(Reason::Ended.code()));
}

#[test]
fn a_version_that_no_deployment_names_any_more_is_said_all_the_same() {
    let mut scene = Scene::new(vec![with_file(1)]);
    let deployment = scene.assignment(0);
    scene.publish(vec![deployment], &[]);
    let rejected = rejected(&scene);
    scene.publish(vec![], &[]);
    scene.is_management_point_deaf = true;
    scene.client.gave_up(&rejected, "1.3.0", scene.now);
    scene.run();
    let said: Vec<_> = scene.memory.unsent.iter().flat_map(|report| &report.given_up).collect();
    assert_eq!(said.len(), 1);
}
