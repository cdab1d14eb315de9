//! What a site does about one stream, from what it holds and what a neighbor says.

use model::{Position, StreamDigest};

use crate::{Head, ResetReason};

/// Whether a stream may be used at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamState {
    #[default]
    Sound,
    /// Two histories of one epoch: stopped until somebody decides.
    Forked,
    /// The stored copy is not what it was; it is being taken again.
    Damaged,
}

/// What this site holds of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalStream {
    pub position: Position,
    pub digest: StreamDigest,
    pub floor: u64,
    /// After a reconcile: the sequence at which the stream is settled.
    pub settle_at: Option<u64>,
    /// A reconcile is under way.
    pub walking: bool,
    pub seen: Position,
    pub state: StreamState,
}

impl LocalStream {
    /// Only settled sites claim a digest, serve the stream or plan from it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        !self.walking
            && self.state == StreamState::Sound
            && self.settle_at.is_none_or(|at| self.position.seq >= at)
    }
}

/// Why a stream is reconciled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconcileReason {
    /// Nothing is held yet, and the history does not go back to the start.
    Snapshot,
    NewEpoch,
    BelowFloor,
    /// A reconcile was interrupted, or its source went back.
    Resume,
    /// The copy held is damaged.
    Damaged,
}

impl ReconcileReason {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ReconcileReason::Snapshot => "first copy",
            ReconcileReason::NewEpoch => "the owner began a new epoch",
            ReconcileReason::BelowFloor => "the sender's log does not reach back that far",
            ReconcileReason::Resume => "an earlier reconcile did not end",
            ReconcileReason::Damaged => "the copy was damaged",
        }
    }
}

/// What a receiver does with a stream it takes from a neighbor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intake {
    /// Nothing now: the neighbor is not settled, or not further.
    Wait,
    /// Ask for everything after this position.
    Follow {
        position: Position,
        digest: Option<StreamDigest>,
    },
    Reconcile(ReconcileReason),
    /// Equal positions, other digests: check one's own copy, then doubt the neighbor's.
    Doubt,
}

/// Decides what a receiver does. `local` is `None` for a stream it has never held.
#[must_use]
pub fn plan_intake(local: Option<&LocalStream>, head: &Head, events: bool) -> Intake {
    let Some(digest) = head.digest else { return Intake::Wait };
    let Some(local) = local else {
        let start = Position { epoch: head.position.epoch, seq: 0 };
        return if head.floor == 0 || events {
            Intake::Follow { position: start, digest: None }
        } else {
            Intake::Reconcile(ReconcileReason::Snapshot)
        };
    };
    let (mine, theirs) = (local.position, head.position);
    if theirs.epoch > mine.epoch && !events {
        return Intake::Reconcile(ReconcileReason::NewEpoch);
    }
    match local.state {
        StreamState::Sound => {}
        StreamState::Forked => return Intake::Wait,
        StreamState::Damaged => return Intake::Reconcile(ReconcileReason::Damaged),
    }
    if local.walking || (!local.is_settled() && theirs.seq < local.settle_at.unwrap_or(0)) {
        return Intake::Reconcile(ReconcileReason::Resume);
    }
    if theirs.epoch < mine.epoch || theirs.seq < mine.seq && theirs.epoch == mine.epoch {
        return Intake::Wait;
    }
    if mine.seq < head.floor && !events {
        return Intake::Reconcile(ReconcileReason::BelowFloor);
    }
    if mine == theirs && local.is_settled() && local.digest != digest {
        return Intake::Doubt;
    }
    Intake::Follow { position: mine, digest: local.is_settled().then_some(local.digest) }
}

/// What a sender answers to a receiver that wants to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Service {
    Serve,
    Refuse(ResetReason),
}

/// Decides whether a stream can be served from `asked` on. `boundary` is the digest this site knows
/// for that position; `floor` the digest at its floor, needed for event streams only.
#[must_use]
pub fn plan_service(
    local: &LocalStream,
    (asked, digest): (Position, Option<StreamDigest>),
    boundary: Option<StreamDigest>,
    gap: Option<(Position, StreamDigest)>,
) -> Service {
    if !local.is_settled() {
        return Service::Refuse(ResetReason::NotServed);
    }
    let behind = asked.epoch < local.position.epoch
        || (asked.epoch == local.position.epoch && asked.seq < local.floor);
    if behind {
        return Service::Refuse(match gap {
            Some((position, digest)) => ResetReason::Gap { position, digest },
            None => ResetReason::Reconcile,
        });
    }
    if asked.epoch > local.position.epoch || asked.seq > local.position.seq {
        return Service::Refuse(ResetReason::NotServed);
    }
    match (digest, boundary) {
        (Some(asked), Some(known)) if asked != known => Service::Refuse(ResetReason::Digest),
        _ => Service::Serve,
    }
}

/// What an owner learns about his own stream from a neighbor's copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerView {
    Consistent,
    /// Somebody holds, or has seen, a history this owner does not have: it was rolled back without
    /// saying so.
    Forked,
}

/// Compares an owner's stream with a neighbor's head. `boundary` is the owner's digest at the
/// neighbor's position, if it still knows it.
#[must_use]
pub fn plan_owner(own: &LocalStream, head: &Head, boundary: Option<StreamDigest>) -> OwnerView {
    if head.seen > own.position || head.position > own.position {
        return OwnerView::Forked;
    }
    match (head.digest, boundary) {
        (Some(theirs), Some(mine))
            if head.position.epoch == own.position.epoch && theirs != mine =>
        {
            OwnerView::Forked
        }
        _ => OwnerView::Consistent,
    }
}

#[cfg(test)]
mod tests;
