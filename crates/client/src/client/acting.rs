//! What is done to the computer: installations one after the other, and restarts.

use std::sync::Arc;

use model::{AssignedUpdate, EnforcementState, Timestamp, UpdateId};
use update_metadata::Applicability;

use super::Client;
use crate::limits::{
    DAY_MS, FILTER_AGAIN_MS, MINUTE_MS, RESTART_TAKES_MS, SETTLE_MAX_MS, SETTLE_MIN_MS,
};
use crate::plan::{BUSY, NOT_DETECTED, Phase, Run, leaves};
use crate::restart::{self, Need, Scene, Standing};
use crate::scan::Scan;
use crate::triggers::{Reach, Trigger};
use crate::work::{Ended, Event, EventKind, Keep, Notes, Work, WriteFilter};

impl Client {
    pub(super) fn act(&mut self, now: Timestamp) -> Option<Work> {
        if let Some(assigned) = self.ready.take() {
            // Between detection and now policy or time may have taken it away.
            if self.plan.install.contains(&assigned) {
                self.begun = now;
                return Some(Work::Install(assigned));
            }
            self.running = None;
            self.withdraw(&assigned, now);
        }
        if !self.is_settled {
            if let Some(limit) = self.settle_limit(now) {
                return Some(Work::Settle(self.unattended(), limit));
            }
            self.is_settled = true;
        }
        let is_asked = self.wanted.iter().any(|trigger| trigger.reach() > Reach::Offline);
        let comes_first = is_asked || self.scans.is_due(now) || self.scan.is_none();
        if let Some(scan) = comes_first.then(|| self.scan_due(now)).flatten() {
            return Some(scan);
        }
        if let (Some(since), Some(assigned)) = (self.install_since, self.plan.install.first()) {
            if self.judged_at.is_some_and(|judged| judged >= since) {
                return Some(Work::Detect(assigned.clone()));
            }
            self.wanted.insert(Trigger::BeforeInstall);
        } else if self.has_installed {
            // Installing one update can change what others are (SCAN-17).
            self.wanted.insert(Trigger::AfterInstall);
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
            self.begun = run.at;
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
                self.running = Some(assigned.update.id);
                self.ready = Some(assigned);
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
        self.running = None;
        self.has_installed = true;
        self.want_describe(now);
        let mut not_run = String::new();
        let phase = match (ended, &detected) {
            (Ended::ContentLost(files), _) => {
                self.present.retain(|file| !files.contains(file));
                self.has_lost = true;
                self.fetches.failed(now, &mut self.chance);
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
        self.has_lost = false;
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
            duration_ms: Some(now.0.saturating_sub(self.begun.0).max(0)),
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

    pub(super) fn replan_restart(&mut self, now: Timestamp) {
        let mut needs = self.plan.restarts.clone();
        // For reasons of its own: only users restart for it.
        needs.extend(self.asked_since.map(|since| Need {
            since,
            not_before: None,
            is_suppressed: false,
            is_outside_window: true,
            is_told: needs.is_empty(),
        }));
        if self.closes_filter() {
            let is_told = true;
            let (not_before, is_suppressed, is_outside_window) = (Some(now), false, false);
            needs.push(Need { since: now, not_before, is_suppressed, is_outside_window, is_told });
        }
        let Notes { restart_deferred_to, restart_told_at, .. } = &mut self.notes;
        if needs.is_empty() && (restart_deferred_to.is_some() || restart_told_at.is_some()) {
            // They were about a restart that is over.
            (*restart_deferred_to, *restart_told_at) = (None, None);
            self.keep_notes();
        }
        self.is_restart_wished &= !needs.is_empty();
        self.restart = restart::decide(&Scene {
            needs: &needs,
            rules: &self.rules.restart,
            calendar: &self.calendar,
            has_users: self.around.has_users,
            deferred_to: self.notes.restart_deferred_to,
            is_wished: self.is_restart_wished,
            told_at: self.notes.restart_told_at,
            now,
        });
    }

    /// A write filter is open only as long as something is to be kept (DEP-27 … DEP-29); closing
    /// it is a restart like any other.
    fn closes_filter(&self) -> bool {
        self.around.filter == WriteFilter::Open
            && self.notes.has_opened_filter
            && !self.plan.keeps_filter_open
            && self.plan.restarts.is_empty()
    }

    /// One that did not open is left for a day: each attempt costs a restart.
    fn opens_filter(&self, now: Timestamp) -> bool {
        let failed_at = self.notes.filter_failed_at;
        let is_left = failed_at.is_some_and(|at| now.0.saturating_sub(at.0) < FILTER_AGAIN_MS);
        self.around.filter == WriteFilter::Closed && self.plan.opens_filter && !is_left
    }

    /// It takes effect with the next start, which is now: the window is that of the installation.
    pub(super) fn filter_set(&mut self, is_open: bool, result: Result<(), String>, now: Timestamp) {
        match result {
            Ok(()) => {
                self.notes.has_opened_filter = is_open;
                self.is_filter_set = true;
                self.keep_notes();
            }
            Err(reason) => {
                let text = format!("the write filter cannot be set: {reason}");
                self.event(Event::new(EventKind::Restart, now, text));
                self.restarts.failed(now, &mut self.chance);
            }
        }
    }

    fn act_on_restart(&mut self, now: Timestamp) -> Option<Work> {
        if self.is_filter_set && self.restarts.is_due(now) {
            let text = "the system is told to restart, for its write filter";
            self.event(Event::new(EventKind::Restart, now, text));
            return Some(Work::Restart);
        }
        if self.opens_filter(now) && self.restarts.is_due(now) {
            return Some(Work::SetFilter { is_open: true });
        }
        // What is still to be installed would need another restart.
        if !self.restarts.is_due(now) || !self.plan.install.is_empty() {
            return None;
        }
        if self.restart.is_due && self.closes_filter() {
            return Some(Work::SetFilter { is_open: false });
        }
        if self.restart.is_due {
            self.event(Event::new(EventKind::Restart, now, "the system is told to restart"));
            return Some(Work::Restart);
        }
        let notice = self.restart.notice?;
        self.notes.restart_told_at = Some(now);
        self.keep_notes();
        Some(Work::Notify(notice))
    }

    pub(super) fn restarting(&mut self, result: Result<(), String>, now: Timestamp) {
        self.is_restart_wished = false;
        match result {
            // The system goes down soon; if it does not, it is told again.
            Ok(()) => self.restarts.due = Some(now.plus_ms(RESTART_TAKES_MS)),
            Err(reason) => {
                self.event(Event::new(EventKind::Restart, now, reason));
                self.restarts.failed(now, &mut self.chance);
            }
        }
    }

    /// The system has started anew, whoever asked for it: nothing waits for a restart any more.
    pub(super) fn restarted(&mut self, now: Timestamp) {
        if !self.notes.boot.is_empty() {
            self.missed_until = now.plus_ms(self.rules.missed_ms);
            self.event(Event::new(EventKind::Restart, now, "the system has started"));
            self.wanted.insert(Trigger::AfterRestart);
            self.life_since = now.plus_ms(-DAY_MS);
            if self.notes.has_opened_filter && self.around.filter == WriteFilter::Closed {
                let text = "the write filter did not open";
                self.event(Event::new(EventKind::Restart, now, text));
                self.notes.filter_failed_at = Some(now);
                self.notes.has_opened_filter = false;
            }
        }
        self.notes.boot.clone_from(&self.around.boot);
        (self.notes.restart_deferred_to, self.notes.restart_told_at) = (None, None);
        self.restarts.succeeded();
        self.restarts.until(now);
        self.keep_notes();
    }

    /// Whether a restart is pending, and when it comes.
    #[must_use]
    pub fn restart_standing(&self) -> Standing {
        self.restart.standing
    }
}
