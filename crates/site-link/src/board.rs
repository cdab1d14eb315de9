//! What this site knows of its links right now. In memory only; people read it, recovery too.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::{LinkState, SiteCode, StreamId, Timestamp};
use replication::{Head, NeighborView};

/// Attempts in a row after which a link is degraded and failed (DRS-08).
const DEGRADED_ATTEMPTS: u32 = 12;
const FAILED_ATTEMPTS: u32 = 24;

/// One link as people see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkView {
    /// Sessions that are open; a new one may begin before the old one's end is noticed.
    pub sessions: u32,
    pub failed_attempts: u32,
    pub last_contact: Option<Timestamp>,
    pub lag_changes: u64,
    /// Streams that are forked or damaged, or why the last session ended.
    pub problem: String,
}

impl LinkView {
    #[must_use]
    pub fn state(&self) -> LinkState {
        match self.failed_attempts {
            FAILED_ATTEMPTS.. => LinkState::Failed,
            DEGRADED_ATTEMPTS.. => LinkState::Degraded,
            _ if self.sessions > 0 => LinkState::Active,
            _ => LinkState::Degraded,
        }
    }
}

#[derive(Debug, Default)]
struct Neighbor {
    view: LinkView,
    recovery: NeighborView,
    /// Streams of which a batch did not give the digest it promised: asked about first.
    doubts: Vec<StreamId>,
}

/// All links of one site.
#[derive(Debug, Default)]
pub struct LinkBoard(Mutex<BTreeMap<SiteCode, Neighbor>>);

impl LinkBoard {
    /// A panic while the lock was held cannot leave a map in a state that matters.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<SiteCode, Neighbor>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[must_use]
    pub fn links(&self) -> BTreeMap<SiteCode, LinkView> {
        self.lock().iter().map(|(code, n)| (*code, n.view.clone())).collect()
    }

    /// What every neighbor last said it holds.
    #[must_use]
    pub fn heads(&self) -> BTreeMap<SiteCode, Vec<Head>> {
        let heads =
            |n: &Neighbor| n.recovery.heads.iter().flat_map(|h| h.values().cloned()).collect();
        self.lock().iter().map(|(code, n)| (*code, heads(n))).collect()
    }

    pub fn update(&self, site: SiteCode, change: impl FnOnce(&mut LinkView)) {
        change(&mut self.lock().entry(site).or_default().view);
    }

    /// Makes a neighbor known before it has answered: a recovery waits for it.
    pub fn expect_neighbor(&self, site: SiteCode, is_parent: bool) {
        self.lock().entry(site).or_default().recovery.is_parent = is_parent;
    }

    pub(crate) fn note_hello(&self, site: SiteCode, recovering: bool) {
        let mut map = self.lock();
        let neighbor = map.entry(site).or_default();
        neighbor.recovery.recovering = recovering;
        neighbor.recovery.heads = None;
    }

    pub(crate) fn note_heads(&self, site: SiteCode, heads: &BTreeMap<StreamId, Head>) {
        self.lock().entry(site).or_default().recovery.heads = Some(heads.clone());
    }

    pub(crate) fn neighbors(&self) -> BTreeMap<SiteCode, NeighborView> {
        self.lock().iter().map(|(code, n)| (*code, n.recovery.clone())).collect()
    }

    pub(crate) fn add_doubt(&self, site: SiteCode, stream: StreamId) {
        self.lock().entry(site).or_default().doubts.push(stream);
    }

    pub(crate) fn take_doubts(&self, site: SiteCode) -> Vec<StreamId> {
        std::mem::take(&mut self.lock().entry(site).or_default().doubts)
    }
}
