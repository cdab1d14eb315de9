//! The updates of a catalog as columns, so that a query over all of them takes milliseconds.
//!
//! Owns what can be asked about updates ([`UPDATES`]), what an item means in these words, and the
//! bitmaps and arrays that answer. Made anew when the catalog changes; what changes without it
//! comes with every question ([`Surroundings`]). Children of bundles are no rows: they are offered
//! with their bundle alone. Refuses to know who asks and what becomes of the answer. Fails in one
//! way: a question about counts that nobody has yet has no answer.

mod newest;
mod row;
mod select;
mod vocabulary;

use std::collections::{BTreeMap, BTreeSet};

use compliance::{Board, LiveItem};
use model::{ObjectCode, Timestamp, UpdateGroup, UpdateId};
use roaring::RoaringBitmap;

pub use row::{UpdateRow, UpdateSource, is_third_party, update_rows};
pub use vocabulary::UPDATES;

use vocabulary::{FLAGS, LANGUAGE_LIST, LISTS};

/// What a query depends on besides the catalog.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    pub now: Timestamp,
    /// None: nobody has counted yet.
    pub board: Option<&'a Board>,
    /// The updates that count as deployed.
    pub deployed: &'a BTreeSet<UpdateId>,
    pub groups: &'a BTreeMap<ObjectCode, UpdateGroup>,
}

/// The rows of a catalog, ascending by id; a row's number is its place.
#[derive(Debug, Default)]
pub struct UpdateIndex {
    rows: Vec<(UpdateId, LiveItem)>,
    titles: Texts,
    descriptions: Texts,
    released: Vec<Timestamp>,
    size_kb: Vec<u64>,
    /// By the words of each list, in lower case.
    lists: [BTreeMap<String, RoaringBitmap>; LISTS.len()],
    flags: [RoaringBitmap; FLAGS.len()],
}

/// Texts in lower case, one after the other.
#[derive(Debug, Default)]
struct Texts {
    all: String,
    ends: Vec<usize>,
}

impl Texts {
    fn push(&mut self, text: &str) {
        self.all.push_str(&text.to_lowercase());
        self.ends.push(self.all.len());
    }

    fn get(&self, row: u32) -> &str {
        let row = row as usize;
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.all[start..self.ends[row]]
    }
}

impl UpdateIndex {
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether an update has what a field of yes or no says; one that is not here has nothing.
    pub(crate) fn has(&self, id: UpdateId, flag: &str) -> bool {
        let place = FLAGS.iter().position(|name| *name == flag);
        let set = place.map(|place| &self.flags[place]);
        set.zip(self.number(id)).is_some_and(|(set, row)| set.contains(row))
    }

    /// Whether an update is for one of these languages; what is for none is for all.
    pub(crate) fn speaks(&self, id: UpdateId, languages: &[String]) -> bool {
        let Some(row) = self.number(id) else { return false };
        let column = &self.lists[LANGUAGE_LIST];
        languages.iter().any(|tag| column.get(tag).is_some_and(|rows| rows.contains(row)))
            || !column.values().any(|rows| rows.contains(row))
    }

    /// The catalog version that brought an update; 0: it is not here.
    #[must_use]
    pub fn since(&self, id: UpdateId) -> u64 {
        self.number(id).map_or(0, |row| self.rows[row as usize].1.since)
    }

    fn number(&self, id: UpdateId) -> Option<u32> {
        let place = self.rows.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        u32::try_from(place).ok()
    }

    fn numbers<'a>(&self, ids: impl IntoIterator<Item = &'a UpdateId>) -> RoaringBitmap {
        ids.into_iter().filter_map(|id| self.number(*id)).collect()
    }
}

/// From rows in any order, each id once.
impl FromIterator<UpdateRow> for UpdateIndex {
    fn from_iter<I: IntoIterator<Item = UpdateRow>>(rows: I) -> UpdateIndex {
        let mut rows: Vec<UpdateRow> = rows.into_iter().collect();
        rows.sort_unstable_by_key(|row| row.id);
        let mut index = UpdateIndex::default();
        for (row, number) in rows.into_iter().zip(0..) {
            let UpdateRow { id, live, title, description, released, size_kb, lists, flags } = row;
            index.rows.push((id, live));
            index.titles.push(&title);
            index.descriptions.push(&description);
            index.released.push(released);
            index.size_kb.push(size_kb);
            for (column, words) in index.lists.iter_mut().zip(lists) {
                for word in words {
                    column.entry(word.to_lowercase()).or_default().insert(number);
                }
            }
            for (column, is_set) in index.flags.iter_mut().zip(flags) {
                if is_set {
                    column.insert(number);
                }
            }
        }
        index
    }
}

#[cfg(test)]
mod tests;
