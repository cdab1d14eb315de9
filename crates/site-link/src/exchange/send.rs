//! Offering streams: heads, batches, and the sender's side of doubts and walks.

use std::collections::BTreeMap;

use model::{Group, Owner, Position, StreamDigest, StreamId};
use replication::{Batch, Frame, ResetReason, Service, StreamState, Tree, plan_service};
use site_db::{BatchRead, Stream, Writer};

use super::{Exchange, Outbound, UNACKNOWLEDGED_MAX};
use crate::Error;

impl Exchange {
    /// Tells the heads that changed, of every stream both sides hold.
    pub(super) fn tell_heads(
        &mut self,
        w: &Writer<'_>,
        tree: &Tree,
        out: &mut Vec<Frame>,
    ) -> Result<(), Error> {
        let mut news = Vec::new();
        for (id, stream) in w.streams()? {
            let shared = tree.offers(id, self.expected)
                || tree.takes(id, self.expected)
                || id.owner.code == self.expected.code;
            if !shared {
                continue;
            }
            let mut head = w.head(&stream)?;
            if self.recovering {
                head.digest = None;
                head.signature = None;
            }
            if self.told.get(&id) != Some(&head) {
                self.told.insert(id, head.clone());
                news.push(head);
            }
        }
        // A recovering neighbor has to hear that there is nothing, too.
        if !news.is_empty() || !self.told_any {
            self.told_any = true;
            out.push(Frame::Heads(news));
        }
        Ok(())
    }

    pub(super) fn on_follow(
        &mut self,
        w: &Writer<'_>,
        tree: &Tree,
        (id, position, digest): (StreamId, Position, Option<StreamDigest>),
        out: &mut Vec<Frame>,
    ) -> Result<(), Error> {
        if !tree.offers(id, self.expected) {
            return Err(Error::NotRouted { stream: id });
        }
        let refuse = |reason| Frame::Reset { stream: id, reason };
        let stream = w.stream(id)?.filter(|_| !self.recovering && !self.peer_recovers());
        let Some(stream) = stream else {
            out.push(refuse(ResetReason::NotServed));
            return Ok(());
        };
        let boundary = w.boundary(&stream, position)?;
        match plan_service(&stream.local, (position, digest), boundary, gap(&stream)) {
            Service::Refuse(reason) => out.push(refuse(reason)),
            Service::Serve => {
                let cursor = w.cursor(id.group, id.owner, position)?;
                let empty = Outbound { positions: BTreeMap::new(), cursor: i64::MAX };
                let outbound = self.outbound.entry(id.group).or_insert(empty);
                outbound.positions.insert(id.owner, position);
                outbound.cursor = outbound.cursor.min(cursor);
            }
        }
        Ok(())
    }

    /// Fills the window with batches, the most urgent group first.
    pub(super) fn send_batches(
        &mut self,
        w: &Writer<'_>,
        tree: &Tree,
        out: &mut Vec<Frame>,
    ) -> Result<(), Error> {
        self.drop_broken(w, out)?;
        for group in Group::ALL {
            if self.waits(w, tree, group)? {
                continue;
            }
            while self.unacknowledged.len() < UNACKNOWLEDGED_MAX {
                if !self.send_batch(w, group, out)? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Effects must not arrive before their causes: nothing of a group is sent while a stream of
    /// it is being reconciled here, or is there for the neighbor and not yet followed by it.
    fn waits(&self, w: &Writer<'_>, tree: &Tree, group: Group) -> Result<bool, Error> {
        let Some(outbound) = self.outbound.get(&group) else { return Ok(false) };
        let streams = w.streams()?;
        let waits = streams.values().filter(|s| s.id.group == group).any(|stream| {
            if group.is_events() || !tree.offers(stream.id, self.expected) {
                return false;
            }
            if !stream.local.is_settled() {
                return stream.local.state == StreamState::Sound;
            }
            let theirs = self.heads.get(&stream.id);
            let declined = theirs.is_some_and(|h| h.stopped || h.position >= stream.local.position);
            !outbound.positions.contains_key(&stream.id.owner) && !declined
        });
        Ok(waits)
    }

    fn send_batch(
        &mut self,
        w: &Writer<'_>,
        group: Group,
        out: &mut Vec<Frame>,
    ) -> Result<bool, Error> {
        let Some(outbound) = self.outbound.get_mut(&group) else { return Ok(false) };
        let read = w.read_batch(group, (outbound.cursor, &outbound.positions), self.limits)?;
        match read {
            BatchRead::Nothing { cursor } => {
                outbound.cursor = cursor;
                Ok(false)
            }
            BatchRead::Broken(owner) => {
                outbound.positions.remove(&owner);
                let stream = StreamId { group, owner };
                out.push(Frame::Reset { stream, reason: ResetReason::Reconcile });
                Ok(true)
            }
            BatchRead::Entries { entries, positions, cursor } => {
                let from = moved(group, &outbound.positions, &positions);
                outbound.positions = positions;
                outbound.cursor = cursor;
                let number = self.next_batch;
                self.next_batch += 1;
                self.unacknowledged.push_back(number);
                ambient::failpoint("replication.batch_sent");
                out.push(Frame::Batch(Batch { number, from, entries }));
                Ok(true)
            }
        }
    }

    /// Ends the service of streams that changed epoch or are no longer settled here.
    fn drop_broken(&mut self, w: &Writer<'_>, out: &mut Vec<Frame>) -> Result<(), Error> {
        let streams = w.streams()?;
        for (group, outbound) in &mut self.outbound {
            let mut broken = Vec::new();
            for (owner, position) in &outbound.positions {
                let id = StreamId { group: *group, owner: *owner };
                let Some(stream) = streams.get(&id) else { continue };
                if stream.local.is_settled() && stream.local.position.epoch == position.epoch {
                    continue;
                }
                let reason = match plan_service(&stream.local, (*position, None), None, gap(stream))
                {
                    Service::Refuse(reason) => reason,
                    Service::Serve => ResetReason::NotServed,
                };
                broken.push((id, reason));
            }
            for (id, reason) in broken {
                outbound.positions.remove(&id.owner);
                // The neighbor shall hear of the new head again, even if it was told.
                self.told.remove(&id);
                out.push(Frame::Reset { stream: id, reason });
            }
        }
        Ok(())
    }

    pub(super) fn on_doubt(
        &mut self,
        w: &Writer<'_>,
        id: StreamId,
        out: &mut Vec<Frame>,
    ) -> Result<(), Error> {
        let Some(stream) = w.stream(id)? else { return Ok(()) };
        let sound = w.check_stream(&stream)?.is_sound();
        if !sound {
            w.set_state(id, StreamState::Damaged)?;
        }
        self.told.remove(&id);
        out.push(Frame::Verdict { stream: id, sound });
        Ok(())
    }

    /// A walk may be asked for whatever the route: a recovering site takes from whoever knows most.
    /// The owner's signature at its end says whether what it took is true.
    pub(super) fn on_walk_start(
        &mut self,
        w: &Writer<'_>,
        id: StreamId,
        out: &mut Vec<Frame>,
    ) -> Result<(), Error> {
        let theirs = id.group.subscribes(self.expected.kind) || id.owner.code == self.expected.code;
        if !theirs {
            return Err(Error::NotRouted { stream: id });
        }
        let frame = match self.settled(w, id)? {
            Some(stream) => Frame::WalkBuckets {
                stream: id,
                position: stream.local.position,
                buckets: w.buckets(id)?.into_iter().collect(),
            },
            None => Frame::Reset { stream: id, reason: ResetReason::NotServed },
        };
        out.push(frame);
        Ok(())
    }

    pub(super) fn on_walk_end(
        &mut self,
        w: &Writer<'_>,
        id: StreamId,
        out: &mut Vec<Frame>,
    ) -> Result<(), Error> {
        let frame = match self.settled(w, id)? {
            Some(stream) => Frame::WalkEnded {
                stream: id,
                position: stream.local.position,
                digest: stream.local.digest,
                signature: stream.signature,
            },
            None => Frame::Reset { stream: id, reason: ResetReason::NotServed },
        };
        out.push(frame);
        Ok(())
    }

    fn settled(&self, w: &Writer<'_>, id: StreamId) -> Result<Option<Stream>, Error> {
        let stream = w.stream(id)?;
        Ok(stream.filter(|s| s.local.is_settled() && !self.recovering && !id.group.is_events()))
    }
}

fn gap(stream: &Stream) -> Option<(Position, StreamDigest)> {
    let position = Position { epoch: stream.local.position.epoch, seq: stream.local.floor };
    stream.id.group.is_events().then_some((position, stream.floor_digest))
}

/// Where a batch starts, in the streams it moves.
fn moved(
    group: Group,
    before: &BTreeMap<Owner, Position>,
    after: &BTreeMap<Owner, Position>,
) -> Vec<(StreamId, Position)> {
    let moved = before.iter().filter(|(owner, position)| after.get(owner) != Some(position));
    moved.map(|(owner, position)| (StreamId { group, owner: *owner }, *position)).collect()
}
