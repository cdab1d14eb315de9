//! When something is to be done by itself.

use ambient::Ambient;
use tokio::time::Instant;
use transport::Backoff;

use crate::wake::backoff;

/// One kind of work: when it is next due, and how patient its last failures have made the agent.
#[derive(Debug)]
pub(super) struct Turn {
    /// None: not until something asks for it.
    pub(super) due: Option<Instant>,
    backoff: Backoff,
}

impl Turn {
    pub(super) fn at(due: Option<Instant>) -> Turn {
        Turn { due, backoff: backoff() }
    }

    pub(super) fn is_due(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }

    /// Due at `latest`, or before if it was.
    pub(super) fn until(&mut self, latest: Instant) {
        self.due = Some(self.due.map_or(latest, |due| due.min(latest)));
    }

    pub(super) fn succeeded(&mut self) {
        self.backoff.reset();
    }

    /// Tried again after a while, which grows from failure to failure.
    pub(super) fn failed(&mut self, ambient: &Ambient) {
        self.due = Some(Instant::now() + self.backoff.wait(ambient));
    }
}
