//! Deployments on a client, sentence by sentence (DEP-07, DEP-16 … DEP-21, DEP-25).

use super::*;
use crate::client::{Command, NotDone};

#[test]
fn a_required_deployment_is_fetched_on_receipt_and_installed_at_its_deadline() {
    let mut scene = Scene::new(vec![with_file(1)]);
    let deployment = scene.assignment(2 * HOUR_MS);
    scene.publish(vec![deployment], &[]);
    scene.wait(3 * HOUR_MS);
    expect![[r#"
        0 policy 1
        0 scan with https://sup (Online)
        0 report 1-1
        0 fetch 1.deb
        0 report 2-3 1:required/12(0)
        0 report 4-5 1:required/13(0)
        120 report 6-7 1:required/8(0)
        120 scan with what is here (Online)
        120 report 8-8
        120 install 1
        120 report 9-10 1:installed
        120 scan with what is here (Offline)
    "#]]
    .assert_eq(&scene.take_log());
}

#[test]
fn an_available_deployment_is_fetched_and_installed_when_a_user_starts_it() {
    let mut scene = Scene::new(vec![with_file(1), with_file(2)]);
    let mut offered = scene.assignment(0);
    (offered.intent, offered.deadline) = (Intent::Available, None);
    offered.updates.truncate(1);
    scene.publish(vec![offered], &[]);
    scene.wait(DAY_MS);
    expect![[r#"
        0 policy 1
        0 scan with https://sup (Online)
        15 report 1-1
        15 report 2-4 1:required 2:required
    "#]]
    .assert_eq(&scene.take_log());
    let refused = scene.client.command(&Command::Install(Some(vec![update_id(2)])), scene.now);
    assert_eq!(refused, Err(NotDone::NotOffered(update_id(2))));
    scene.client.command(&Command::Install(None), scene.now).expect("one is offered");
    scene.run();
    expect![[r#"
        1440 report 5-6 1:required/12(0)
        1440 scan with https://sup (Online)
        1440 report 7-7
        1440 fetch 1.deb
        1440 report 8-9 1:required/8(0)
        1440 install 1
        1440 report 10-11 1:installed
        1440 scan with what is here (Offline)
    "#]]
    .assert_eq(&scene.take_log());
    assert!(scene.client.notes.wishes.is_empty());
    let refused = scene.client.command(&Command::Install(None), scene.now);
    assert_eq!(refused, Err(NotDone::NothingOffered));
}

#[test]
fn what_a_user_starts_waits_neither_for_the_deadline_nor_for_a_window() {
    let mut scene = Scene::new(vec![with_file(1)]);
    let deployment = scene.assignment(9 * HOUR_MS);
    scene.publish(vec![deployment], &[]);
    scene.take_log();
    scene.client.command(&Command::Install(Some(vec![update_id(1)])), scene.now).expect("offered");
    scene.run();
    assert!(scene.take_log().contains("install 1"));
}

#[test]
fn hidden_is_what_is_only_offered() {
    let mut scene = Scene::new(vec![with_file(1), with_file(2)]);
    let (mut offered, mut required) = (scene.assignment(0), scene.assignment(HOUR_MS));
    (offered.intent, offered.deadline) = (Intent::Available, None);
    offered.updates.truncate(1);
    required.updates.remove(0);
    required.deployment = model::DeploymentId(Uuid::from_u128(0xe));
    scene.publish(vec![offered, required], &[]);
    let hide = |scene: &mut Scene, number| {
        scene.client.command(&Command::Hide(update_id(number)), scene.now)
    };
    assert_eq!(hide(&mut scene, 2), Err(NotDone::Required(update_id(2))));
    assert_eq!(hide(&mut scene, 9), Err(NotDone::NotOffered(update_id(9))));
    assert_eq!(hide(&mut scene, 1), Ok(()));
    scene.run();
    assert!(!scene.client.is_offered(update_id(1)));
    scene.client.command(&Command::Show(update_id(1)), scene.now).expect("shown again");
    scene.run();
    assert!(scene.client.is_offered(update_id(1)));
}

#[test]
fn what_is_removed_is_installed_again_with_the_next_evaluation() {
    let mut scene = Scene::new(vec![with_file(1)]);
    let deployment = scene.assignment(0);
    scene.publish(vec![deployment], &[]);
    scene.wait(HOUR_MS);
    assert!(scene.installed.contains(&update_id(1)));
    scene.take_log();
    scene.installed.clear();
    scene.wait(7 * DAY_MS);
    let log = scene.take_log();
    let done: Vec<_> = log.lines().filter(|line| !line.contains("report")).collect();
    // From what is here; nothing is fetched again.
    expect![[r#"
          10080 scan with https://sup (Online)
          10080 install 1
          10080 scan with what is here (Offline)"#]]
    .assert_eq(&done.join("\n"));
}

#[test]
fn a_file_that_is_lost_is_fetched_again() {
    let mut scene = Scene::new(vec![with_file(1)]);
    scene.endings.push_back(Ended::ContentLost(vec![sha256(&1_u128.to_le_bytes())]));
    let deployment = scene.assignment(0);
    scene.publish(vec![deployment], &[]);
    let log = scene.take_log();
    assert_eq!(log.matches("fetch 1.deb").count(), 2, "{log}");
    assert!(scene.installed.contains(&update_id(1)), "{log}");
}

#[test]
fn what_fails_is_tried_again_at_growing_distances() {
    let mut scene = Scene::new(vec![with_file(1)]);
    scene.endings = (0..20).map(|_| Ended::Failed(17)).collect();
    let deployment = scene.assignment(0);
    scene.publish(vec![deployment], &[]);
    scene.wait(10 * DAY_MS);
    let log = scene.take_log();
    let minutes: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("install"))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    // An hour, four hours, a day, and then with each evaluation.
    expect![[r#"0 60 300 1740"#]].assert_eq(&minutes[..4].join(" "));
    assert!(minutes.len() <= 6, "{minutes:?}");
    assert!(log.contains("1:required/11(17)"), "{log}");
}

#[test]
fn what_says_that_it_succeeded_and_is_not_there_has_failed() {
    let mut scene = Scene::new(vec![with_file(1)]);
    scene.is_ineffective = true;
    let deployment = scene.assignment(0);
    scene.publish(vec![deployment], &[]);
    assert!(scene.take_log().contains("1:required/11(-2016410844)"));
}

#[test]
fn a_deadline_gathers_the_others_and_grace_puts_it_off() {
    let mut scene = Scene::new(vec![with_file(1), with_file(2)]);
    let (mut first, mut second) = (scene.assignment(HOUR_MS), scene.assignment(2 * DAY_MS));
    first.updates.truncate(1);
    second.updates.remove(0);
    second.deployment = model::DeploymentId(Uuid::from_u128(0xe));
    let gather = [("deadline.gather", "yes"), ("deadline.gather_period", "3d")];
    scene.publish(vec![first.clone(), second.clone()], &gather);
    scene.wait(HOUR_MS);
    let log = scene.take_log();
    assert!(log.contains("60 install 1") && log.contains("60 install 2"), "{log}");

    let mut scene = Scene::new(scene.documents.clone());
    first.experience.soft_deadline = true;
    scene.publish(vec![first, second], &[("grace.hours", "5")]);
    scene.wait(3 * DAY_MS);
    let log = scene.take_log();
    assert!(log.contains("360 install 1") && log.contains("2880 install 2"), "{log}");
}

#[test]
fn other_software_decides_where_it_is_said_so() {
    let mut scene = Scene::new(vec![with_file(1)]);
    let deployment = scene.assignment(0);
    scene.publish(vec![deployment], &[("external_orchestrator", "yes")]);
    scene.wait(9 * DAY_MS);
    let log = scene.take_log();
    assert!(log.contains("fetch") && !log.contains("install 1"), "{log}");
    scene.client.command(&Command::Install(None), scene.now).expect("it starts it");
    scene.run();
    assert!(scene.take_log().contains("install 1"));
}

#[test]
fn without_a_deadline_it_is_installed_at_the_scheduled_time_or_by_a_user() {
    let mut scene = Scene::new(vec![with_file(1)]);
    let mut deployment = scene.assignment(0);
    deployment.deadline = None;
    scene.publish(vec![deployment.clone()], &[("install.at", "04:00")]);
    scene.wait(DAY_MS);
    // It was ten; four in the morning is 18 hours later.
    assert!(scene.take_log().contains("1080 install 1"));

    let mut scene = Scene::new(scene.documents.clone());
    scene.publish(vec![deployment.clone()], &[("install.mode", "prompt")]);
    scene.wait(9 * DAY_MS);
    assert!(!scene.take_log().contains("install 1"));
    scene.client.command(&Command::Install(None), scene.now).expect("it is offered");
    scene.run();
    assert!(scene.take_log().contains("install 1"));

    // What interrupts nobody is installed as soon as it is here (INT-07).
    let mut quiet = with_file(1);
    quiet.properties.installation = Some(update_metadata::authoring::installation("NeverReboots"));
    let mut scene = Scene::new(vec![quiet]);
    let mut deployment = scene.assignment(0);
    deployment.deadline = None;
    scene.publish(vec![deployment], &[]);
    assert!(scene.take_log().contains("\n0 install 1"));
}

/// A new version of the agent itself.
fn agent_update() -> Document {
    let mut document = with_file(1);
    document.installer =
        Some(update_metadata::Installer::CommandLine(update_metadata::CommandLine {
            program: crate::agent_update::PROGRAM.to_owned(),
            arguments: "self-update --to 2.0".to_owned(),
            return_codes: BTreeMap::new(),
            default_outcome: update_metadata::Outcome::FAILED,
        }));
    document
}

#[test]
fn a_new_version_of_the_agent_keeps_to_its_schedule() {
    let mut scene = Scene::new(vec![agent_update()]);
    let deployment = scene.assignment(0);
    // It is Friday, ten o'clock.
    scene.publish(vec![deployment.clone()], &[("agent.schedule", "0 2 * * SUN")]);
    scene.wait(3 * DAY_MS);
    let minutes = 14 * 60 + 26 * 60;
    assert!(scene.take_log().contains(&format!("\n{minutes} install 1")));
    let mut scene = Scene::new(vec![agent_update()]);
    scene.publish(vec![deployment], &[]);
    assert!(scene.take_log().contains("\n0 install 1"), "without one at its deadline");
}

#[test]
fn users_are_told_of_the_restart_of_a_new_agent_unless_a_setting_says_otherwise() {
    for (prompt, is_told) in [("yes", true), ("no", false)] {
        let mut scene = Scene::new(vec![agent_update()]);
        scene.around.has_users = true;
        scene.client.observe(scene.around.clone(), scene.now);
        scene.endings.push_back(Ended::Succeeded { needs_restart: true });
        let deployment = scene.assignment(0);
        scene.publish(vec![deployment], &[("agent.prompt", prompt)]);
        scene.wait(2 * HOUR_MS);
        let log = scene.take_log();
        assert_eq!(log.contains("tell users"), is_told, "{log}");
        assert!(log.contains(" restart\n"), "{log}");
    }
}

/// DEP-04, DEP-05: the deployment says whether publishers are asked, too, and the setting whether
/// nobody else is.
#[test]
fn what_may_come_from_publishers_is_said_by_deployments_and_a_setting() {
    let mut scene = Scene::new(vec![with_file(1), with_file(2)]);
    let (mut with, mut without) = (scene.assignment(HOUR_MS), scene.assignment(HOUR_MS));
    // One more that wants the first file, too, and says no more of it.
    let mut also = without.clone();
    with.updates.truncate(1);
    also.updates.truncate(1);
    without.updates.remove(0);
    with.download.microsoft_update = true;
    for (number, assignment) in [&mut also, &mut with, &mut without].into_iter().enumerate() {
        assignment.deployment = model::DeploymentId(Uuid::from_u128(0xd + number as u128));
    }
    let all = vec![also, with, without];
    scene.publish(all.clone(), &[]);
    scene.publish(all, &[("internet", "yes")]);
    let lost: BTreeSet<_> = [1, 2_u128].map(|number| sha256(&number.to_le_bytes())).into();
    let lost = Outcome::Inspected { asked: lost.clone(), missing: lost };
    scene.client.tell(lost, scene.now);
    scene.run();
    let log = scene.take_log();
    let fetches = log.lines().filter(|line| line.contains("fetch"));
    expect![[r#"
        0 fetch 1.deb, also from its publisher
        0 fetch 2.deb
        0 fetch 1.deb from its publisher
        0 fetch 2.deb from its publisher"#]]
    .assert_eq(&fetches.collect::<Vec<_>>().join("\n"));
}
