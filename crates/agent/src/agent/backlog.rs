//! What waits until the disk takes it.
//!
//! Owns what the client wants to be remembered and is not yet, and the work that relies on it: as
//! long as there is any, nothing begins. Refuses to know what it is.

use std::sync::Arc;

use client::{Keep, Work};
use model::Timestamp;

use crate::limits;

#[derive(Debug, Default)]
pub(super) struct Backlog {
    keeps: Vec<Keep>,
    works: Vec<Work>,
    failing: Option<Failing>,
    /// Work was decided when the disk took nothing.
    has_waited: bool,
}

/// The disk takes nothing.
#[derive(Clone, Debug)]
pub(super) struct Failing {
    pub(super) since: Timestamp,
    pub(super) reason: String,
}

impl Backlog {
    pub(super) fn failing(&self) -> Option<&Failing> {
        self.failing.as_ref()
    }

    pub(super) fn wait(&mut self, works: Vec<Work>) {
        self.works.extend(works);
    }

    /// Work that may begin now.
    pub(super) fn ready(&mut self) -> Vec<Work> {
        match self.failing {
            Some(_) => Vec::new(),
            None => std::mem::take(&mut self.works),
        }
    }

    #[cfg(test)]
    pub(super) fn is_to_install(&self) -> bool {
        self.works.iter().any(|work| matches!(work, Work::Install(_)))
    }

    /// What would disturb the computer and was decided before there was room again: windows have
    /// closed since, and people sat down.
    pub(super) fn outdated(&mut self) -> Vec<Work> {
        if self.failing.is_some() || !std::mem::take(&mut self.has_waited) {
            return Vec::new();
        }
        let disturbs = |work: &mut Work| matches!(work, Work::Install(_) | Work::Restart);
        self.works.extract_if(.., disturbs).collect()
    }

    /// Everything that is to be remembered, with what is new.
    pub(super) fn take(&mut self, news: Vec<Keep>) -> Arc<[Keep]> {
        let mut keeps = std::mem::take(&mut self.keeps);
        // Only events come without end, from whoever asks.
        let is_kept = |keep: &Keep| !matches!(keep, Keep::Event(_));
        let room = limits::WAITING_EVENTS_MAX.saturating_sub(keeps.len());
        let (must, events): (Vec<_>, Vec<_>) = match room {
            0 => news.into_iter().partition(is_kept),
            _ => (news, Vec::new()),
        };
        if !events.is_empty() {
            tracing::warn!(events = events.len(), "events are not in the history: no room");
        }
        keeps.extend(must);
        keeps.into()
    }

    /// They could not be written.
    pub(super) fn put_back(&mut self, keeps: &[Keep], reason: String, now: Timestamp) {
        self.keeps = keeps.to_vec();
        if self.failing.is_none() {
            tracing::error!(reason, "nothing can be remembered, so nothing begins until it can");
        }
        self.has_waited = true;
        let since = self.failing.as_ref().map_or(now, |failing| failing.since);
        self.failing = Some(Failing { since, reason });
    }

    pub(super) fn written(&mut self) {
        if self.failing.take().is_some() {
            tracing::info!("what waited is remembered now, and work goes on");
        }
    }
}
