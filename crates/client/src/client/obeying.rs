//! Asking for policy, and taking it into effect.

use std::sync::Arc;

use model::Timestamp;

use super::Client;
use crate::limits::REGISTER_EVERY_MS;
use crate::plan::{Doubt, doubt};
use crate::policy::{Accepted, Policy};
use crate::rules::Rules;
use crate::shelf::Shelf;
use crate::triggers::Trigger;
use crate::work::{Answer, Answered, Asking, Keep, Work};

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
        self.scans.until(due.max(now));
        if self.record.catalog.is_some() {
            // What was decided before goes on from what is here (SCAN-18).
            self.wanted.insert(Trigger::AfterRestart);
        }
    }

    /// There may be newer policy.
    pub fn want_policy(&mut self, now: Timestamp) {
        self.polls.until(now);
    }

    pub(super) fn ask_policy(&mut self, now: Timestamp) -> Work {
        Work::AskPolicy(Asking {
            is_introduced: self.register_at <= now,
            incarnation: self.record.incarnation,
            profile: self.profile.clone(),
            held: self.policy.clone(),
        })
    }

    pub(super) fn answered(&mut self, answered: Option<Answered>, now: Timestamp) {
        let Some(Answered { has_introduced, answer }) = answered else {
            return self.polls.failed(now, &mut self.chance);
        };
        if has_introduced {
            self.register_at = now.plus_ms(REGISTER_EVERY_MS);
            self.want_describe(now);
        }
        match answer {
            // Not planned for this client yet, or not to be believed.
            Answer::Nothing => return self.polls.failed(now, &mut self.chance),
            Answer::Same => {}
            Answer::New(accepted) => self.adopt(*accepted, now),
        }
        self.polls.succeeded();
        let poll = i64::try_from(self.policy.settings().policy_poll_ms).unwrap_or(i64::MAX);
        // Not all clients of a site at the same moment.
        self.polls.due = Some(self.chance.within(now.plus_ms(poll / 10 * 9), poll / 10));
    }

    /// Durable first, then in effect.
    fn adopt(&mut self, accepted: Accepted, now: Timestamp) {
        self.keeps.push(Keep::Policy(Box::new(accepted.clone())));
        let before = self.policy.clone();
        self.obey(accepted, now);
        let count = self.policy.assignments.len();
        // Other servers may have what those before did not.
        if self.record.scan_error.is_some() && self.policy.servers != before.servers {
            self.scans.until(now);
        }
        if self.policy.assignments == before.assignments || count == 0 {
            return;
        }
        // A deployment is evaluated at once (DEP-16) and fetched at once (DEP-17); the first scan
        // of all waits for its random moment (SCAN-02).
        if self.record.catalog.is_some() || self.profile.scan_spread_ms == 0 {
            self.wanted.insert(Trigger::NewPolicy);
        }
        self.fetches.until(now);
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
            let spread = self.profile.scan_spread_ms;
            self.scans.until(self.chance.within(now, spread));
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
        self.inspected.retain(|file| named.contains(file));
        self.present.retain(|file| named.contains(file));
    }
}
