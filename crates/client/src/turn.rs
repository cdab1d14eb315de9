//! When something is to be done by itself, and chance that is handed in.

use model::Timestamp;

use crate::limits::{RETRY_MAX, RETRY_MIN};

/// A stream of numbers that looks random and is the same for the same seed (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    /// A moment within `spread_ms` from `now`.
    pub(crate) fn within(&mut self, now: Timestamp, spread_ms: i64) -> Timestamp {
        let spread = u64::try_from(spread_ms).unwrap_or(0).max(1);
        now.plus_ms(i64::try_from(self.draw() % spread).unwrap_or(0))
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut drawn = self.0;
        drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        drawn ^ (drawn >> 31)
    }
}

/// One kind of work: when it is next due, and how patient its last failures have made the client.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    /// None: not until something asks for it.
    pub(crate) due: Option<Timestamp>,
    failures: u32,
}

impl Turn {
    pub(crate) fn at(due: Option<Timestamp>) -> Turn {
        Turn { due, failures: 0 }
    }

    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// Due at `latest`, or before if it was.
    pub(crate) fn until(&mut self, latest: Timestamp) {
        self.due = Some(self.due.map_or(latest, |due| due.min(latest)));
    }

    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Tried again after a while, which doubles from failure to failure; half of it is chance, so
    /// that those who lost the same server do not return at the same moment.
    pub(crate) fn failed(&mut self, now: Timestamp, chance: &mut Chance) {
        let whole = RETRY_MIN.saturating_mul(1 << self.failures.min(16)).min(RETRY_MAX);
        self.failures = self.failures.saturating_add(1);
        let half = i64::try_from(whole.as_millis()).unwrap_or(i64::MAX) / 2;
        self.due = Some(chance.within(now.plus_ms(half), half));
    }

    /// A clock that was set back by `ms` must not put it off for as long.
    pub(crate) fn shift(&mut self, ms: i64) {
        self.due = self.due.map(|due| due.plus_ms(-ms));
    }
}

#[cfg(test)]
mod tests;
