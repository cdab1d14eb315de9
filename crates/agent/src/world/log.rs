//! One log of what can be seen from outside of an agent, by virtual time.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use ambient::{Clock as _, ManualClock};

use super::NOW;

/// What the servers are asked and told, and what is done to the computer. Clones are the same log.
#[derive(Clone)]
pub(crate) struct Log {
    clock: Arc<ManualClock>,
    written: Arc<Mutex<Written>>,
}

#[derive(Default)]
struct Written {
    lines: String,
    /// What is different each time, and what it is called instead.
    names: BTreeMap<String, String>,
}

impl Log {
    pub(crate) fn new(clock: Arc<ManualClock>) -> Log {
        Log { clock, written: Arc::default() }
    }

    /// Writes it down with the minutes since the beginning.
    pub(crate) fn say(&self, what: &str) {
        let minutes = (self.clock.now_ms() - NOW.0) / 60_000;
        self.lock().lines += &format!("{minutes} {what}\n");
    }

    pub(crate) fn call(&self, text: &str, name: &str) {
        self.lock().names.insert(text.to_owned(), name.to_owned());
    }

    /// What was written since the last time.
    pub(crate) fn take(&self) -> String {
        let mut written = self.lock();
        let mut lines = std::mem::take(&mut written.lines);
        for (text, name) in &written.names {
            lines = lines.replace(text, name);
        }
        lines
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().expect("whole")
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}
