//! Nodes by the local ids of their revisions.
//!
//! A computer names all updates it has in each step of a scan, and local ids are given one after
//! the other, so a plain list finds them fastest.

/// What no node has: a catalog is far smaller.
const NONE: u32 = u32::MAX;

#[derive(Clone, Debug, Default)]
pub(super) struct Numbered(Vec<u32>);

impl Numbered {
    pub(super) fn get(&self, local_id: &i64) -> Option<&u32> {
        let at = usize::try_from(*local_id).ok()?;
        self.0.get(at).filter(|node| **node != NONE)
    }

    /// Ids come from the database, which counts them.
    pub(super) fn insert(&mut self, local_id: i64, node: u32) {
        let at = usize::try_from(local_id).unwrap_or_default();
        if self.0.len() <= at {
            self.0.resize(at + 1, NONE);
        }
        self.0[at] = node;
    }
}
