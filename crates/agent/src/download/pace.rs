//! How fast is read: no faster than settings allow, and not from a source that hardly sends.
//!
//! Owns the waits between reads. Refuses to know what is read.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use client::throttle::{Meter, Throttle};
use model::Timestamp;
use recurrence::Zone;

use crate::limits;

/// One for all that is fetched, so that two downloads are no faster than one.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    rule: Option<(Throttle, Zone)>,
    meter: Meter,
}

impl Pace {
    /// From now on; `throttle` is none where there is no limit.
    pub(crate) fn follow(&self, throttle: Option<Throttle>, clock: &Zone) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rule = throttle.map(|throttle| (throttle, clock.clone()));
        if state.rule != rule {
            // What is owed under the old rule may be hours under it.
            *state = State { rule, meter: Meter::default() };
        }
    }

    /// How long to wait before more is read, now that so much was.
    pub(super) fn spend(&self, bytes: u64, now: Timestamp) -> Duration {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let State { rule, meter } = &mut *state;
        rule.as_ref()
            .map_or(Duration::ZERO, |(throttle, clock)| meter.spend(throttle, bytes, (now, clock)))
    }
}

/// What a source has sent lately, without the time in which it was not read from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    time: Duration,
    least: u64,
    waited_ms: i64,
    bytes: u64,
}

impl Flow {
    /// Of a source without which there would be none.
    pub(crate) fn steady() -> Flow {
        Flow::of(limits::SILENCE_MAX, limits::FLOW_BYTES_MIN)
    }

    /// Of a source beside which there are others.
    pub(crate) fn brisk() -> Flow {
        Flow::of(limits::BRISK_TIME, limits::BRISK_BYTES_MIN)
    }

    fn of(time: Duration, least: u64) -> Flow {
        Flow { time, least, waited_ms: 0, bytes: 0 }
    }

    /// So much came after so long; false if it is too little to go on.
    pub(crate) fn goes_on(&mut self, bytes: u64, (asked, came): (Timestamp, Timestamp)) -> bool {
        self.waited_ms += (came.0 - asked.0).max(0);
        self.bytes = self.bytes.saturating_add(bytes);
        if Duration::from_millis(self.waited_ms.unsigned_abs()) < self.time {
            return true;
        }
        let is_enough = self.bytes >= self.least;
        *self = Flow::of(self.time, self.least);
        is_enough
    }
}

#[cfg(test)]
mod tests;
