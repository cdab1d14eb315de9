//! Updates of the agent itself, as its site deploys them.

use client::agent_update::{Limits, PROGRAM, Reason, Versions};
use client::digest::sha256;
use model::{ItemFile, Sha1};
use update_metadata::{CommandLine, Document, Installer, Outcome, linux};

use super::*;
use crate::agent_update::tests::Held;
use crate::agent_update::{Launcher, Ran, Releases};

const NEW: &str = "#!/bin/sh\nexit 1\n";

/// The update that is version `version` of the agent.
fn agent_update(world: &World, version: &str, more: &str) -> Document {
    let mut document = software(1);
    let place = world.directory.path().join("data/agent").join(version).join(PROGRAM);
    let place = place.to_str().expect("a plain path");
    document.rules.is_installed = Some(linux::file_exists(place, Some(sha256(NEW.as_bytes()))));
    document.files = vec![ItemFile {
        name: PROGRAM.to_owned(),
        size: NEW.len() as u64,
        sha1: Sha1([0; 20]),
        sha256: Some(sha256(NEW.as_bytes())),
    }];
    document.installer = Some(Installer::CommandLine(CommandLine {
        program: PROGRAM.to_owned(),
        arguments: format!("self-update --to {version}{more}"),
        return_codes: [].into(),
        default_outcome: Outcome::FAILED,
    }));
    document
}

/// An agent for which this version is deployed.
async fn deployed(world: &mut World, version: &str, more: &str) -> Agent {
    let documents = [agent_update(world, version, more)];
    world.add_sup(&documents).await;
    world.add_dp().await.put(NEW, NEW);
    let agent = world.agent(world.machine()).await;
    world.assign(1, &documents, NOW);
    agent
}

impl World {
    fn releases(&self) -> Releases {
        Releases::within(&self.directory.path().join("data"))
    }

    fn state(&self) -> (u32, u32, i32) {
        let reports = &self.mp.lock().reports;
        let change = reports.iter().rev().find_map(|report| report.changes.last());
        let change = change.expect("it was reported");
        (change.state, change.enforcement, change.code)
    }
}

#[tokio::test]
async fn a_version_is_staged_on_trial_and_kept_once_it_has_policy_and_reported() {
    let mut world = World::new().await;
    let agent = deployed(&mut world, "9.1.0", "").await;
    // It makes way by itself as soon as the version is staged.
    agent.run(CancellationToken::new()).await.expect("works");
    let trial = world.releases().load().trial.expect("on trial");
    assert_eq!((&*trial.version.version, trial.version.sha256), ("9.1.0", sha256(NEW.as_bytes())));
    let program = world.directory.path().join("data/agent/9.1.0").join(PROGRAM);
    assert_eq!(std::fs::read(program).expect("staged"), NEW.as_bytes());

    // The version on trial: what it has to show, it shows without being asked.
    let told = world.mp.lock().reports.len();
    let mut agent = world.agent(world.machine()).await;
    agent.step().await.expect("a pass");
    assert!(world.mp.lock().reports.len() > told, "it has reported");
    let versions = world.releases().load();
    assert_eq!(versions.good, Some(trial.version));
    assert_eq!(versions.trial, None);
}

#[tokio::test]
async fn a_version_on_trial_that_reaches_nobody_proves_nothing() {
    let mut world = World::new().await;
    deployed(&mut world, "9.1.0", "").await.run(CancellationToken::new()).await.expect("works");
    world.mp.lock().is_deaf = true;
    let mut agent = world.agent(world.machine()).await;
    agent.step().await.expect("a pass");
    assert!(world.releases().load().trial.is_some());
}

#[tokio::test]
async fn a_version_that_was_given_up_is_reported_as_failed_and_not_tried_again() {
    let mut world = World::new().await;
    deployed(&mut world, "9.1.0", "").await.run(CancellationToken::new()).await.expect("works");
    let held = Held(world.directory.path().join("held"));
    let launcher = Launcher {
        turn: Box::new(held),
        releases: world.releases(),
        limits: Limits { trial_ms: HOUR_MS, starts: 0 },
        ambient: world.ambient.clone(),
        shutdown: CancellationToken::new(),
    };
    assert!(matches!(launcher.run().await, Ok(Ran::Here)));
    let mut agent = world.agent(world.machine()).await;
    agent.step().await.expect("a pass");
    let versions = world.releases().load();
    agent.woken().await;
    assert_eq!(world.state(), (2, 11, Reason::Ended.code()));
    assert_eq!(world.releases().load(), versions);
}

#[tokio::test]
async fn an_older_version_needs_a_deployment_that_allows_it() {
    let mut world = World::new().await;
    let mut agent = deployed(&mut world, "0.0.1", "").await;
    agent.step().await.expect("a pass");
    assert_eq!(world.state(), (2, 11, 0x8007_0666_u32.cast_signed()));
    assert_eq!(world.releases().load(), Versions::default());

    let mut world = World::new().await;
    deployed(&mut world, "0.0.1", " --allow-downgrade")
        .await
        .run(CancellationToken::new())
        .await
        .expect("works");
    assert!(world.releases().load().trial.is_some());
}
