//! What management points and secondary sites hold for this site, as they said last (COMP-12,
//! COMP-14).
//!
//! Owns one entry per caller, of which there are as many as certificates. Forgets with the process:
//! the next submission says it again. Refuses to know what waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::Timestamp;

/// What one caller holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    pub at: Timestamp,
    /// Behind what it submitted then.
    pub waiting: u64,
    /// Cannot be read, or was refused.
    pub set_aside: u64,
}

/// Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Backlogs(Arc<Mutex<BTreeMap<String, Backlog>>>);

impl Backlogs {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Backlog>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn say(&self, caller: String, backlog: Backlog) {
        self.lock().insert(caller, backlog);
    }

    /// By caller.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, Backlog> {
        self.lock().clone()
    }
}
