//! Waiting before trying again: doubling from a minimum to a maximum, with jitter so that many
//! who lost the same peer do not return at the same moment.

use std::time::Duration;

use ambient::Ambient;

use crate::Error;

#[derive(Clone, Debug)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    jitter_percent: u8,
    next: Duration,
}

impl Backoff {
    /// `jitter_percent` of each wait is drawn at random.
    pub fn new(min: Duration, max: Duration, jitter_percent: u8) -> Result<Backoff, Error> {
        if min.is_zero() || min > max || jitter_percent > 100 {
            return Err(Error::Backoff { min, max, jitter_percent });
        }
        Ok(Backoff { min, max, jitter_percent, next: min })
    }

    /// How long to wait now; the next wait is twice as long.
    pub fn wait(&mut self, ambient: &Ambient) -> Duration {
        let whole = self.next;
        self.next = whole.saturating_mul(2).min(self.max);
        let random = whole * u32::from(self.jitter_percent) / 100;
        let thousandths = u32::try_from(ambient.random_u64() % 1001).unwrap_or(0);
        whole - random + random * thousandths / 1000
    }

    /// After a success.
    pub fn reset(&mut self) {
        self.next = self.min;
    }
}
