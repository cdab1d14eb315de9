//! What is done to the computer: installations one after the other, and restarts.

use std::sync::Arc;

use model::{AssignedUpdate, Timestamp, UpdateId};
use update_metadata::Applicability;

use super::Client;
use crate::limits::RESTART_TAKES_MS;
use crate::plan::{Phase, Run};
use crate::restart::{self, Need, Scene, Standing};
use crate::triggers::{Reach, Trigger};
use crate::work::{Ended, Event, EventKind, Keep, Work, WriteFilter};

/// The installer succeeded and detection does not see it (0x87D00324).
const NOT_DETECTED: i32 = 0x87D0_0324_u32.cast_signed();

impl Client {
    pub(super) fn act(&mut self, now: Timestamp) -> Option<Work> {
        if let Some(assigned) = self.ready.take() {
            self.begun = now;
            return Some(Work::Install(assigned));
        }
        if !self.is_settled {
            let is_installing = self.runs.values().any(|run| run.phase == Phase::Installing);
            if is_installing {
                return Some(Work::Settle);
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
        self.has_installed = true;
        self.want_describe(now);
        let phase = match (ended, &detected) {
            (Ended::ContentLost(files), _) => {
                self.present.retain(|file| !files.contains(file));
                self.fetches.until(now);
                // Nothing was run.
                return self.settle(assigned, Phase::Waiting, 0, now);
            }
            (Ended::Failed(code), _) => Phase::Failed(code),
            (Ended::Succeeded { needs_restart: true }, _) => Phase::PendingRestart,
            (Ended::Succeeded { .. }, Applicability::Applicable) => Phase::Failed(NOT_DETECTED),
            (Ended::Succeeded { .. }, _) => Phase::Installed,
        };
        self.settle(assigned, phase, 0, now);
        if phase == Phase::Installed {
            self.judge(assigned.update.id, detected);
        }
        self.event(Event {
            update: Some(assigned.update),
            code: Some(if let Phase::Failed(code) = phase { code } else { 0 }),
            duration_ms: Some(now.0.saturating_sub(self.begun.0).max(0)),
            ..Event::new(EventKind::Install, now, phase.as_str())
        });
    }

    fn judge(&mut self, update: UpdateId, verdict: Applicability) {
        let Some(scan) = &mut self.scan else { return };
        if let Some(judged) = Arc::make_mut(scan).updates.get_mut(&update) {
            judged.verdict = verdict;
        }
    }

    /// Remembers where an installation stands. `starts` are added to how often it was started.
    fn settle(&mut self, assigned: &AssignedUpdate, phase: Phase, starts: u32, now: Timestamp) {
        let update = assigned.update;
        let known = self.runs.get(&update.id).filter(|run| run.revision == update.revision);
        let attempts = known.map_or(0, |run| run.attempts) + starts;
        let boot = self.around.boot.clone();
        let run = Run { revision: update.revision, phase, attempts, at: now, boot };
        self.keeps.push(Keep::Run(update.id, run.clone()));
        self.runs.insert(update.id, run);
    }

    /// What users started is done when it is installed, or has failed since.
    pub(super) fn forget_wishes(&mut self) {
        let Some(scan) = &self.scan else { return };
        let (progress, before) = (&self.plan.progress, self.notes.wishes.len());
        self.notes.wishes.retain(|id, _| {
            let is_open = scan.updates.get(id).map(|judged| &judged.verdict)
                == Some(&Applicability::Applicable);
            is_open && !progress.get(id).is_some_and(|(state, _)| state.is_failure())
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

    /// A write filter is open only as long as something is to be kept (DEP-27 … DEP-29).
    fn act_on_filter(&mut self, now: Timestamp) -> Option<Work> {
        if !self.restarts.is_due(now) {
            return None;
        }
        match self.around.filter {
            WriteFilter::Closed if self.plan.opens_filter => {
                Some(Work::SetFilter { is_open: true })
            }
            WriteFilter::Open
                if self.notes.has_opened_filter
                    && self.scan.is_some()
                    && self.uninspected().next().is_none()
                    && !self.plan.keeps_filter_open
                    && self.plan.restarts.is_empty() =>
            {
                Some(Work::SetFilter { is_open: false })
            }
            WriteFilter::Absent | WriteFilter::Open | WriteFilter::Closed => None,
        }
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
        if let Some(work) = self.act_on_filter(now) {
            return Some(work);
        }
        // What is still to be installed would need another restart.
        if !self.restarts.is_due(now) || !self.plan.install.is_empty() {
            return None;
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
