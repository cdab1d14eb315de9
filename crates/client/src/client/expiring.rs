//! Policy whose time is over: whoever withholds newer policy must not have the old one obeyed for
//! ever.
//!
//! Owns when it is over and that it is told. What has begun ends, scans and reports go on, and
//! policy is asked for; nothing new is downloaded or installed.

use model::Timestamp;

use super::Client;
use crate::work::{Event, EventKind};

impl Client {
    /// When the policy in effect ceased to hold; none: it holds, or there is none.
    #[must_use]
    pub fn expired_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.policy.expired_at(now)
    }

    /// When that is to be told; none: it has been.
    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        (self.policy.version > self.polls.expired).then_some(self.policy.expires)
    }

    pub(super) fn note_expiry(&mut self, now: Timestamp) {
        let Some(at) = self.expired_at(now) else {
            // A clock that was ahead has been put right.
            self.polls.expired = 0;
            return;
        };
        let version = self.policy.version;
        if self.polls.expired < version {
            self.polls.expired = version;
            let text = format!("policy {version} expired at {at}; nothing new is begun upon it");
            self.event(Event::new(EventKind::Policy, now, text));
        }
    }
}
