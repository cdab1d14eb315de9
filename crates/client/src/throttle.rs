//! How fast content may be fetched at a time (CONT-22).
//!
//! Owns the window, which goes by the client's clock: across midnight, and also in the night in
//! which the clock is set. Refuses to know who reads. A rate is kept over all that is read
//! together, so that two downloads are no faster than one.

use std::time::Duration;

use model::{ClientOptions, Timestamp};
use recurrence::Zone;

use crate::limits::{DAY_MS, MINUTE_MS};

/// A thousand bits a second.
const KBPS_BYTES: u64 = 1_000 / 8;

/// No clock is set more often than this between two ends of a window.
const CLOCK_CHANGES_MAX: usize = 4;

/// Rates inside and outside of a window of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// Milliseconds of the day at which the window begins and ends; the same: it is always open.
    from: i64,
    to: i64,
    inside: Option<u64>,
    outside: Option<u64>,
}

impl Throttle {
    /// Nothing if content is fetched as fast as it comes.
    #[must_use]
    pub fn of(options: &ClientOptions) -> Option<Throttle> {
        let rate = |name| match options.number(name) {
            0 => None,
            kbps => Some(u64::from(kbps) * KBPS_BYTES),
        };
        options.is_on("throttle.enabled").then(|| Throttle {
            from: time_of_day(&options.get("throttle.from")),
            to: time_of_day(&options.get("throttle.to")),
            inside: rate("throttle.inside"),
            outside: rate("throttle.outside"),
        })
    }

    /// Bytes a second; nothing: there is no limit.
    #[must_use]
    pub fn rate(&self, now: Timestamp, clock: &Zone) -> Option<u64> {
        if self.is_open(now, clock) { self.inside } else { self.outside }
    }

    /// When the window opens or closes next; never, if it is always open.
    #[must_use]
    pub fn next_change(&self, now: Timestamp, clock: &Zone) -> Option<Timestamp> {
        if self.from == self.to {
            return None;
        }
        let was_open = self.is_open(now, clock);
        let mut at = now;
        for _ in 0..CLOCK_CHANGES_MAX {
            let end = if was_open { self.to } else { self.from };
            let left = (end - shown(at, clock)).rem_euclid(DAY_MS);
            let next = at.plus_ms(if left == 0 { DAY_MS } else { left });
            // As long as the clock is not set in between it shows then what ends this.
            let Some(set) = clock_is_set(at, next, clock) else { return Some(next) };
            if self.is_open(set, clock) != was_open {
                return Some(set);
            }
            at = set;
        }
        None
    }

    /// When so many bytes have passed, of which the first comes at `from`.
    #[must_use]
    pub fn passed(&self, from: Timestamp, bytes: u64, clock: &Zone) -> Timestamp {
        let (mut at, mut left) = (from, u128::from(bytes) * 1_000);
        loop {
            let Some(rate) = self.rate(at, clock).map(u128::from) else { return at };
            let needed = i64::try_from(left.div_ceil(rate)).unwrap_or(i64::MAX);
            let end = at.plus_ms(needed);
            match self.next_change(at, clock) {
                Some(change) if change < end => {
                    let elapsed = u128::try_from(change.0 - at.0).unwrap_or(0);
                    (at, left) = (change, left - (rate * elapsed).min(left));
                }
                _ => return end,
            }
        }
    }

    fn is_open(&self, at: Timestamp, clock: &Zone) -> bool {
        let since = (shown(at, clock) - self.from).rem_euclid(DAY_MS);
        self.from == self.to || since < (self.to - self.from).rem_euclid(DAY_MS)
    }
}

/// What was read together, and when that is paid for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    paid_at: Timestamp,
    seen: Timestamp,
}

impl Meter {
    /// How long to wait before more is read, now that so much was.
    pub fn spend(
        &mut self,
        throttle: &Throttle,
        bytes: u64,
        (now, clock): (Timestamp, &Zone),
    ) -> Duration {
        // What is owed by a clock that was set back is forgiven.
        if now < self.seen {
            self.paid_at = now;
        }
        self.seen = now;
        self.paid_at = throttle.passed(self.paid_at.max(now), bytes, clock);
        Duration::from_millis(u64::try_from(self.paid_at.0 - now.0).unwrap_or(0))
    }
}

/// Milliseconds since midnight, as the clock shows them.
fn shown(at: Timestamp, clock: &Zone) -> i64 {
    clock.civil_time(at).0.rem_euclid(DAY_MS)
}

/// The moment in between at which the clock is set, to the millisecond.
fn clock_is_set(from: Timestamp, to: Timestamp, clock: &Zone) -> Option<Timestamp> {
    let offset = |at: i64| clock.civil_time(Timestamp(at)).0 - at;
    let (mut before, mut after) = (from.0, to.0);
    if offset(before) == offset(after) {
        return None;
    }
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if offset(middle) == offset(before) {
            before = middle;
        } else {
            after = middle;
        }
    }
    Some(Timestamp(after))
}

/// Of `09:30`.
fn time_of_day(text: &str) -> i64 {
    let minutes = text.split_once(':').and_then(|(hours, minutes)| {
        Some(hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?)
    });
    minutes.unwrap_or(0) * MINUTE_MS
}

#[cfg(test)]
mod tests;
