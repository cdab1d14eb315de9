//! Time and chance, handed in.
//!
//! Owns the only two sources of wall time and randomness of every process. Refuses to know what
//! anybody does with them. Production code gets [`Ambient::system`]; tests and the simulation get
//! [`Ambient::seeded`], whose clock stands still until it is moved and whose entropy is a
//! reproducible stream. Neither source fails in a way a caller could act on: a system without
//! entropy cannot serve and stops at start.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

mod clock;
mod entropy;
mod failpoint;

pub use clock::{Clock, ManualClock, SystemClock};
pub use entropy::{Entropy, SeededEntropy, SystemEntropy};
pub use failpoint::failpoint;

/// The clock and the entropy of a process.
#[derive(Clone)]
pub struct Ambient {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Ambient {
    /// Clock and entropy of the operating system.
    #[must_use]
    pub fn system() -> Ambient {
        Ambient::new(Arc::new(SystemClock), Arc::new(SystemEntropy))
    }

    /// A clock standing at `now_ms` and entropy drawn from `seed`.
    #[must_use]
    pub fn seeded(seed: u64, now_ms: i64) -> Ambient {
        Ambient::new(Arc::new(ManualClock::at(now_ms)), Arc::new(SeededEntropy::new(seed)))
    }

    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Ambient {
        Ambient { clock, entropy }
    }

    /// Milliseconds since 1970-01-01 UTC. Wall time may jump; nothing is ordered by it.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    pub fn fill(&self, bytes: &mut [u8]) {
        self.entropy.fill(bytes);
    }

    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    #[must_use]
    pub fn random_u64(&self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }

    /// A random identifier (version 4).
    #[must_use]
    pub fn random_id(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }

    /// An identifier that sorts by its time of creation (version 7).
    #[must_use]
    pub fn ordered_id(&self) -> Uuid {
        let millis = u64::try_from(self.now_ms()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes()).into_uuid()
    }
}

impl fmt::Debug for Ambient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ambient").field("now_ms", &self.now_ms()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
