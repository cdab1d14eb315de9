//! What can be seen: where updates stand, when they are carried out, and why not yet.

use super::*;
use crate::client::{Command, Wait};

/// Each update of a deployment: where it is, in how many minutes it acts, what it waits for.
fn stands(scene: &Scene, assignment: &Assignment) -> String {
    let mut lines = Vec::new();
    for update in &assignment.updates {
        let stand = scene.client.stand(assignment, update, scene.now);
        let state = stand.progress.map_or("-", |(state, _)| state.as_str());
        let minutes = stand.acts_at.map(|at| (at.0 - scene.now.0) / MINUTE_MS);
        let words = stand.wait.words().unwrap_or_else(|| "nothing".to_owned());
        lines.push(format!("{state} {minutes:?}: {words}"));
    }
    lines.join("\n")
}

#[test]
fn a_required_update_is_seen_from_the_first_scan_to_its_restart() {
    let mut scene = Scene::new(vec![with_file(1)]);
    let mut deployment = scene.assignment(2 * HOUR_MS);
    deployment.spread_minutes = 120;
    deployment.experience.suppress_restart_servers = true;
    scene.endings.push_back(Ended::Failed(17));
    scene.endings.push_back(Ended::Succeeded { needs_restart: true });
    assert_eq!(stands(&scene, &deployment), "- None: the first scan");
    scene.publish(vec![deployment.clone()], &[]);
    let shown = stands(&scene, &deployment);
    let waits = shown.strip_suffix(": its deadline or scheduled time").expect(&shown);
    let acts = waits.strip_prefix("downloaded Some(").and_then(|rest| rest.strip_suffix(')'));
    let acts: i64 = acts.and_then(|acts| acts.parse().ok()).expect(&shown);
    assert!((120..240).contains(&acts), "the deadline and a share of the spread: {acts}");
    scene.wait(2 * HOUR_MS);
    let expected = "this computer's share of the time after the deadline";
    assert!(stands(&scene, &deployment).ends_with(expected), "{}", stands(&scene, &deployment));
    scene.wait(2 * HOUR_MS);
    let shown = stands(&scene, &deployment);
    let is_tried_again = shown.contains("the next attempt after a failure");
    assert!(is_tried_again || shown.contains("a restart"), "{shown}");
    scene.wait(2 * HOUR_MS);
    assert_eq!(stands(&scene, &deployment), "pending_restart None: a restart of the computer");
    assert!(scene.client.restart_since().is_some());
    scene.installed.insert(update_id(1));
    scene.restart("second");
    assert_eq!(stands(&scene, &deployment), "- None: nothing");
    assert_eq!(scene.client.restart_since(), None);
}

#[test]
fn an_available_update_waits_for_a_user_and_may_be_hidden() {
    let mut scene = Scene::new(vec![with_file(1)]);
    let mut deployment = scene.assignment(0);
    (deployment.intent, deployment.deadline) = (Intent::Available, None);
    deployment.available_at = NOW.plus_ms(HOUR_MS);
    scene.publish(vec![deployment.clone()], &[]);
    let early = "- None: the time at which it becomes available";
    assert_eq!(stands(&scene, &deployment), early);
    assert!(!scene.client.is_offered(update_id(1)));
    scene.wait(HOUR_MS);
    assert_eq!(stands(&scene, &deployment), "- None: somebody to start it");
    assert!(scene.client.is_offered(update_id(1)));
    scene.client.command(&Command::Hide(update_id(1)), scene.now).expect("may be hidden");
    scene.run();
    let hidden = "- None: it is hidden here; `show` offers it again";
    assert_eq!(stands(&scene, &deployment), hidden);
    assert!(!scene.client.is_offered(update_id(1)));
}

#[test]
fn what_the_catalog_lacks_or_nobody_can_judge_is_told_as_such() {
    let mut scene = Scene::new(vec![with_file(1)]);
    let mut deployment = scene.assignment(HOUR_MS);
    scene.publish(vec![deployment.clone()], &[]);
    deployment.updates[0].update.id = update_id(9);
    let stand = scene.client.stand(&deployment, &deployment.updates[0], scene.now);
    assert_eq!(stand.wait, Wait::Catalog);
    deployment.updates[0].update.id = update_id(1);
    let scan = scene.client.scan.as_mut().expect("scanned");
    let judged = std::sync::Arc::make_mut(scan).updates.get_mut(&update_id(1)).expect("there");
    judged.verdict = Applicability::Unknown("a file".to_owned());
    assert_eq!(stands(&scene, &deployment), "- None: a rule cannot be judged: a file");
}

#[test]
fn the_next_scan_is_told_with_what_asks_for_it() {
    let mut scene = Scene::new(vec![with_file(1)]);
    assert_eq!(scene.client.next_scan(scene.now), None, "policy comes first");
    scene.publish(vec![scene.assignment(DAY_MS)], &[]);
    let (at, trigger) = scene.client.next_scan(scene.now).expect("one is scheduled");
    assert_eq!((at, trigger), (NOW.plus_ms(7 * DAY_MS), Trigger::Schedule));
    scene.client.command(&Command::Evaluate, scene.now).expect("always possible");
    let next = scene.client.next_scan(scene.now);
    assert_eq!(next, Some((scene.now, Trigger::EvaluationAsked)));
}
