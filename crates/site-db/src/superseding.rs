//! Which updates are superseded, without reading the catalog.
//!
//! Owns the walk from some updates up to whatever supersedes them. Refuses to know what is ruled of
//! the superseded. Updates that supersede each other in a circle are as one: only what stands
//! outside supersedes them.

use std::collections::{BTreeMap, BTreeSet};

use model::UpdateId;
use sqlite_engine::{Row, params, parse_column};

use crate::items::id_list;
use crate::{Error, Reader};

impl Reader<'_> {
    pub fn is_superseded(&self, update: UpdateId) -> Result<bool, Error> {
        Ok(!self.superseded_among([update])?.is_empty())
    }

    /// Those of some updates that others supersede, by whatever way.
    pub fn superseded_among(
        &self,
        updates: impl IntoIterator<Item = UpdateId>,
    ) -> Result<BTreeSet<UpdateId>, Error> {
        let updates: BTreeSet<UpdateId> = updates.into_iter().collect();
        let above = self.superseding(updates.clone())?;
        let is_outside = |id: &UpdateId, over: &UpdateId| !reach(*over, &above).contains(id);
        let is_superseded = |id: &UpdateId| {
            // Nearly always the first one stands outside.
            above.get(id).into_iter().flatten().any(|over| is_outside(id, over))
                || reach(*id, &above).iter().any(|over| over != id && is_outside(id, over))
        };
        Ok(updates.into_iter().filter(is_superseded).collect())
    }

    /// Those that supersede an update directly.
    pub fn superseders(&self, update: UpdateId) -> Result<Vec<UpdateId>, Error> {
        Ok(self.superseding([update].into())?.remove(&update).unwrap_or_default())
    }

    /// What supersedes each of some updates directly, and all that stands above.
    fn superseding(
        &self,
        mut ahead: BTreeSet<UpdateId>,
    ) -> Result<BTreeMap<UpdateId, Vec<UpdateId>>, Error> {
        let mut above: BTreeMap<UpdateId, Vec<UpdateId>> = BTreeMap::new();
        let sql = "SELECT s.superseded, s.id FROM json_each(?1) j
                   JOIN supersedes s ON s.superseded = unhex(j.value)";
        let pair = |row: &Row<'_>| {
            let id = |column| parse_column(row, column, |b: Vec<u8>| UpdateId::from_slice(&b));
            Ok((id(0)?, id(1)?))
        };
        while !ahead.is_empty() {
            let found = self.tx.query_all(sql, params![id_list(&ahead)], pair)?;
            let mut next = BTreeSet::new();
            for (id, over) in found {
                above.entry(id).or_default().push(over);
                next.insert(over);
            }
            next.retain(|id| !above.contains_key(id) && !ahead.contains(id));
            ahead = next;
        }
        Ok(above)
    }
}

/// All that stands above an update, which in a circle is it, too.
fn reach(from: UpdateId, above: &BTreeMap<UpdateId, Vec<UpdateId>>) -> BTreeSet<UpdateId> {
    let (mut ahead, mut reached) = (vec![from], BTreeSet::new());
    while let Some(id) = ahead.pop() {
        let over = above.get(&id).into_iter().flatten();
        ahead.extend(over.filter(|over| reached.insert(**over)));
    }
    reached
}

#[cfg(test)]
mod tests;
