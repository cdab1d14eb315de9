//! What the site ruled of updates: declined ones are kept and offered to nobody, dropped ones are
//! gone until a later revision comes.
//!
//! Owns what was ruled, also of updates that are not here. Followers hear of a change with the
//! document it is about. Refuses to know who rules, and why.

use std::collections::BTreeMap;

use model::UpdateId;
use sqlite_engine::{ReadTx, Row, RowResult, WriteTx, params};

use crate::catalog::{Catalog, next_change, update_id};
use crate::import::remove;
use crate::{Error, limits};

/// A decision about an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ruling {
    pub update: UpdateId,
    pub is_declined: bool,
    /// It was dropped at this revision.
    pub dropped: Option<u32>,
}

/// The updates from the first id on, up to the second one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdRange {
    pub from: Option<UpdateId>,
    pub to: Option<UpdateId>,
}

/// What rulings changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    pub declined: u64,
    pub reinstated: u64,
    pub dropped: u64,
    /// Dropped no more: the next synchronization fetches them.
    pub awaited: u64,
}

impl Catalog {
    /// Takes over what is ruled of the updates in a range; of the others in it nothing is.
    pub async fn set_rulings(
        &self,
        range: IdRange,
        rulings: Vec<Ruling>,
    ) -> Result<Changed, Error> {
        let count = rulings.len();
        if count > limits::RULINGS_MAX {
            return Err(Error::AskForIds { ids: count, max: limits::RULINGS_MAX });
        }
        self.write(move |tx| set(tx, held(tx, range)?, rulings)).await
    }

    /// Of these updates exactly those are declined of which it is said; others stay as they are.
    pub async fn set_declined(&self, updates: Vec<(UpdateId, bool)>) -> Result<Changed, Error> {
        let write = move |tx: &WriteTx| {
            let mut sum = Changed::default();
            for (update, is_declined) in updates {
                let old = ruling(tx, update)?;
                let dropped = old.and_then(|old| old.dropped);
                let old = old.into_iter().map(|old| (update, old)).collect();
                let changed = set(tx, old, vec![Ruling { update, is_declined, dropped }])?;
                sum.declined += changed.declined;
                sum.reinstated += changed.reinstated;
            }
            Ok(sum)
        };
        self.write(write).await
    }

    /// The declined updates that are here.
    pub async fn declined(&self) -> Result<Vec<UpdateId>, Error> {
        let sql = "SELECT ruling.update_id FROM ruling
                   JOIN revision ON revision.update_id = ruling.update_id
                   WHERE is_declined AND is_latest AND document IS NOT NULL
                   ORDER BY ruling.update_id";
        Ok(self.database.read(move |tx| tx.query_all(sql, [], |row| update_id(row, 0))).await?)
    }
}

fn row(row: &Row<'_>) -> RowResult<Ruling> {
    Ok(Ruling { update: update_id(row, 0)?, is_declined: row.get(1)?, dropped: row.get(2)? })
}

fn ruling(tx: &ReadTx, update: UpdateId) -> Result<Option<Ruling>, Error> {
    let sql = "SELECT update_id, is_declined, dropped FROM ruling WHERE update_id = ?1";
    Ok(tx.query_optional(sql, [update.as_bytes()], row)?)
}

fn held(tx: &ReadTx, range: IdRange) -> Result<BTreeMap<UpdateId, Ruling>, Error> {
    let sql = "SELECT update_id, is_declined, dropped FROM ruling
               WHERE (is_declined OR dropped IS NOT NULL)
                 AND update_id >= ?1 AND (?2 IS NULL OR update_id < ?2)";
    let from = range.from.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
    let to = range.to.map(|id| id.as_bytes().to_vec());
    let all = tx.query_all(sql, params![from, to], row)?;
    Ok(all.into_iter().map(|ruling| (ruling.update, ruling)).collect())
}

/// What was ruled before and is not among `rulings` is ruled no more.
fn set(
    tx: &WriteTx,
    mut held: BTreeMap<UpdateId, Ruling>,
    rulings: Vec<Ruling>,
) -> Result<Changed, Error> {
    let mut changed = Changed::default();
    for new in rulings {
        let old = held.remove(&new.update);
        change(tx, old, new, &mut changed)?;
    }
    for old in held.into_values() {
        let new = Ruling { is_declined: false, dropped: None, ..old };
        change(tx, Some(old), new, &mut changed)?;
    }
    if changed.awaited > 0 {
        // Upstream lists only what changed; the next list has to be whole.
        tx.execute("DELETE FROM upstream_anchor", [])?;
    }
    Ok(changed)
}

fn change(
    tx: &WriteTx,
    old: Option<Ruling>,
    new: Ruling,
    changed: &mut Changed,
) -> Result<(), Error> {
    let Ruling { update, is_declined, dropped } = new;
    let was_declined = old.is_some_and(|old| old.is_declined);
    let was_dropped = old.and_then(|old| old.dropped);
    if (was_declined, was_dropped) == (is_declined, dropped) {
        return Ok(());
    }
    let number = next_change(tx)?;
    let sql = "INSERT OR REPLACE INTO ruling (update_id, is_declined, dropped, changed)
               VALUES (?1, ?2, ?3, ?4)";
    tx.execute(sql, params![update.as_bytes(), is_declined, dropped, number])?;
    if was_declined != is_declined {
        let sql = "UPDATE revision SET changed = ?2
                   WHERE update_id = ?1 AND is_latest AND document IS NOT NULL";
        tx.execute(sql, params![update.as_bytes(), number])?;
        let sum = if is_declined { &mut changed.declined } else { &mut changed.reinstated };
        *sum += 1;
    }
    match (was_dropped, dropped) {
        (old, Some(revision)) if old != dropped => {
            let sql =
                "SELECT 1 FROM revision WHERE update_id = ?1 AND is_latest AND revision <= ?2";
            let key = params![update.as_bytes(), revision];
            if tx.query_optional(sql, key, |_| Ok(()))?.is_some() {
                changed.dropped += remove(tx, update)? as u64;
            }
        }
        (Some(_), None) => changed.awaited += 1,
        _ => {}
    }
    Ok(())
}

/// Which updates were ever ruled on: whether each is declined now, and since which change it is so.
pub(crate) fn standing(tx: &ReadTx) -> Result<BTreeMap<UpdateId, (bool, u64)>, Error> {
    let sql = "SELECT update_id, is_declined, changed FROM ruling";
    let all = tx.query_all(sql, [], |row| Ok((update_id(row, 0)?, (row.get(1)?, row.get(2)?))))?;
    Ok(all.into_iter().collect())
}

pub(crate) fn last_change(tx: &ReadTx) -> Result<u64, Error> {
    let sql = "SELECT coalesce(max(changed), 0) FROM ruling";
    Ok(tx.query_row(sql, [], |row| row.get(0))?)
}

#[cfg(test)]
mod tests;
