//! Pages of scans as they were written: computers that have the same, among them all new ones, are
//! told the same updates in the same words.
//!
//! Owns which pages are kept: those that were asked for twice, until there is no more room. All of
//! them go when the catalog says something else. Refuses to know how a page is worded.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use update_catalog::ScanGraph;

use super::limits;

/// What makes a page of a catalog what it is.
#[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The audience, if it is told something special of these updates.
    pub(super) audience: Option<u64>,
    /// Whether protocols are spoken in which deployments are told in full, and optional ones.
    pub(super) protocols: [bool; 2],
    /// The updates that the computer lacks, by their numbers; not all of them may fit.
    pub(super) wanted: Vec<i64>,
}

/// New updates as they stand in an answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    pub(super) text: Bytes,
    /// How many of those that are wanted it tells of.
    pub(super) told: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Pages(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// Of which they tell.
    graph: Option<Arc<ScanGraph>>,
    pages: BTreeMap<Key, Page>,
    bytes: usize,
    /// Digests of pages that were not kept, each in its place.
    asked: Vec<u64>,
}

impl Pages {
    pub(super) fn find(&self, graph: &Arc<ScanGraph>, key: &Key) -> Option<Page> {
        self.of(graph).pages.get(key).cloned()
    }

    /// Keeps the page if it was asked for before, and there is room.
    pub(super) fn keep(&self, graph: &Arc<ScanGraph>, key: Key, page: &Page) {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let digest = hasher.finish();
        let bytes = page.text.len() + size_of_val(key.wanted.as_slice());
        let mut kept = self.of(graph);
        kept.asked.resize(limits::PAGES_ASKED, 0);
        let place = usize::try_from(digest % limits::PAGES_ASKED as u64).unwrap_or_default();
        if std::mem::replace(&mut kept.asked[place], digest) != digest {
            return;
        }
        if kept.bytes + bytes <= limits::PAGES_BYTES_MAX
            && kept.pages.insert(key, page.clone()).is_none()
        {
            kept.bytes += bytes;
        }
    }

    fn of(&self, graph: &Arc<ScanGraph>) -> MutexGuard<'_, Kept> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.graph.as_ref().is_some_and(|known| Arc::ptr_eq(known, graph)) {
            *kept = Kept { graph: Some(graph.clone()), ..Kept::default() };
        }
        kept
    }
}

#[cfg(test)]
mod tests;
