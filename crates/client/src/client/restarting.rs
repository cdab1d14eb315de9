//! Restarts, and the write filter that takes effect with them.

use model::Timestamp;

use super::Client;
use crate::limits::{DAY_MS, FILTER_AGAIN_MS, RESTART_TAKES_MS};
use crate::restart::{self, Decision, Need, Scene, Standing};
use crate::triggers::Trigger;
use crate::turn::Turn;
use crate::work::{Event, EventKind, Notes, Work, WriteFilter};

/// Whether the computer is to be restarted.
#[derive(Debug)]
pub(super) struct Restarting {
    pub(super) decision: Decision,
    pub(super) turn: Turn,
    /// Somebody here wants it now.
    pub(super) is_wished: bool,
    /// The write filter waits for the next start.
    pub(super) is_filter_set: bool,
    /// Since when the system itself asks for it.
    pub(super) asked_since: Option<Timestamp>,
    /// After a start of the system, what was due before waits until then.
    pub(super) missed_until: Timestamp,
}

impl Restarting {
    pub(super) fn new(now: Timestamp) -> Restarting {
        Restarting {
            decision: Decision::none(),
            turn: Turn::at(Some(now)),
            is_wished: false,
            is_filter_set: false,
            asked_since: None,
            missed_until: Timestamp(i64::MIN),
        }
    }

    pub(super) fn forget_the_future(&mut self, now: Timestamp) {
        self.asked_since = self.asked_since.map(|at| at.min(now));
        self.missed_until = self.missed_until.min(now);
    }
}

impl Client {
    pub(super) fn replan_restart(&mut self, now: Timestamp) {
        let mut needs = self.plan.restarts.clone();
        // For reasons of its own: only users restart for it.
        needs.extend(self.restarting.asked_since.map(|since| Need {
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
        self.restarting.is_wished &= !needs.is_empty();
        self.restarting.decision = restart::decide(&Scene {
            needs: &needs,
            rules: &self.rules.restart,
            calendar: &self.calendar,
            has_users: self.around.has_users,
            deferred_to: self.notes.restart_deferred_to,
            is_wished: self.restarting.is_wished,
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
                self.restarting.is_filter_set = true;
                self.keep_notes();
            }
            Err(reason) => {
                let text = format!("the write filter cannot be set: {reason}");
                self.event(Event::new(EventKind::Restart, now, text));
                self.restarting.turn.failed(now, &mut self.chance);
            }
        }
    }

    pub(super) fn act_on_restart(&mut self, now: Timestamp) -> Option<Work> {
        if self.restarting.is_filter_set && self.restarting.turn.is_due(now) {
            let text = "the system is told to restart, for its write filter";
            self.event(Event::new(EventKind::Restart, now, text));
            return Some(Work::Restart);
        }
        if self.opens_filter(now) && self.restarting.turn.is_due(now) {
            return Some(Work::SetFilter { is_open: true });
        }
        // What is still to be installed would need another restart.
        if !self.restarting.turn.is_due(now) || !self.plan.install.is_empty() {
            return None;
        }
        if self.restarting.decision.is_due && self.closes_filter() {
            return Some(Work::SetFilter { is_open: false });
        }
        if self.restarting.decision.is_due {
            self.event(Event::new(EventKind::Restart, now, "the system is told to restart"));
            return Some(Work::Restart);
        }
        let notice = self.restarting.decision.notice?;
        self.notes.restart_told_at = Some(now);
        self.keep_notes();
        Some(Work::Notify(notice))
    }

    pub(super) fn restarting(&mut self, result: Result<(), String>, now: Timestamp) {
        self.restarting.is_wished = false;
        match result {
            // The system goes down soon; if it does not, it is told again.
            Ok(()) => self.restarting.turn.due = Some(now.plus_ms(RESTART_TAKES_MS)),
            Err(reason) => {
                self.event(Event::new(EventKind::Restart, now, reason));
                self.restarting.turn.failed(now, &mut self.chance);
            }
        }
    }

    /// The system has started anew, whoever asked for it: nothing waits for a restart any more.
    pub(super) fn restarted(&mut self, now: Timestamp) {
        if !self.notes.boot.is_empty() {
            self.restarting.missed_until = now.plus_ms(self.rules.missed_ms);
            self.event(Event::new(EventKind::Restart, now, "the system has started"));
            self.scans.wanted.insert(Trigger::AfterRestart);
            self.installing.life_since = now.plus_ms(-DAY_MS);
            if self.notes.has_opened_filter && self.around.filter == WriteFilter::Closed {
                let text = "the write filter did not open";
                self.event(Event::new(EventKind::Restart, now, text));
                self.notes.filter_failed_at = Some(now);
                self.notes.has_opened_filter = false;
            }
        }
        self.notes.boot.clone_from(&self.around.boot);
        (self.notes.restart_deferred_to, self.notes.restart_told_at) = (None, None);
        self.restarting.turn.succeeded();
        self.restarting.turn.until(now);
        self.keep_notes();
    }

    /// Whether a restart is pending, and when it comes.
    #[must_use]
    pub fn restart_standing(&self) -> Standing {
        self.restarting.decision.standing
    }
}
