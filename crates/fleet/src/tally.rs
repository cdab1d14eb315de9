//! What a fleet has done so far.

use std::collections::BTreeMap;
use std::ops::AddAssign;

/// Questions to servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Registration,
    Poll,
    Report,
    Catalog,
}

/// What was counted, and how long each question of late has taken.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How often a client was asked for its next work.
    pub steps: u64,
    pub scans: u64,
    pub installations: u64,
    pub failures: u64,
    pub restarts: u64,
    /// Policies that were new.
    pub policies: u64,
    pub answered: BTreeMap<Kind, u64>,
    pub unanswered: BTreeMap<Kind, u64>,
    /// Why a question was not answered last.
    pub last_trouble: Option<String>,
    took: BTreeMap<Kind, Vec<f32>>,
}

/// What the clients of a fleet say of updates, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Clients that were scanned.
    pub scanned: u64,
    pub required: u64,
    /// Of these, required by a deployment as well.
    pub open: u64,
    pub installed: u64,
    pub not_required: u64,
    pub unknown: u64,
    /// Reports that no server has taken yet.
    pub unsent: u64,
}

impl AddAssign for Standing {
    fn add_assign(&mut self, other: Standing) {
        let Standing { scanned, required, open, installed, not_required, unknown, unsent } = other;
        self.scanned += scanned;
        self.required += required;
        self.open += open;
        self.installed += installed;
        self.not_required += not_required;
        self.unknown += unknown;
        self.unsent += unsent;
    }
}

impl Tally {
    /// Answered inside the process, in no time.
    pub(crate) fn count(&mut self, kind: Kind) {
        *self.answered.entry(kind).or_default() += 1;
    }

    /// `took_ms` from the moment at which the client wanted to ask.
    pub(crate) fn note(&mut self, kind: Kind, is_answered: bool, took_ms: f32) {
        let counts = if is_answered { &mut self.answered } else { &mut self.unanswered };
        *counts.entry(kind).or_default() += 1;
        self.took.entry(kind).or_default().push(took_ms);
    }

    #[must_use]
    pub fn answered(&self, kind: Kind) -> u64 {
        self.answered.get(&kind).copied().unwrap_or(0)
    }

    #[must_use]
    pub fn unanswered(&self, kind: Kind) -> u64 {
        self.unanswered.get(&kind).copied().unwrap_or(0)
    }

    /// Milliseconds of each question since they were last taken, ascending.
    pub fn take_times(&mut self, kind: Kind) -> Vec<f32> {
        let mut times = self.took.remove(&kind).unwrap_or_default();
        times.sort_by(f32::total_cmp);
        times
    }
}
