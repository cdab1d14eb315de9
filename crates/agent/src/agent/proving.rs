//! Updates of the agent itself: taking one, and showing that this one, on trial, does its work.

use std::sync::atomic::Ordering;

use client::agent_update::Wish;
use client::{Client, Ended, Outcome};
use content_library::FileReader;
use model::{AssignedFile, ClientKind, Timestamp, error_chain};
use update_metadata::Installer;

use super::carrying::Hands;
use super::installing::UNSPECIFIED;
use crate::agent_update::{RUNNING, Releases};

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
        releases.load().trial.as_ref()?;
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

/// Tells the client which versions were given up; whether there are any that it did not know.
pub(super) fn tell_given_up(releases: &Releases, client: &mut Client, now: Timestamp) -> bool {
    let versions = releases.load();
    let running = versions.good.as_ref().map_or(RUNNING, |good| &good.version);
    let mut untold = versions.untold().peekable();
    let has_news = untold.peek().is_some();
    untold.for_each(|rejected| client.gave_up(rejected, running, now));
    has_news
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
