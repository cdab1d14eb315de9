//! Updates of the agent itself: taking one, and showing that this one, on trial, does its work.

use std::sync::atomic::Ordering;

use client::agent_update::{Rejected, Wish};
use client::plan::Phase;
use client::{Client, Ended, Outcome, Trigger};
use content_library::FileReader;
use model::{AssignedFile, AssignedUpdate, ClientKind, Timestamp, error_chain};
use update_metadata::{Applicability, Installer};

use super::carrying::Hands;
use super::installing::UNSPECIFIED;
use crate::agent_update::Releases;

/// What a version on trial has shown so far: that it gets policy, and that its reports are taken.
#[derive(Debug)]
pub(super) struct Proof {
    releases: Releases,
    has_policy: bool,
    has_reported: bool,
}

impl Proof {
    /// At the start of the agent; none if it is not on trial. What has to be shown is done at once.
    pub(super) fn wanted(
        releases: &Releases,
        client: &mut Client,
        now: Timestamp,
    ) -> Option<Proof> {
        let versions = releases.load();
        if versions.trial.is_none() {
            for rejected in &versions.rejected {
                tell_failure(rejected, client, now);
            }
            return None;
        }
        client.want_policy(now);
        client.want_everything();
        let releases = releases.clone();
        Some(Proof { releases, has_policy: false, has_reported: false })
    }

    /// Whether this was the last that lacked, and the version is kept.
    pub(super) fn is_given(&mut self, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::Policy(Some(_)) => self.has_policy = true,
            Outcome::Sent(_, Some(_)) => self.has_reported = true,
            _ => return false,
        }
        if !(self.has_policy && self.has_reported) {
            return false;
        }
        match self.releases.proved() {
            Ok(()) => {
                tracing::info!("this version of the agent has proved itself");
                true
            }
            Err(error) => {
                tracing::error!(error = %error_chain(&error), "that it has cannot be noted");
                false
            }
        }
    }
}

/// It was installed, as far as the client knows, and has failed since.
fn tell_failure(rejected: &Rejected, client: &mut Client, now: Timestamp) {
    let is_named = |update: &&AssignedUpdate| {
        update.files.iter().any(|file| file.sha256 == rejected.version.sha256)
    };
    let mut updates = client.policy().assignments.iter().flat_map(|a| &a.updates);
    let Some(assigned) = updates.find(is_named).cloned() else { return };
    let run = client.run(assigned.update.id);
    if run.is_some_and(|run| run.phase == Phase::Installed) {
        let ended = Ended::Failed(rejected.reason.code());
        client.tell(Outcome::Installed(assigned, ended, Applicability::Applicable), now);
        // A scan sees that it is gone again.
        client.want_scan(Trigger::EvaluationAsked);
    }
}

impl Hands {
    /// What an installer that is a version of the agent wishes; simulated computers have no agent
    /// of their own, and install it as anything else.
    pub(super) fn wishes_agent(&self, installer: &Installer) -> Option<Wish> {
        match installer {
            Installer::CommandLine(command) if self.config.kind == ClientKind::Agent => {
                Wish::of(&command.program, &command.arguments)
            }
            Installer::CommandLine(_) | Installer::Windows { .. } => None,
        }
    }

    /// Takes it on trial; this one ends as soon as nothing is under way.
    pub(super) async fn adopt(&self, wish: Wish, files: &[(&AssignedFile, FileReader)]) -> Ended {
        let mut programs =
            files.iter().filter(|(file, _)| file.name == client::agent_update::PROGRAM);
        let Some((file, reader)) = programs.next() else { return Ended::Failed(UNSPECIFIED) };
        match self.releases.take(wish, (file, reader)).await {
            Ok(is_new) => {
                self.makes_way.store(is_new, Ordering::Relaxed);
                Ended::Succeeded { needs_restart: false }
            }
            Err(code) => Ended::Failed(code),
        }
    }
}
