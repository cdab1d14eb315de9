//! Saying what changed, and getting it to the site exactly once.

use std::collections::VecDeque;
use std::sync::Arc;

use model::{
    DeploymentState, GivenUpVersion, RefusedServer, ReportOutcome, SetAside, StateReport, Timestamp,
};
use rpc::limits::{GIVEN_UP_MAX, REFUSED_SERVERS_MAX, SET_ASIDE_MAX};

use super::Client;
use crate::ledger::{self, Extent, Knowledge, Record};
use crate::limits::{DESCRIBE_AFTER_MS, REFUSALS_MAX, REPORTS_MAX, RETRY_MAX, SERIAL_MAX};
use crate::states::{self, Scene};
use crate::turn::Turn;
use crate::work::{Event, EventKind, Keep, Taken, Work};

/// What the site was told, and what it is to be told.
#[derive(Debug)]
pub(super) struct Telling {
    /// The record as it was kept last.
    kept: Record,
    pub(super) said: Knowledge,
    pub(super) outbox: VecDeque<Arc<StateReport>>,
    /// Of these, the site does not know: servers that are not believed,
    refused: VecDeque<RefusedServer>,
    /// versions of the agent that were given up,
    pub(super) given_up: VecDeque<GivenUpVersion>,
    /// and what was set aside.
    set_aside: VecDeque<SetAside>,
    pub(super) turn: Turn,
    /// Of what the computer is.
    pub(super) describes: Turn,
    pub(super) wants_everything: bool,
    /// The site has asked for everything, and got it then.
    resent_at: Option<Timestamp>,
}

impl Telling {
    /// `unsent` begins with the oldest; of what could not be read, the site is told everything.
    pub(super) fn new(
        (kept, said): (Record, Knowledge),
        (unsent, has_damaged): (Vec<StateReport>, bool),
        now: Timestamp,
    ) -> Telling {
        Telling {
            kept,
            said,
            outbox: unsent.into_iter().map(Arc::new).collect(),
            refused: VecDeque::new(),
            given_up: VecDeque::new(),
            set_aside: VecDeque::new(),
            turn: Turn::at(Some(now)),
            describes: Turn::at(None),
            wants_everything: has_damaged,
            resent_at: None,
        }
    }
}

impl Client {
    /// The site wants to be told everything (STATE-16).
    pub fn want_everything(&mut self) {
        self.telling.wants_everything = true;
    }

    pub(super) fn talk(&mut self, now: Timestamp) -> Option<Work> {
        if self.telling.turn.is_due(now) {
            match self.telling.outbox.front() {
                Some(report) => return Some(Work::Send(report.clone())),
                None => self.telling.turn.due = None,
            }
        }
        if self.polls.turn.is_due(now) {
            return Some(self.ask_policy(now));
        }
        if !self.telling.describes.is_due(now) {
            return None;
        }
        self.telling.describes.due = None;
        Some(Work::Describe(self.record.incarnation))
    }

    /// The computer may be another than it was, or the site has just come to know it. Several
    /// installations are told of together.
    pub(super) fn want_describe(&mut self, now: Timestamp) {
        self.telling.describes.until(now.plus_ms(DESCRIBE_AFTER_MS));
    }

    pub(super) fn described(&mut self, is_taken: bool, now: Timestamp) {
        if is_taken {
            self.telling.describes.succeeded();
        } else {
            self.telling.describes.failed(now, &mut self.chance);
        }
    }

    /// Makes reports of what changed since the last ones, durable before they are sent.
    pub(super) fn say(&mut self, now: Timestamp) {
        let holds = self.holds(now);
        let news = ledger::changes(&self.telling.said.states, &holds.states, now);
        let stands = states::deployment_changes(&self.telling.said.deployments, &holds.deployments);
        let has_refused = !self.telling.refused.is_empty()
            || !self.telling.given_up.is_empty()
            || !self.telling.set_aside.is_empty();
        let is_new = !news.is_empty() || !stands.is_empty() || self.telling.kept != self.record;
        let is_same = !is_new && !has_refused;
        if is_same && !self.telling.wants_everything {
            return;
        }
        let urgent = has_refused
            || self.telling.wants_everything
            || news.iter().any(|change| {
                let before = self.telling.said.states.get(&change.update.id);
                change.state.enforcement.is_some()
                    || before.is_some_and(|held| held.state.enforcement.is_some())
            })
            || stands.iter().any(|change| {
                let enforcement = |state: &DeploymentState| state.enforcement;
                let before =
                    self.telling.said.deployments.get(&change.deployment).and_then(enforcement);
                change.state.as_ref().and_then(enforcement) != before
            });
        let batch = i64::try_from(self.policy.settings().state_batch_ms).unwrap_or(i64::MAX);
        self.telling.turn.until(if urgent { now } else { now.plus_ms(batch) });
        // A site takes nothing but everything from an incarnation it does not know.
        let is_crowded = self.telling.outbox.len() >= REPORTS_MAX;
        let is_whole = self.record.serial == 0 || is_crowded || self.telling.wants_everything;
        let extent = if is_whole { Extent::Everything } else { Extent::Changes };
        self.write(extent, holds, now);
    }

    /// What the site is to know. What was said stands until what was found is understood.
    fn holds(&self, now: Timestamp) -> Knowledge {
        let is_open = match &self.scan {
            Some(_) => self.uninspected().next().is_some(),
            // It was found before the start and will be again.
            None => self.record.catalog.is_some(),
        };
        if is_open {
            return self.telling.said.clone();
        }
        let assignments = &self.policy.assignments;
        let progress = states::told_progress(&self.plan.progress, assignments);
        let of_scan = self.scan.as_ref().map(|scan| ledger::states(scan, &progress));
        Knowledge {
            states: of_scan.unwrap_or_else(|| self.telling.said.states.clone()),
            deployments: states::deployments(&Scene {
                assignments,
                scan: self.scan.as_deref(),
                last_scan: self.record.scan.as_ref(),
                progress: &self.plan.progress,
                is_orchestrated: self.rules.is_orchestrated,
                said: &self.telling.said.deployments,
                now,
            }),
        }
    }

    fn write(&mut self, extent: Extent, holds: Knowledge, now: Timestamp) {
        let (client, record) = (self.profile.client, &self.record);
        let mut reports = ledger::reports(client, record, extent, &self.telling.said, &holds, now);
        if let Some(last) = reports.last_mut() {
            let count = self.telling.refused.len().min(REFUSED_SERVERS_MAX);
            last.refused = self.telling.refused.drain(..count).collect();
            let count = self.telling.given_up.len().min(GIVEN_UP_MAX);
            last.given_up = self.telling.given_up.drain(..count).collect();
            let count = self.telling.set_aside.len().min(SET_ASIDE_MAX);
            last.set_aside = self.telling.set_aside.drain(..count).collect();
            self.record.serial = last.serial_to;
        }
        let reports: Vec<_> = reports.into_iter().map(Arc::new).collect();
        if extent == Extent::Everything {
            // What was refused, given up or set aside is in no full report of before.
            for report in self.telling.outbox.drain(..) {
                self.telling.refused.extend(report.refused.iter().cloned());
                self.telling.given_up.extend(report.given_up.iter().cloned());
                self.telling.set_aside.extend(report.set_aside.iter().cloned());
            }
            self.telling.refused.truncate(REFUSALS_MAX);
            self.telling.wants_everything = false;
        }
        self.telling.outbox.extend(reports.iter().cloned());
        self.telling.kept = self.record.clone();
        self.telling.said = holds;
        self.keeps.push(Keep::Said { record: self.record.clone(), reports, extent });
    }

    pub(super) fn sent(&mut self, serial: u64, taken: Option<Taken>, now: Timestamp) {
        let Some(taken) = taken else {
            return self.telling.turn.failed(now, &mut self.chance);
        };
        self.telling.turn.succeeded();
        match taken {
            Taken::Spooled | Taken::BySite(ReportOutcome::Applied | ReportOutcome::Known) => {
                // A full report may have taken its place meanwhile.
                self.telling.outbox.retain(|report| report.serial_to != serial);
                self.keeps.push(Keep::Acknowledged(serial));
                self.telling.resent_at = None;
            }
            Taken::BySite(ReportOutcome::Behind(known)) if known <= self.record.serial => {
                // It came late, after what was said since.
                self.telling.outbox.retain(|report| report.serial_to != serial);
                self.keeps.push(Keep::Acknowledged(serial));
            }
            Taken::BySite(outcome) => {
                // This computer was put back to what it was before: its site remembers more of it
                // than it does itself.
                if let ReportOutcome::Behind(known) = outcome {
                    self.record.serial = known.min(SERIAL_MAX);
                }
                self.write(Extent::Everything, self.telling.said.clone(), now);
                // A site that is not content with everything is not asked twice at once.
                if self.telling.resent_at.replace(now).is_some() {
                    let wait = i64::try_from(RETRY_MAX.as_millis()).unwrap_or(i64::MAX);
                    self.telling.turn.due = Some(now.plus_ms(wait));
                }
            }
        }
    }

    /// What was remembered is not what was written: whoever runs the computer should look at it.
    pub(super) fn set_aside(&mut self, set_aside: SetAside, now: Timestamp) {
        let SetAside { what, reason, .. } = &set_aside;
        self.event(Event::new(EventKind::Damage, now, format!("{what} was set aside: {reason}")));
        if self.telling.set_aside.len() < REFUSALS_MAX {
            self.telling.set_aside.push_back(set_aside);
        }
    }

    /// A server that is not believed: in the log of the site at once.
    pub(super) fn refused(&mut self, refused: RefusedServer, now: Timestamp) {
        let RefusedServer { url, reason } = &refused;
        self.event(Event::new(EventKind::Refusal, now, format!("{url}: {reason}")));
        if self.telling.refused.len() < REFUSALS_MAX {
            self.telling.refused.push_back(refused);
        }
    }
}
