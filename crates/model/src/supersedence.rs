//! Which updates are superseded, and since when (SUP-29 … SUP-31, SUPX-04).
//!
//! An update is superseded if a path of "supersedes" leads to it from another one. Updates that
//! supersede each other in a circle, or one that names itself, stand for each other: only one from
//! outside of the circle supersedes them, so every chain has a current update. Ids that are not
//! here count once they arrive; whatever was written down of them needs no repair.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::{Timestamp, UpdateId};

/// The classification of feature updates (Upgrades), for which there is a rule of their own.
pub const FEATURE_UPDATES: UpdateId =
    UpdateId(Uuid::from_u128(0x3689_bdc8_b205_4af4_8d4a_a639_24c5_e9d5));

/// How many months after the creation of the update that first superseded it a superseded update
/// expires; 0: at once, none: never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SupersedenceRule {
    pub months: Option<u32>,
    pub feature_months: Option<u32>,
}

impl SupersedenceRule {
    /// When an update expires that is superseded since `since`.
    #[must_use]
    pub fn expires(&self, is_feature_update: bool, since: Timestamp) -> Option<Timestamp> {
        let months = if is_feature_update { self.feature_months } else { self.months };
        months.map(|months| since.plus_months(months))
    }
}

/// An update as far as supersedence goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superseding {
    pub id: UpdateId,
    pub created_at: Timestamp,
    /// What it supersedes directly; ids that are not here are passed over.
    pub supersedes: Vec<UpdateId>,
}

/// The superseded among `updates`, each with the creation of the first update that superseded it.
#[must_use]
pub fn superseded(updates: &[Superseding]) -> BTreeMap<UpdateId, Timestamp> {
    let numbers: BTreeMap<UpdateId, usize> =
        updates.iter().enumerate().map(|(number, update)| (update.id, number)).collect();
    let targets = |update: &Superseding| -> Vec<usize> {
        update.supersedes.iter().filter_map(|id| numbers.get(id).copied()).collect()
    };
    let edges: Vec<Vec<usize>> = updates.iter().map(targets).collect();
    let Circles { of, count } = Circles::find(&edges);
    let mut created = vec![Timestamp(i64::MAX); count];
    for (update, &circle) in updates.iter().zip(&of) {
        created[circle] = created[circle].min(update.created_at);
    }
    // Circles come numbered after all that they supersede: whoever supersedes is known first.
    let mut members = vec![Vec::new(); count];
    for (number, &circle) in of.iter().enumerate() {
        members[circle].push(number);
    }
    let mut since: Vec<Option<Timestamp>> = vec![None; count];
    for circle in (0..count).rev() {
        let first = since[circle].map_or(created[circle], |since| since.min(created[circle]));
        for &target in members[circle].iter().flat_map(|&member| &edges[member]) {
            let target = of[target];
            if target != circle {
                since[target] = Some(since[target].map_or(first, |known| known.min(first)));
            }
        }
    }
    let dated = updates.iter().zip(&of);
    dated.filter_map(|(update, &circle)| Some((update.id, since[circle]?))).collect()
}

/// The circles of a graph (strongly connected components); most have one member.
struct Circles {
    /// The circle of each node. A circle has a higher number than all it leads to.
    of: Vec<usize>,
    count: usize,
}

/// Of a node that has not been reached, or is in no circle yet.
const NONE: usize = usize::MAX;

impl Circles {
    /// By the method of Tarjan, without recursion: chains may be as long as the catalog.
    fn find(edges: &[Vec<usize>]) -> Circles {
        let mut search = Search {
            edges,
            index: vec![NONE; edges.len()],
            low: vec![NONE; edges.len()],
            open: Vec::new(),
            reached: 0,
            circles: Circles { of: vec![NONE; edges.len()], count: 0 },
        };
        for start in 0..edges.len() {
            if search.index[start] == NONE {
                search.walk(start);
            }
        }
        search.circles
    }
}

struct Search<'a> {
    edges: &'a [Vec<usize>],
    /// When a node was reached, and the earliest node that it leads back to.
    index: Vec<usize>,
    low: Vec<usize>,
    /// Reached, and in no circle yet.
    open: Vec<usize>,
    reached: usize,
    circles: Circles,
}

impl Search<'_> {
    fn walk(&mut self, start: usize) {
        self.reach(start);
        let mut path = vec![(start, 0)];
        while let Some((node, next)) = path.last_mut() {
            let node = *node;
            if let Some(&target) = self.edges[node].get(*next) {
                *next += 1;
                if self.index[target] == NONE {
                    self.reach(target);
                    path.push((target, 0));
                } else if self.circles.of[target] == NONE {
                    self.low[node] = self.low[node].min(self.index[target]);
                }
                continue;
            }
            path.pop();
            if let Some(&(before, _)) = path.last() {
                self.low[before] = self.low[before].min(self.low[node]);
            }
            if self.low[node] == self.index[node] {
                self.close(node);
            }
        }
    }

    fn reach(&mut self, node: usize) {
        (self.index[node], self.low[node]) = (self.reached, self.reached);
        self.reached += 1;
        self.open.push(node);
    }

    fn close(&mut self, first: usize) {
        while let Some(member) = self.open.pop() {
            self.circles.of[member] = self.circles.count;
            if member == first {
                break;
            }
        }
        self.circles.count += 1;
    }
}

#[cfg(test)]
mod tests;
