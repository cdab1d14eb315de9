//! Which servers clients refused of late, so that a status message says so once a day.
//!
//! Owns how often that is worth a message; forgets with the process. Refuses to know messages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::{ClientId, Timestamp};

use crate::limits::{DAY_MS, REFUSALS_PER_DAY};

#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Today>);

#[derive(Debug, Default)]
struct Today {
    day: i64,
    /// The servers that each client refused, by their addresses.
    said: BTreeMap<ClientId, BTreeSet<String>>,
}

impl Refusals {
    fn today(&self) -> MutexGuard<'_, Today> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is the first that is heard of it today, and the client has not said too much.
    pub(crate) fn is_news(&self, client: ClientId, url: &str, now: Timestamp) -> bool {
        let (day, mut today) = (now.0.div_euclid(DAY_MS), self.today());
        if today.day != day {
            *today = Today { day, said: BTreeMap::new() };
        }
        let said = today.said.entry(client).or_default();
        said.len() < REFUSALS_PER_DAY && said.insert(url.to_owned())
    }

    /// What was news may not have been written.
    pub(crate) fn forget(&self) {
        *self.today() = Today::default();
    }
}
