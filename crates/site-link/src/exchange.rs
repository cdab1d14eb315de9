//! The conversation over one link, without sockets and clocks: a frame comes in, one transaction
//! of the site database is made of it, frames go out.
//!
//! The two directions are independent: `receive` takes the streams that are routed over this link,
//! `send` offers the others. An error ends the session and undoes the transaction it happened in;
//! nothing is lost, because positions are in the database and everything else is asked for again.

mod receive;
mod send;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use model::{Group, Owner, Position, StreamId};
use replication::{Frame, Head, Hello, Neighbor, PROTOCOL, Tree};
use site_db::{BatchLimits, Reader, Recovering, Writer};
use tokio::sync::watch;

use crate::{Error, LinkBoard};

/// Synchronization requests that travel over links: hints, not state.
#[derive(Clone, Debug)]
pub struct Hints {
    /// The catalog version child sites shall synchronize to.
    pub to_children: watch::Sender<u64>,
    /// The version the parent has asked for.
    pub from_parent: watch::Sender<u64>,
}

impl Default for Hints {
    fn default() -> Hints {
        Hints { to_children: watch::Sender::new(0), from_parent: watch::Sender::new(0) }
    }
}

/// What a receiver is doing about a stream.
#[derive(Debug)]
enum Intake {
    Following,
    Walking(Buckets),
    Doubting,
}

/// The buckets of a walk that are still to be asked for, and those asked for.
#[derive(Debug, Default)]
struct Buckets {
    pending: VecDeque<u32>,
    asked: BTreeSet<u32>,
}

/// What a sender is doing for the streams of one group.
#[derive(Debug)]
struct Outbound {
    positions: BTreeMap<Owner, Position>,
    cursor: i64,
}

/// One side of one session.
#[derive(Debug)]
pub struct Exchange {
    boot: u64,
    expected: Neighbor,
    limits: BatchLimits,
    board: Arc<LinkBoard>,
    hints: Hints,
    peer: Option<Hello>,
    recovering: bool,
    /// The neighbor's heads.
    heads: BTreeMap<StreamId, Head>,
    /// The heads the neighbor was told.
    told: BTreeMap<StreamId, Head>,
    told_any: bool,
    intake: BTreeMap<StreamId, Intake>,
    doubts: Vec<StreamId>,
    outbound: BTreeMap<Group, Outbound>,
    unacknowledged: VecDeque<u64>,
    next_batch: u64,
    hinted: u64,
}

/// Batches sent and not acknowledged; with [`BatchLimits`], what a slow receiver may hold back.
const UNACKNOWLEDGED_MAX: usize = 4;

/// Buckets of a walk asked for at once.
const BUCKETS_ASKED_MAX: usize = 8;

impl Exchange {
    /// A session with the neighbor that the certificate names. `boot` is drawn once per start of
    /// the process.
    #[must_use]
    pub fn new(
        boot: u64,
        expected: Neighbor,
        limits: BatchLimits,
        board: Arc<LinkBoard>,
        hints: Hints,
    ) -> Exchange {
        let doubts = board.take_doubts(expected.code);
        Exchange {
            boot,
            expected,
            limits,
            board,
            hints,
            peer: None,
            recovering: false,
            heads: BTreeMap::new(),
            told: BTreeMap::new(),
            told_any: false,
            intake: BTreeMap::new(),
            doubts,
            outbound: BTreeMap::new(),
            unacknowledged: VecDeque::new(),
            next_batch: 1,
            hinted: 0,
        }
    }

    pub(crate) fn board(&self) -> Arc<LinkBoard> {
        Arc::clone(&self.board)
    }

    #[must_use]
    pub fn neighbor(&self) -> Neighbor {
        self.expected
    }

    /// The greeting.
    pub fn start(&mut self, r: &Reader<'_>) -> Result<Vec<Frame>, Error> {
        let identity = r.identity();
        self.recovering = r.recovering()? != Recovering::No;
        Ok(vec![Frame::Hello(Hello {
            protocol: PROTOCOL,
            hierarchy: identity.hierarchy,
            site: identity.owner,
            kind: identity.kind,
            boot: self.boot,
            recovering: self.recovering,
        })])
    }

    /// Takes one frame.
    pub fn handle(&mut self, w: &Writer<'_>, frame: Frame) -> Result<Vec<Frame>, Error> {
        let mut out = Vec::new();
        if let Frame::Hello(hello) = frame {
            self.greet(w, hello)?;
            return Ok(out);
        }
        if self.peer.is_none() {
            return Err(Error::NoHello { what: "something" });
        }
        let tree = w.tree()?;
        match frame {
            Frame::Hello(_) => {}
            Frame::Heads(heads) => self.on_heads(w, &tree, heads, &mut out)?,
            Frame::Batch(batch) => self.on_batch(w, &tree, &batch, &mut out)?,
            Frame::Reset { stream, reason } => {
                self.on_reset(w, &tree, (stream, reason), &mut out)?
            }
            Frame::Verdict { stream, sound } => self.on_verdict(w, stream, sound)?,
            Frame::WalkBuckets { stream, position, buckets } => {
                self.on_walk_buckets(w, stream, position, &buckets, &mut out)?;
            }
            Frame::WalkObjects { stream, bucket, have, bodies } => {
                if self.is_walking(w, stream)? {
                    w.take_bucket(stream, bucket, &have, &bodies)?;
                    self.ask_buckets(w, stream, Some(bucket), &mut out)?;
                }
            }
            Frame::WalkEnded { stream, position, digest, signature } => {
                let claim = (digest, signature.as_deref());
                self.on_walk_ended(w, &tree, (stream, position, claim), &mut out)?;
            }
            Frame::SyncRequest { catalog_version } => {
                self.hints.from_parent.send_if_modified(|v| {
                    let newer = catalog_version > *v;
                    *v = catalog_version.max(*v);
                    newer
                });
            }
            Frame::Follow { stream, position, digest } => {
                self.on_follow(w, &tree, (stream, position, digest), &mut out)?;
            }
            Frame::Ack { number } => self.unacknowledged.retain(|n| *n > number),
            Frame::Doubt { stream, .. } => self.on_doubt(w, stream, &mut out)?,
            Frame::WalkStart { stream } => self.on_walk_start(w, stream, &mut out)?,
            Frame::WalkBucket { stream, bucket, have } => {
                let all = w.bucket(stream, bucket)?;
                let bodies = w.bucket_bodies(stream, bucket, &have)?;
                out.push(Frame::WalkObjects { stream, bucket, have: all, bodies });
            }
            Frame::WalkEnd { stream } => self.on_walk_end(w, stream, &mut out)?,
        }
        Ok(out)
    }

    /// Says what is new: heads that changed, batches up to the window, and a recovery's next step.
    /// Called after every frame and after every local commit.
    pub fn pump(&mut self, w: &Writer<'_>) -> Result<Vec<Frame>, Error> {
        let mut out = Vec::new();
        if self.peer.is_none() {
            return Ok(out);
        }
        let recovering = w.recovering()? != Recovering::No;
        if recovering != self.recovering {
            return Err(Error::Renew { what: "the recovery" });
        }
        let tree = w.tree()?;
        if recovering {
            self.step_recovery(w, &mut out)?;
            self.tell_heads(w, &tree, &mut out)?;
            return Ok(out);
        }
        self.plan_intakes(w, &tree, &mut out)?;
        self.send_batches(w, &tree, &mut out)?;
        let batches = out.iter().any(|frame| matches!(frame, Frame::Batch(_)));
        if !batches && self.unacknowledged.is_empty() {
            self.tell_heads(w, &tree, &mut out)?;
        }
        self.send_hint(&tree, &mut out);
        self.board_lag(w, &tree)?;
        Ok(out)
    }

    /// Forgets what the neighbor was told, so that all heads are told again.
    pub fn repeat_heads(&mut self) {
        self.told.clear();
    }

    fn greet(&mut self, w: &Writer<'_>, hello: Hello) -> Result<(), Error> {
        if hello.protocol != PROTOCOL {
            return Err(Error::Protocol { found: hello.protocol, known: PROTOCOL });
        }
        let expected = self.expected;
        let known = w.identity().hierarchy == hello.hierarchy
            && (hello.site.code, hello.kind) == (expected.code, expected.kind);
        if !known {
            return Err(Error::WrongNeighbor {
                found: format!("{} ({})", hello.site.code, hello.kind.as_str()),
                expected: format!("{} ({})", expected.code, expected.kind.as_str()),
            });
        }
        self.board.note_hello(expected.code, hello.recovering);
        self.peer = Some(hello);
        Ok(())
    }

    fn peer_recovers(&self) -> bool {
        self.peer.as_ref().is_some_and(|peer| peer.recovering)
    }

    fn send_hint(&mut self, tree: &Tree, out: &mut Vec<Frame>) {
        let catalog_version = *self.hints.to_children.borrow();
        if tree.parent() != Some(self.expected.code) && catalog_version > self.hinted {
            self.hinted = catalog_version;
            out.push(Frame::SyncRequest { catalog_version });
        }
    }

    /// How many changes either side has that the other has not, as far as heads tell.
    fn board_lag(&self, w: &Writer<'_>, tree: &Tree) -> Result<(), Error> {
        let mut lag = 0;
        let mut problem = String::new();
        for stream in w.streams()?.values() {
            let mine = stream.local.position;
            let theirs = self.heads.get(&stream.id).map_or(0, |head| head.position.seq);
            if tree.takes(stream.id, self.expected) {
                lag += theirs.saturating_sub(mine.seq);
            } else if tree.offers(stream.id, self.expected) {
                lag += mine.seq.saturating_sub(theirs);
            }
            if stream.local.state != replication::StreamState::Sound {
                problem = format!("{} is {:?}", stream.id, stream.local.state).to_lowercase();
            }
        }
        let unknown = self.heads.keys().filter(|id| tree.takes(**id, self.expected));
        for id in unknown {
            if w.stream(*id)?.is_none() {
                lag += self.heads.get(id).map_or(0, |head| head.position.seq);
            }
        }
        let at = w.now();
        self.board.update(self.expected.code, |view| {
            view.lag_changes = lag;
            view.last_contact = Some(at);
            view.problem = problem;
        });
        Ok(())
    }
}
