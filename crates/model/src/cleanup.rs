//! Which expired updates may be deleted (SUPX-07).

use std::collections::{BTreeMap, BTreeSet};

use crate::{Timestamp, UpdateId};

/// An update as far as cleanup goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleanable {
    pub id: UpdateId,
    /// None: it has not expired.
    pub expired_at: Option<Timestamp>,
    /// Installed only as part of a bundle.
    pub is_part: bool,
    /// What it bundles.
    pub parts: Vec<UpdateId>,
    /// What has to be there before it: where a catalog does not know that, it is installed nowhere.
    pub prerequisites: Vec<UpdateId>,
}

/// The updates of `all` that can go, in the order in which they shall: expired before `before`,
/// assigned to nobody, and neither part nor prerequisite of anything that stays; with them, and
/// before them, the parts that only they bring.
#[must_use]
pub fn deletable(
    all: &[Cleanable],
    assigned: &BTreeSet<UpdateId>,
    before: Timestamp,
) -> Vec<UpdateId> {
    let by_id: BTreeMap<UpdateId, &Cleanable> = all.iter().map(|u| (u.id, u)).collect();
    let parts = |id: UpdateId| by_id.get(&id).map_or(&[][..], |update| &update.parts);
    let is_old = |update: &&Cleanable| update.expired_at.is_some_and(|at| at < before);
    let old = all.iter().filter(is_old).map(|update| update.id);
    let below = reach(old.collect(), &|id| parts(id).iter().copied());
    let is_free = |update: &&Cleanable| {
        let may_go = is_old(update) || (update.is_part && below.contains(&update.id));
        may_go && !assigned.contains(&update.id)
    };
    let kept = all.iter().filter(|update| !is_free(update)).map(|update| update.id);
    let needed = |id: UpdateId| {
        let update = by_id.get(&id).into_iter();
        update.flat_map(|update| update.parts.iter().chain(&update.prerequisites).copied())
    };
    let kept = reach(kept.collect(), &needed);
    let mut order = Vec::new();
    let mut seen = kept;
    for update in all {
        after_parts(update.id, &parts, &mut seen, &mut order);
    }
    order.retain(|id| by_id.contains_key(id));
    order
}

/// These, and what can be come to from them.
fn reach<I: Iterator<Item = UpdateId>>(
    mut ahead: Vec<UpdateId>,
    from: &impl Fn(UpdateId) -> I,
) -> BTreeSet<UpdateId> {
    let mut reached = BTreeSet::new();
    while let Some(id) = ahead.pop() {
        if reached.insert(id) {
            ahead.extend(from(id));
        }
    }
    reached
}

/// Adds `start` and what it is made of, each after its own parts. Not by recursion: how deep
/// bundles are nested is up to their publisher.
fn after_parts<'a>(
    start: UpdateId,
    parts: &impl Fn(UpdateId) -> &'a [UpdateId],
    seen: &mut BTreeSet<UpdateId>,
    order: &mut Vec<UpdateId>,
) {
    let mut path = Vec::new();
    if seen.insert(start) {
        path.push((start, parts(start).iter()));
    }
    while let Some((id, rest)) = path.last_mut() {
        match rest.next() {
            Some(&part) if seen.insert(part) => path.push((part, parts(part).iter())),
            Some(_) => {}
            None => {
                order.push(*id);
                path.pop();
            }
        }
    }
}

#[cfg(test)]
mod tests;
