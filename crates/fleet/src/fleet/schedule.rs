//! What happens when: a heap of moments.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use client::Outcome;
use model::Timestamp;

#[derive(Debug)]
pub(super) enum What {
    /// A client has something to do.
    Wake,
    /// Pretended work has come to its end.
    Ended(Box<Outcome>),
    /// The computer has restarted.
    Started,
    /// Something is different with the computer.
    Changed,
}

#[derive(Debug, Default)]
pub(super) struct Schedule {
    moments: BinaryHeap<Reverse<Moment>>,
    added: u64,
}

#[derive(Debug)]
struct Moment {
    at: Timestamp,
    /// Of the same moment, what was added first comes first.
    order: u64,
    number: u32,
    what: What,
}

impl Schedule {
    pub(super) fn add(&mut self, at: Timestamp, number: u32, what: What) {
        self.added += 1;
        self.moments.push(Reverse(Moment { at, order: self.added, number, what }));
    }

    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.moments.peek().map(|Reverse(moment)| moment.at)
    }

    /// The first that is due.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Option<(Timestamp, u32, What)> {
        let _due = self.next_at().filter(|at| *at <= now)?;
        let Reverse(Moment { at, number, what, .. }) = self.moments.pop()?;
        Some((at, number, what))
    }
}

impl PartialEq for Moment {
    fn eq(&self, other: &Moment) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Moment {}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Moment) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Moment {
    fn cmp(&self, other: &Moment) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
