//! Configuration items by number.

use std::collections::{BTreeMap, BTreeSet};

use compliance::LiveItem;
use model::{Group, Item, Kind, ObjectCode, UpdateGroup, UpdateId};
use rpc::object::ObjectBody as _;
use sqlite_engine::{Row, RowResult, params, parse_column};

use crate::{Error, Reader};

/// What compliance needs to know of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberedItem {
    pub number: u32,
    pub id: UpdateId,
    pub since: u64,
    pub expired: bool,
    pub hidden: bool,
    /// Ruled out: it counts nowhere.
    pub declined: bool,
}

const NUMBERED: &str = "SELECT item.*, coalesce(is_declined, 0)
    FROM item LEFT JOIN ruling ON ruling.id = item.id";

fn numbered(row: &Row<'_>) -> RowResult<NumberedItem> {
    Ok(NumberedItem {
        number: row.get(0)?,
        id: parse_column(row, 1, |b: Vec<u8>| UpdateId::from_slice(&b))?,
        since: row.get(2)?,
        expired: row.get(3)?,
        hidden: row.get(4)?,
        declined: row.get(5)?,
    })
}

/// Ids as a JSON array that `unhex(value)` of `json_each` reads.
pub(crate) fn id_list(ids: &BTreeSet<UpdateId>) -> String {
    let quoted: Vec<String> = ids.iter().map(|id| format!("\"{}\"", id.0.simple())).collect();
    format!("[{}]", quoted.join(","))
}

impl Reader<'_> {
    pub fn item_by_id(&self, id: UpdateId) -> Result<Option<NumberedItem>, Error> {
        let sql = format!("{NUMBERED} WHERE item.id = ?1");
        Ok(self.tx.query_optional(&sql, [id.as_bytes()], numbered)?)
    }

    pub fn item_by_number(&self, number: u32) -> Result<Option<NumberedItem>, Error> {
        let sql = format!("{NUMBERED} WHERE item.number = ?1");
        Ok(self.tx.query_optional(&sql, params![number], numbered)?)
    }

    /// Every live item, by number.
    pub fn numbered_items(&self) -> Result<Vec<NumberedItem>, Error> {
        Ok(self.tx.query_all(&format!("{NUMBERED} ORDER BY item.number"), [], numbered)?)
    }

    /// Some items and, however deep, what they bundle: one query per depth. Those that are not here
    /// are left out.
    pub fn items_with_parts(
        &self,
        updates: BTreeSet<UpdateId>,
    ) -> Result<BTreeMap<UpdateId, Item>, Error> {
        let (mut ahead, mut items) = (updates, BTreeMap::new());
        let sql = "SELECT e.body FROM json_each(?2) j
                   JOIN live l ON l.kind = ?1 AND l.id = unhex(j.value)
                   JOIN entry e ON e.lsn = l.lsn";
        while !ahead.is_empty() {
            let mut parts = BTreeSet::new();
            let body = |row: &Row<'_>| row.get::<_, Vec<u8>>(0);
            self.tx.for_each(sql, params![Kind::Item as u32, id_list(&ahead)], body, |body| {
                let item = Item::decode(&body).map_err(Error::stored(Item::KIND.as_str()))?;
                parts.extend(item.bundles.iter().map(|part| part.id));
                items.insert(item.update.id, item);
                Ok::<(), Error>(())
            })?;
            parts.retain(|id| !items.contains_key(id) && !ahead.contains(id));
            ahead = parts;
        }
        Ok(items)
    }

    /// Those of some updates that no new deployment may have: what is expired, declined or
    /// superseded. What is not here is not known to be.
    pub fn undeployable_among(&self, updates: &[UpdateId]) -> Result<BTreeSet<UpdateId>, Error> {
        let mut out = self.superseded_among(updates.iter().copied())?;
        for id in updates {
            let item = self.item_by_id(*id)?;
            out.extend(item.filter(|item| item.expired || item.declined).map(|item| item.id));
        }
        Ok(out)
    }

    /// Those of some updates that can still be deployed, as they are counted.
    pub fn deployable_items(&self, updates: &[UpdateId]) -> Result<Vec<LiveItem>, Error> {
        let mut live = Vec::with_capacity(updates.len());
        for id in updates {
            let item = self.item_by_id(*id)?;
            let item = item.filter(|item| !item.expired && !item.declined && !item.hidden);
            live.extend(item.map(|item| LiveItem { number: item.number, since: item.since }));
        }
        Ok(live)
    }

    /// The same of a group; none while it, or one of its updates, is not or may not be here whole.
    pub fn deployable_group(&self, group: &ObjectCode) -> Result<Option<Vec<LiveItem>>, Error> {
        for needed in [Group::Control, Group::Catalog] {
            if !self.is_settled(needed)? {
                return Ok(None);
            }
        }
        let group: Option<UpdateGroup> = self.get(group.as_str().as_bytes())?;
        let Some(UpdateGroup { updates, .. }) = group else { return Ok(None) };
        for id in &updates {
            if self.item_by_id(*id)?.is_none() {
                return Ok(None);
            }
        }
        self.deployable_items(&updates).map(Some)
    }

    /// How many updates this site has, without bundle children (contract, section 2).
    pub fn update_count(&self) -> Result<u64, Error> {
        let sql = "SELECT count(*) FROM item WHERE NOT hidden";
        Ok(self.tx.query_row(sql, [], |row| row.get(0))?)
    }
}
