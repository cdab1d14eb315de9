//! Taking streams: following, reconciling, doubting.

use model::{Position, StreamDigest, StreamId};
use replication::{
    Batch, Frame, Head, OwnerView, ReconcileReason, ResetReason, StreamState, Tree, plan_intake,
    plan_owner,
};
use site_db::{Recovering, Walk, Writer};

use super::{BUCKETS_ASKED_MAX, Buckets, Exchange, Intake};
use crate::Error;

impl Exchange {
    pub(super) fn on_heads(
        &mut self,
        w: &Writer<'_>,
        tree: &Tree,
        heads: Vec<Head>,
        out: &mut Vec<Frame>,
    ) -> Result<(), Error> {
        for head in heads {
            if let Some(statement) = &head.statement {
                w.note_statement(&head.stream.owner, statement)?;
            }
            w.note_seen(head.stream, head.seen.max(head.position))?;
            if head.stream.owner == w.identity().owner && w.recovering()? == Recovering::No {
                self.check_own(w, &head)?;
            }
            self.heads.insert(head.stream, head);
        }
        self.board.note_heads(self.expected.code, &self.heads);
        if self.recovering {
            return Ok(());
        }
        self.plan_intakes(w, tree, out)
    }

    /// Compares one's own stream with the neighbor's copy of it.
    fn check_own(&self, w: &Writer<'_>, head: &Head) -> Result<(), Error> {
        let Some(own) = w.stream(head.stream)? else { return Ok(()) };
        if own.local.state != StreamState::Sound || self.peer_recovers() {
            return Ok(());
        }
        let boundary = w.boundary(&own, head.position)?;
        if plan_owner(&own.local, head, boundary) == OwnerView::Consistent {
            return Ok(());
        }
        let sound = w.check_stream(&own)?.is_sound();
        w.set_state(head.stream, if sound { StreamState::Forked } else { StreamState::Damaged })?;
        Ok(())
    }

    /// Decides about every stream of the neighbor that is not being taken yet.
    pub(super) fn plan_intakes(
        &mut self,
        w: &Writer<'_>,
        tree: &Tree,
        out: &mut Vec<Frame>,
    ) -> Result<(), Error> {
        if self.peer_recovers() {
            return Ok(());
        }
        let own = w.identity().owner;
        let streams = w.streams()?;
        let spoiled = |(id, intake): (&StreamId, &Intake)| {
            let state = streams.get(id).map(|stream| stream.local.state);
            matches!(intake, Intake::Following) && state == Some(StreamState::Damaged)
        };
        // Batches may be under way to the damaged copy; a new session asks for what it needs.
        if self.intake.iter().any(spoiled) {
            return Err(Error::Renew { what: "a damaged stream" });
        }
        let heads: Vec<Head> = self.heads.values().cloned().collect();
        for head in heads {
            let id = head.stream;
            let stream = streams.get(&id);
            let damaged = stream.is_some_and(|s| s.local.state == StreamState::Damaged);
            // A damaged copy of one's own is taken back from whoever has all of it.
            let mine_back = id.owner == own
                && damaged
                && stream.is_some_and(|s| s.local.position == head.position);
            if self.intake.contains_key(&id) || !(tree.takes(id, self.expected) || mine_back) {
                continue;
            }
            if id.group.is_signed() && w.signing_key(&id.owner)?.is_none() {
                continue;
            }
            if let Some(doubt) = self.doubts.iter().position(|d| *d == id) {
                self.doubts.swap_remove(doubt);
                self.doubt(w, id, out)?;
                continue;
            }
            let local = stream.map(|s| &s.local);
            let plan = plan_intake(local, &head, id.group.is_events());
            self.begin_intake(w, &head, plan, out)?;
        }
        Ok(())
    }

    fn begin_intake(
        &mut self,
        w: &Writer<'_>,
        head: &Head,
        plan: replication::Intake,
        out: &mut Vec<Frame>,
    ) -> Result<(), Error> {
        let stream = head.stream;
        match plan {
            replication::Intake::Wait => {}
            replication::Intake::Follow { position, digest } => {
                w.begin_stream(stream, position.epoch)?;
                self.intake.insert(stream, Intake::Following);
                out.push(Frame::Follow { stream, position, digest });
            }
            replication::Intake::Reconcile(reason) => self.start_walk(stream, reason, out),
            replication::Intake::Doubt => self.doubt(w, stream, out)?,
        }
        Ok(())
    }

    /// One walk at a time per link bounds what is in flight.
    pub(crate) fn start_walk(
        &mut self,
        stream: StreamId,
        reason: ReconcileReason,
        out: &mut Vec<Frame>,
    ) {
        if self.intake.values().any(|intake| matches!(intake, Intake::Walking(_))) {
            return;
        }
        let (peer, reason) = (self.expected.code, reason.as_str());
        tracing::info!(peer.site = %peer, %stream, reason, "reconciling");
        self.intake.insert(stream, Intake::Walking(Buckets::default()));
        out.push(Frame::WalkStart { stream });
    }

    /// Digests differ: first one's own copy is checked, then the neighbor's.
    fn doubt(&mut self, w: &Writer<'_>, id: StreamId, out: &mut Vec<Frame>) -> Result<(), Error> {
        let Some(stream) = w.stream(id)? else { return Ok(()) };
        if w.check_stream(&stream)?.is_sound() {
            self.intake.insert(id, Intake::Doubting);
            out.push(Frame::Doubt { stream: id, position: stream.local.position });
            return Ok(());
        }
        w.set_state(id, StreamState::Damaged)?;
        self.start_walk(id, ReconcileReason::Damaged, out);
        Ok(())
    }

    pub(super) fn on_batch(
        &mut self,
        w: &Writer<'_>,
        tree: &Tree,
        batch: &Batch,
        out: &mut Vec<Frame>,
    ) -> Result<(), Error> {
        for (stream, _) in &batch.from {
            if !tree.takes(*stream, self.expected) {
                return Err(Error::NotRouted { stream: *stream });
            }
        }
        let applied = w.apply_batch(batch);
        if let Err(site_db::Error::Digest { stream, .. }) = &applied {
            self.board.add_doubt(self.expected.code, *stream);
        }
        applied?;
        for (stream, _) in &batch.from {
            self.check_settled(w, *stream)?;
        }
        out.push(Frame::Ack { number: batch.number });
        Ok(())
    }

    /// A stream that has just reached the end of its reconcile must have the promised digest; one
    /// that has not is taken again.
    fn check_settled(&mut self, w: &Writer<'_>, id: StreamId) -> Result<(), Error> {
        if let Some(stream) = w.stream(id)?
            && stream.local.settle_at == Some(stream.local.position.seq)
            && !w.check_stream(&stream)?.is_sound()
        {
            w.set_state(id, StreamState::Damaged)?;
            self.intake.remove(&id);
        }
        Ok(())
    }

    pub(super) fn on_reset(
        &mut self,
        w: &Writer<'_>,
        tree: &Tree,
        (stream, reason): (StreamId, ResetReason),
        out: &mut Vec<Frame>,
    ) -> Result<(), Error> {
        self.intake.remove(&stream);
        match reason {
            // Its next head tells when to ask again.
            ResetReason::NotServed => {
                self.heads.remove(&stream);
                Ok(())
            }
            ResetReason::Reconcile => {
                if tree.takes(stream, self.expected) {
                    self.start_walk(stream, ReconcileReason::BelowFloor, out);
                }
                Ok(())
            }
            ResetReason::Gap { position, digest } => {
                w.skip_events(stream, (position, digest))?;
                self.plan_intakes(w, tree, out)
            }
            ResetReason::Digest => self.doubt(w, stream, out),
        }
    }

    /// Two sound copies of one position are a fork; an unsound one mends itself first.
    pub(super) fn on_verdict(
        &mut self,
        w: &Writer<'_>,
        stream: StreamId,
        sound: bool,
    ) -> Result<(), Error> {
        self.intake.remove(&stream);
        self.heads.remove(&stream);
        if sound {
            w.set_state(stream, StreamState::Forked)?;
        }
        Ok(())
    }

    pub(super) fn on_walk_buckets(
        &mut self,
        w: &Writer<'_>,
        id: StreamId,
        position: Position,
        theirs: &[(u32, StreamDigest)],
        out: &mut Vec<Frame>,
    ) -> Result<(), Error> {
        let boot = self.peer.as_ref().map_or(0, |peer| peer.boot);
        let resumed = w.walk(id)?.filter(|walk| {
            let same = walk.source == self.expected.code && walk.boot == boot;
            same && walk.from.epoch == position.epoch && walk.from.seq <= position.seq
        });
        let walk = resumed.unwrap_or_else(|| Walk::new(self.expected.code, boot, position));
        w.begin_walk(id, &walk)?;
        let mine = w.buckets(id)?;
        let theirs: std::collections::BTreeMap<_, _> = theirs.iter().copied().collect();
        let all: std::collections::BTreeSet<u32> =
            mine.keys().chain(theirs.keys()).copied().collect();
        let differing =
            all.into_iter().filter(|b| mine.get(b) != theirs.get(b) && !walk.is_done(*b));
        let buckets = Buckets { pending: differing.collect(), asked: Default::default() };
        self.intake.insert(id, Intake::Walking(buckets));
        self.ask_buckets(w, id, None, out)
    }

    /// Whether the walk under way is this session's. A recovering site may have begun another one
    /// with another neighbor meanwhile.
    pub(super) fn is_walking(&self, w: &Writer<'_>, id: StreamId) -> Result<bool, Error> {
        let boot = self.peer.as_ref().map(|peer| peer.boot);
        let source = self.expected.code;
        let here = matches!(self.intake.get(&id), Some(Intake::Walking(_)));
        Ok(here && w.walk(id)?.is_some_and(|w| w.source == source && Some(w.boot) == boot))
    }

    pub(super) fn ask_buckets(
        &mut self,
        w: &Writer<'_>,
        id: StreamId,
        answered: Option<u32>,
        out: &mut Vec<Frame>,
    ) -> Result<(), Error> {
        let Some(Intake::Walking(buckets)) = self.intake.get_mut(&id) else { return Ok(()) };
        if let Some(bucket) = answered {
            buckets.asked.remove(&bucket);
        }
        while buckets.asked.len() < BUCKETS_ASKED_MAX {
            let Some(bucket) = buckets.pending.pop_front() else { break };
            buckets.asked.insert(bucket);
            let have = w.bucket(id, bucket)?;
            out.push(Frame::WalkBucket { stream: id, bucket, have });
        }
        if buckets.asked.is_empty() {
            out.push(Frame::WalkEnd { stream: id });
        }
        Ok(())
    }

    pub(super) fn on_walk_ended(
        &mut self,
        w: &Writer<'_>,
        tree: &Tree,
        (id, ended, claim): (StreamId, Position, (StreamDigest, Option<&[u8]>)),
        out: &mut Vec<Frame>,
    ) -> Result<(), Error> {
        let mine = self.is_walking(w, id)?;
        self.intake.remove(&id);
        if !mine {
            return Ok(());
        }
        if !w.end_walk(id, ended, claim)? {
            self.start_walk(id, ReconcileReason::Resume, out);
            return Ok(());
        }
        tracing::info!(peer.site = %self.expected.code, stream = %id, "the reconcile ended");
        if self.recovering {
            return Ok(());
        }
        self.plan_intakes(w, tree, out)
    }
}
