//! Sets of slots by what is said of a thing: only those that have anybody in them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeBounds;
use std::sync::LazyLock;

use roaring::RoaringBitmap;

/// Which slots say `M` of `K`.
#[derive(Clone, Debug)]
pub(super) struct Index<K, M>(BTreeMap<K, BTreeMap<M, RoaringBitmap>>);

impl<K, M> Default for Index<K, M> {
    fn default() -> Index<K, M> {
        Index(BTreeMap::new())
    }
}

static NOBODY: LazyLock<RoaringBitmap> = LazyLock::new(RoaringBitmap::default);

impl<K: Copy + Ord, M: Copy + Ord> Index<K, M> {
    /// Follows a slot from what it said to what it says.
    pub(super) fn change(&mut self, slot: u32, before: &[(K, M)], after: &[(K, M)]) {
        // Most that is said has been said before, or nothing has.
        let said: BTreeSet<_> = before.iter().copied().collect();
        let says: BTreeSet<_> = match before {
            [] => BTreeSet::new(),
            _ => after.iter().copied().collect(),
        };
        for (key, mark) in said.difference(&says) {
            self.clear(slot, *key, *mark);
        }
        for (key, mark) in after.iter().filter(|said_of| !said.contains(said_of)) {
            self.0.entry(*key).or_default().entry(*mark).or_default().insert(slot);
        }
    }

    fn clear(&mut self, slot: u32, key: K, mark: M) {
        let Some(marks) = self.0.get_mut(&key) else { return };
        if let Some(slots) = marks.get_mut(&mark) {
            slots.remove(slot);
            if slots.is_empty() {
                marks.remove(&mark);
            }
        }
        if marks.is_empty() {
            self.0.remove(&key);
        }
    }

    /// Forgets all that a slot said.
    pub(super) fn drop_slot(&mut self, slot: u32) {
        self.0.retain(|_, marks| {
            marks.retain(|_, slots| {
                slots.remove(slot);
                !slots.is_empty()
            });
            !marks.is_empty()
        });
    }

    pub(super) fn of(&self, key: K, mark: M) -> &RoaringBitmap {
        self.0.get(&key).and_then(|marks| marks.get(&mark)).unwrap_or(&NOBODY)
    }

    /// All that is said of a key.
    pub(super) fn marks(&self, key: K) -> impl Iterator<Item = (M, &RoaringBitmap)> {
        self.0.get(&key).into_iter().flatten().map(|(mark, slots)| (*mark, slots))
    }

    /// The keys at which two differ.
    pub(super) fn differences(&self, other: &Index<K, M>) -> impl Iterator<Item = K> {
        let keys: BTreeSet<K> = self.0.keys().chain(other.0.keys()).copied().collect();
        keys.into_iter().filter(|key| self.0.get(key) != other.0.get(key))
    }
}

/// Where nothing more is said of a key than that it is so.
impl<K: Copy + Ord> Index<K, ()> {
    pub(super) fn each(&self) -> impl Iterator<Item = (K, &RoaringBitmap)> {
        self.0.iter().flat_map(|(key, marks)| marks.values().map(|slots| (*key, slots)))
    }

    pub(super) fn range(&self, keys: impl RangeBounds<K>) -> impl Iterator<Item = &RoaringBitmap> {
        self.0.range(keys).flat_map(|(_, marks)| marks.values())
    }
}
