//! The order of collections that refer to each other.
//!
//! Owns the walk along references. Refuses to know what they are for. References to what is not
//! here count for nothing; collections in a circle, and what refers to them, have no place.

use std::collections::{BTreeMap, BTreeSet};

use model::ObjectCode;

/// What each collection refers to.
pub(super) type Edges = BTreeMap<ObjectCode, BTreeSet<ObjectCode>>;

/// Each after everything that it refers to.
pub(super) fn order(edges: &Edges) -> Vec<&ObjectCode> {
    let mut open: BTreeMap<&ObjectCode, usize> = BTreeMap::new();
    let mut users: BTreeMap<&ObjectCode, Vec<&ObjectCode>> = BTreeMap::new();
    for (code, refers) in edges {
        let here: Vec<_> = refers.iter().filter(|other| edges.contains_key(*other)).collect();
        open.insert(code, here.len());
        for other in here {
            users.entry(other).or_default().push(code);
        }
    }
    let mut order: Vec<&ObjectCode> =
        open.iter().filter(|(_, count)| **count == 0).map(|(code, _)| *code).collect();
    let mut next = 0;
    while let Some(code) = order.get(next).copied() {
        next += 1;
        for user in users.remove(code).unwrap_or_default() {
            let count = open.entry(user).or_default();
            *count -= 1;
            if *count == 0 {
                order.push(user);
            }
        }
    }
    order
}

/// A shortest way from a collection back to it, which is its first and its last; empty: none.
pub(super) fn circle(code: &ObjectCode, edges: &Edges) -> Vec<ObjectCode> {
    let mut from: BTreeMap<&ObjectCode, &ObjectCode> = BTreeMap::new();
    let mut ahead = vec![code];
    let mut next = 0;
    while let Some(here) = ahead.get(next).copied() {
        next += 1;
        for other in edges.get(here).into_iter().flatten() {
            if other == code {
                return way_back(code, here, &from);
            }
            if !from.contains_key(other) {
                from.insert(other, here);
                ahead.push(other);
            }
        }
    }
    Vec::new()
}

fn way_back(
    code: &ObjectCode,
    last: &ObjectCode,
    from: &BTreeMap<&ObjectCode, &ObjectCode>,
) -> Vec<ObjectCode> {
    let mut way = vec![code.clone()];
    let mut here = last;
    while here != code {
        way.push(here.clone());
        here = from.get(here).copied().unwrap_or(code);
    }
    way.push(code.clone());
    way.reverse();
    way
}
