//! What is done to the computer: installations, one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{AssignedUpdate, EnforcementState, Timestamp, UpdateId};
use update_metadata::Applicability;

use super::Client;
use crate::limits::{MINUTE_MS, SETTLE_MAX_MS, SETTLE_MIN_MS};
use crate::plan::{BUSY, NOT_DETECTED, Phase, Run, leaves};
use crate::policy::Policy;
use crate::scan::Scan;
use crate::triggers::{Reach, Trigger};
use crate::work::{Ended, Event, EventKind, Keep, Work};

/// Which installation goes on or is next.
#[derive(Debug)]
pub(super) struct Installing {
    /// Since when something is to be installed.
    pub(super) since: Option<Timestamp>,
    /// Its installer runs, or is about to.
    pub(super) running: Option<UpdateId>,
    /// Found to be required; its installer is next.
    ready: Option<AssignedUpdate>,
    /// When the installer that runs was started.
    begun: Timestamp,
    /// Since when each update of policy could have been installed.
    pub(super) ready_since: BTreeMap<UpdateId, Timestamp>,
    /// When this life began; a day before, if the system began with it.
    pub(super) life_since: Timestamp,
    /// Since the last scan.
    pub(super) has_installed: bool,
    /// No installer of an earlier life runs.
    pub(super) is_settled: bool,
}

impl Installing {
    pub(super) fn new(now: Timestamp) -> Installing {
        Installing {
            since: None,
            running: None,
            ready: None,
            begun: now,
            ready_since: BTreeMap::new(),
            life_since: now,
            has_installed: false,
            is_settled: false,
        }
    }

    pub(super) fn forget_the_future(&mut self, now: Timestamp) {
        self.since = self.since.map(|at| at.min(now));
        self.life_since = self.life_since.min(now);
        self.ready_since.values_mut().for_each(|at| *at = (*at).min(now));
    }

    /// For the schedule (INT-06), what came while the computer was off counts from the day before.
    pub(super) fn note_ready(&mut self, policy: &Policy, scan: &Scan, now: Timestamp) {
        let since = if self.ready_since.is_empty() { self.life_since.min(now) } else { now };
        let updates = policy.assignments.iter().flat_map(|assignment| &assignment.updates);
        let named: BTreeSet<UpdateId> = updates.map(|assigned| assigned.update.id).collect();
        self.ready_since.retain(|id, _| named.contains(id));
        for id in named {
            let judged = scan.updates.get(&id);
            if judged.is_some_and(|judged| judged.verdict == Applicability::Applicable) {
                self.ready_since.entry(id).or_insert(since);
            }
        }
    }
}

impl Client {
    pub(super) fn act(&mut self, now: Timestamp) -> Option<Work> {
        if let Some(assigned) = self.installing.ready.take() {
            // Between detection and now policy or time may have taken it away.
            if self.plan.install.contains(&assigned) {
                self.installing.begun = now;
                return Some(Work::Install(assigned));
            }
            self.installing.running = None;
            self.withdraw(&assigned, now);
        }
        if !self.installing.is_settled {
            if let Some(limit) = self.settle_limit(now) {
                return Some(Work::Settle(self.unattended(), limit));
            }
            self.installing.is_settled = true;
        }
        let is_asked = self.scans.wanted.iter().any(|trigger| trigger.reach() > Reach::Offline);
        let comes_first = is_asked || self.scans.turn.is_due(now) || self.scan.is_none();
        if let Some(scan) = comes_first.then(|| self.scan_due(now)).flatten() {
            return Some(scan);
        }
        if let (Some(since), Some(assigned)) = (self.installing.since, self.plan.install.first()) {
            if self.scans.judged_at.is_some_and(|judged| judged >= since) {
                return Some(Work::Detect(assigned.clone()));
            }
            self.scans.wanted.insert(Trigger::BeforeInstall);
        } else if self.installing.has_installed {
            // Installing one update can change what others are (SCAN-17).
            self.scans.wanted.insert(Trigger::AfterInstall);
        }
        self.scan_due(now).or_else(|| self.act_on_restart(now))
    }

    /// How long an installer of an earlier life may still run; none if there is none.
    fn settle_limit(&self, now: Timestamp) -> Option<i64> {
        let assigned = self.policy.assignments.iter().flat_map(|assigned| &assigned.updates);
        let minutes = |id: &UpdateId| {
            let named = assigned.clone().filter(|assigned| assigned.update.id == *id);
            named.map(|assigned| i64::from(assigned.max_run_minutes) * MINUTE_MS).max()
        };
        let left = |(id, run): (&UpdateId, &Run)| {
            let end = run.at.plus_ms(minutes(id).unwrap_or(SETTLE_MAX_MS));
            end.0.saturating_sub(now.0).max(SETTLE_MIN_MS)
        };
        let running = self.runs.iter().filter(|(_, run)| run.phase == Phase::Installing);
        running.map(left).max()
    }

    /// What an earlier life was installing, as far as policy still names it.
    fn unattended(&self) -> Vec<AssignedUpdate> {
        let is_running = |assigned: &&AssignedUpdate| {
            let run = self.runs.get(&assigned.update.id);
            run.is_some_and(|run| run.is_going_on(assigned))
        };
        let assigned = self.policy.assignments.iter().flat_map(|assigned| &assigned.updates);
        let mut updates: Vec<AssignedUpdate> = assigned.filter(is_running).cloned().collect();
        updates.sort_by_key(|assigned| assigned.update);
        updates.dedup();
        updates
    }

    /// What was begun by an earlier life has ended, and this one has not been told yet.
    pub(super) fn ended_unattended(
        &mut self,
        assigned: &AssignedUpdate,
        ended: Ended,
        detected: Applicability,
        now: Timestamp,
    ) {
        let run = self.runs.get(&assigned.update.id).filter(|run| run.is_going_on(assigned));
        if let Some(run) = run {
            self.installing.begun = run.at;
            self.installed(assigned, ended, detected, now);
        }
    }

    /// It was about to begin, and does not.
    fn withdraw(&mut self, assigned: &AssignedUpdate, now: Timestamp) {
        self.settle(assigned, Phase::Waiting, 0, now);
        self.uncount(assigned.update.id);
    }

    /// Its last start is as if it had not been.
    fn uncount(&mut self, id: UpdateId) {
        if let Some(run) = self.runs.get_mut(&id) {
            run.attempts = run.attempts.saturating_sub(1);
            self.keeps.push(Keep::Run(id, run.clone()));
        }
    }

    /// Whether somebody here has started it, by itself or with its bundle.
    fn is_wished(&self, id: UpdateId) -> bool {
        let wishes = &self.notes.wishes;
        let has_leaf = |scan: &Arc<Scan>| {
            let mut roots = wishes.keys().filter_map(|root| scan.updates.get(root));
            roots.any(|root| leaves(scan, root).iter().any(|leaf| leaf.update.id == id))
        };
        wishes.contains_key(&id) || self.scan.as_ref().is_some_and(has_leaf)
    }

    /// Installs it unless detection says that it is not needed any more (SCAN-16).
    pub(super) fn detected(
        &mut self,
        assigned: AssignedUpdate,
        verdict: Result<Applicability, i32>,
        now: Timestamp,
    ) {
        match verdict {
            Ok(Applicability::Applicable) => {
                self.settle(&assigned, Phase::Installing, 1, now);
                self.installing.running = Some(assigned.update.id);
                self.installing.ready = Some(assigned);
            }
            // So it was before, or a run that nobody saw the end of has made it so.
            Ok(Applicability::Installed) => {
                self.judge(assigned.update.id, Applicability::Installed);
                self.settle(&assigned, Phase::Installed, 0, now);
            }
            Ok(verdict) => self.judge(assigned.update.id, verdict),
            Err(code) => self.settle(&assigned, Phase::Failed(code), 0, now),
        }
    }

    /// The exit code says whether it succeeded, detection whether that is true.
    pub(super) fn installed(
        &mut self,
        assigned: &AssignedUpdate,
        ended: Ended,
        detected: Applicability,
        now: Timestamp,
    ) {
        self.installing.running = None;
        self.installing.has_installed = true;
        self.want_describe(now);
        let mut not_run = String::new();
        let phase = match (ended, &detected) {
            (Ended::ContentLost(files), _) => {
                self.content.present.retain(|file| !files.contains(file));
                self.content.has_lost = true;
                self.content.turn.failed(now, &mut self.chance);
                // Nothing was run.
                return self.withdraw(assigned, now);
            }
            // It may have been ended for good, or with the next one again: as after a crash.
            (Ended::Unseen, Applicability::Applicable) => {
                let text = "nobody saw how its installer ended";
                let update = Some(assigned.update);
                return self.event(Event { update, ..Event::new(EventKind::Install, now, text) });
            }
            (Ended::Unseen, _) => Phase::Installed,
            (Ended::Failed(code), _) => Phase::Failed(code),
            (Ended::NotRun { code, reason }, _) => {
                not_run = format!(": its installer was not run: {reason}");
                Phase::Failed(code)
            }
            (Ended::Succeeded { needs_restart: true }, _) => Phase::PendingRestart,
            (Ended::Succeeded { .. }, Applicability::Applicable) => Phase::Failed(NOT_DETECTED),
            (Ended::Succeeded { .. }, _) => Phase::Installed,
        };
        self.content.has_lost = false;
        self.settle(assigned, phase, 0, now);
        // Neither whoever starts it again and again nor others' installers put off when it starts
        // by itself.
        match phase {
            Phase::Failed(BUSY) => self.uncount(assigned.update.id),
            Phase::Failed(_) if self.is_wished(assigned.update.id) => {
                self.uncount(assigned.update.id);
            }
            _ => {}
        }
        if phase == Phase::Installed {
            self.judge(assigned.update.id, detected);
        }
        self.event(Event {
            update: Some(assigned.update),
            code: Some(if let Phase::Failed(code) = phase { code } else { 0 }),
            duration_ms: Some(now.0.saturating_sub(self.installing.begun.0).max(0)),
            ..Event::new(EventKind::Install, now, format!("{}{not_run}", phase.as_str()))
        });
    }

    fn judge(&mut self, update: UpdateId, verdict: Applicability) {
        let Some(scan) = &mut self.scan else { return };
        if let Some(judged) = Arc::make_mut(scan).updates.get_mut(&update) {
            judged.verdict = verdict;
        }
    }

    /// Remembers where an installation stands. `starts` are added to how often it was started.
    pub(super) fn settle(
        &mut self,
        assigned: &AssignedUpdate,
        phase: Phase,
        starts: u32,
        now: Timestamp,
    ) {
        let update = assigned.update;
        let known = self.runs.get(&update.id).filter(|run| run.revision == update.revision);
        let attempts = known.map_or(0, |run| run.attempts) + starts;
        // The system may have started anew since its installer ended.
        let begun = known.filter(|run| run.phase == Phase::Installing && starts == 0);
        let boot = begun.map_or_else(|| self.around.boot.clone(), |run| run.boot.clone());
        let run = Run { revision: update.revision, phase, attempts, at: now, boot };
        self.keeps.push(Keep::Run(update.id, run.clone()));
        self.runs.insert(update.id, run);
    }

    /// What users started is done when it is installed, has failed since, or is offered no more.
    pub(super) fn forget_wishes(&mut self) {
        let (progress, before) = (&self.plan.progress, self.notes.wishes.len());
        let assignments = &self.policy.assignments;
        let Some(scan) = self.scan.as_ref().filter(|_| before > 0) else { return };
        self.notes.wishes.retain(|id, _| {
            let mut named = assignments.iter().flat_map(|a| &a.updates);
            let is_open = scan.updates.get(id).map(|judged| &judged.verdict)
                == Some(&Applicability::Applicable);
            // A file that could not be had is tried again.
            let has_failed = progress.get(id).is_some_and(|(state, _)| {
                matches!(state, EnforcementState::Failed | EnforcementState::GeneralFailure)
            });
            is_open && !has_failed && named.any(|assigned| assigned.update.id == *id)
        });
        if self.notes.wishes.len() < before {
            self.keep_notes();
        }
    }
}
