//! The newest of what replaces itself several times a day.

use std::cmp::Reverse;

use model::UpdateId;
use roaring::RoaringBitmap;

use super::UpdateIndex;
use super::vocabulary::{CLASSIFICATION_LIST, PRODUCT_LIST};

/// The title of the classification, in lower case.
const DEFINITIONS: &str = "definition updates";

/// Of each product: the current one, and three before it for computers that are on their way to
/// it (DEPX-20).
const KEPT: usize = 4;

impl UpdateIndex {
    /// Leaves the newest definitions of each product, and everything else.
    pub(crate) fn drop_old_definitions(&self, ids: &mut Vec<UpdateId>) {
        let Some(definitions) = self.lists[CLASSIFICATION_LIST].get(DEFINITIONS) else { return };
        let found = self.numbers(ids.iter()) & definitions;
        let (mut old, mut kept) = (RoaringBitmap::new(), RoaringBitmap::new());
        for of_product in self.lists[PRODUCT_LIST].values() {
            let mut rows: Vec<u32> = (of_product & &found).iter().collect();
            rows.sort_by_key(|row| Reverse((self.released[*row as usize], *row)));
            kept.extend(rows.iter().take(KEPT));
            old.extend(rows.iter().skip(KEPT));
        }
        // What is new for one product may be old for another.
        old -= kept;
        ids.retain(|id| self.number(*id).is_none_or(|row| !old.contains(row)));
    }
}
