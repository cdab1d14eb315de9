//! Asking for policy, and taking it into effect.

use std::sync::Arc;

use model::{AssignedUpdate, Intent, Timestamp};

use super::Client;
use crate::limits::{REGISTER_EVERY_MS, WOKEN_WITHIN_MS};
use crate::plan::{Doubt, doubt};
use crate::policy::{Accepted, Policy};
use crate::rules::Rules;
use crate::shelf::Shelf;
use crate::triggers::Trigger;
use crate::turn::Turn;
use crate::work::{Answer, Answered, Asking, Keep, Work};

/// Asking for policy.
#[derive(Debug)]
pub(super) struct Polls {
    pub(super) turn: Turn,
    register_at: Timestamp,
    /// When a management point last answered what the newest policy is.
    pub(super) answered_at: Option<Timestamp>,
    /// The version of policy that is known to have expired.
    pub(super) expired: u64,
}

impl Polls {
    pub(super) fn new(now: Timestamp) -> Polls {
        Polls { turn: Turn::at(Some(now)), register_at: now, answered_at: None, expired: 0 }
    }

    pub(super) fn shift(&mut self, back_ms: i64) {
        self.turn.shift(back_ms);
        self.register_at = self.register_at.plus_ms(-back_ms);
    }
}

impl Client {
    /// Takes up what was remembered.
    pub(super) fn recall(&mut self, policy: Option<Accepted>, now: Timestamp) {
        let Some(accepted) = policy else { return };
        self.obey(accepted, now);
        // A scan that failed is not what the interval is counted from.
        let due = match self.record.scan_error {
            Some(_) => now,
            None => self.record.scanned_at.plus_ms(self.scan_interval_ms()),
        };
        // On Monday morning all of them start at once.
        let due = if due <= now { self.within_spread(now) } else { due };
        self.scans.turn.until(due);
        if self.record.catalog.is_some() {
            // What was decided before goes on from what is here (SCAN-18).
            self.scans.wanted.insert(Trigger::AfterRestart);
        }
    }

    /// There may be newer policy; all clients of the site are told so at the same moment.
    pub fn want_policy(&mut self, now: Timestamp) {
        let at = self.within_moments(now);
        self.polls.turn.until(at);
    }

    /// A moment of the spread over which scans begin.
    pub(super) fn within_spread(&mut self, now: Timestamp) -> Timestamp {
        self.chance.within(now, self.profile.scan_spread_ms)
    }

    /// A scan within the spread, which ends with the first deadline that waits for a scan. One
    /// moment is drawn for it: of several, the earliest would win, and the scans of a site would
    /// crowd at the beginning.
    pub(super) fn scan_within_spread(&mut self, now: Timestamp) {
        let end = now.plus_ms(self.profile.scan_spread_ms);
        let end = self.unjudged_deadline().map_or(end, |deadline| end.min(deadline.max(now)));
        if self.scans.turn.due.is_none_or(|due| due > end) {
            let at = self.chance.within(now, end.0 - now.0);
            self.scans.turn.until(at);
        }
    }

    /// A moment soon, for what all clients are told at once.
    pub(super) fn within_moments(&mut self, now: Timestamp) -> Timestamp {
        self.chance.within(now, self.profile.scan_spread_ms.min(WOKEN_WITHIN_MS))
    }

    pub(super) fn ask_policy(&mut self, now: Timestamp) -> Work {
        // Whoever wants policy from here on wants a newer one.
        self.polls.turn.due = None;
        Work::AskPolicy(Asking {
            is_introduced: self.polls.register_at <= now,
            incarnation: self.record.incarnation,
            profile: self.profile.clone(),
            held: self.policy.clone(),
        })
    }

    pub(super) fn answered(&mut self, answered: Option<Answered>, now: Timestamp) {
        let Some(Answered { has_introduced, answer }) = answered else {
            return self.polls.turn.failed(now, &mut self.chance);
        };
        self.polls.answered_at = Some(now);
        if has_introduced {
            self.polls.register_at = now.plus_ms(REGISTER_EVERY_MS);
            self.want_describe(now);
        }
        match answer {
            // Not planned for this client yet, or not to be believed.
            Answer::Nothing => return self.polls.turn.failed(now, &mut self.chance),
            Answer::Same => {}
            Answer::New(accepted) => self.adopt(*accepted, now),
        }
        self.polls.turn.succeeded();
        let poll = i64::try_from(self.policy.settings().policy_poll_ms).unwrap_or(i64::MAX);
        // Not all clients of a site at the same moment.
        let next = self.chance.within(now.plus_ms(poll / 10 * 9), poll / 10);
        self.polls.turn.until(next);
    }

    /// Durable first, then in effect.
    fn adopt(&mut self, accepted: Accepted, now: Timestamp) {
        self.keeps.push(Keep::Policy(Box::new(accepted.clone())));
        let before = self.policy.clone();
        self.obey(accepted, now);
        let count = self.policy.assignments.len();
        // Other servers may have what those before did not.
        if self.record.scan_error.is_some() && self.policy.servers != before.servers {
            self.scan_within_spread(now);
        }
        if self.record.scanned_at == Timestamp::default() {
            self.scan_within_spread(now);
        }
        if self.policy.assignments == before.assignments || count == 0 {
            return;
        }
        // A deployment is evaluated at once (DEP-16) and fetched at once (DEP-17); the first scan
        // of all waits for its random moment (SCAN-02).
        if self.has_fresh_catalog(now) || self.profile.scan_spread_ms == 0 || self.is_late(now) {
            self.scans.wanted.insert(Trigger::NewPolicy);
        } else {
            self.scan_within_spread(now);
        }
        self.content.turn.until(now);
    }

    /// A deadline has come already, and what it is about is not known here.
    fn is_late(&self, now: Timestamp) -> bool {
        self.unjudged_deadline().is_some_and(|deadline| deadline <= now)
    }

    /// The first deadline of something required that the last scan did not know. None where there
    /// was no scan yet: the first of all waits for its random moment (SCAN-02), and after a start
    /// what is here is scanned before.
    pub(super) fn unjudged_deadline(&self) -> Option<Timestamp> {
        self.record.catalog?;
        let is_unjudged = |assigned: &AssignedUpdate| match &self.scan {
            None => self.scans.judged_at.is_some(),
            Some(scan) => scan
                .updates
                .get(&assigned.update.id)
                .is_none_or(|judged| judged.update.revision < assigned.update.revision),
        };
        let assignments = self.policy.assignments.iter();
        let required = assignments.filter(|assignment| assignment.intent == Intent::Required);
        let deadlines = required.filter_map(|assignment| {
            let deadline = self.moment(assignment, assignment.deadline?);
            let deadline = deadline.max(self.moment(assignment, assignment.available_at));
            assignment.updates.iter().any(is_unjudged).then_some(deadline)
        });
        deadlines.min()
    }

    /// Holds together with other clients of this process what is the same with them.
    pub fn share(&mut self, shelf: &mut Shelf) {
        self.policy = Arc::new(shelf.policy(&self.policy));
    }

    fn obey(&mut self, accepted: Accepted, now: Timestamp) {
        self.policy = Arc::new(Policy::read(accepted));
        self.rules = Rules::of(&self.policy.options, &self.around.zone);
        self.calendar = self.policy.calendar(&self.around.zone).0;
        // A newer catalog is no reason to hurry (STATE-01); all clients would come at once.
        if self.record.covered < self.policy.settings().catalog_version {
            self.scan_within_spread(now);
        }
        let assignments = &self.policy.assignments;
        if self
            .scan
            .as_ref()
            .is_some_and(|scan| matches!(doubt(assignments, scan), Some(Doubt::Altered(_))))
        {
            self.scan = None;
        }
        let named = assignments.iter().flat_map(|a| &a.updates).flat_map(|a| &a.files);
        let named: std::collections::BTreeSet<_> = named.map(|file| file.sha256).collect();
        self.content.inspected.retain(|file| named.contains(file));
        self.content.present.retain(|file| named.contains(file));
    }
}
