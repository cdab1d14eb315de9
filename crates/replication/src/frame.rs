//! What travels over a link. The list is closed: anything else ends the session.

use model::{HierarchyId, Owner, Position, SiteKind, StreamDigest, StreamId};

/// Version of the frames. A parent speaks its own and the one before.
pub const PROTOCOL: u32 = 1;

/// The first frame of both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    pub protocol: u32,
    pub hierarchy: HierarchyId,
    pub site: Owner,
    pub kind: SiteKind,
    /// Drawn at each start of the process: a walk does not survive its sender's restart.
    pub boot: u64,
    /// A recovering site neither writes, serves nor follows.
    pub recovering: bool,
}

/// What a site says of a stream it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub stream: StreamId,
    pub position: Position,
    /// Claimed by settled sites only.
    pub digest: Option<StreamDigest>,
    pub floor: u64,
    /// The highest position of this stream anybody has told the sender of.
    pub seen: Position,
    pub signature: Option<Vec<u8>>,
    /// The owner's key statement, encoded.
    pub statement: Option<Vec<u8>>,
    /// Forked at the sender of this head, who does not take the stream until somebody decides.
    pub stopped: bool,
}

/// The end of one of the owner's transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionEnd {
    pub digest: StreamDigest,
    /// The owner's, where the group is signed.
    pub signature: Option<Vec<u8>>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub stream: StreamId,
    pub seq: u64,
    /// A number, because a site relays kinds it does not know.
    pub kind: u32,
    pub id: Vec<u8>,
    pub body: Option<Vec<u8>>,
    pub end: Option<TransactionEnd>,
}

/// Whole transactions of streams of one group, in the sender's order of commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub number: u64,
    /// Where it starts, in every stream it speaks of.
    pub from: Vec<(StreamId, Position)>,
    pub entries: Vec<Entry>,
}

/// An object without its body.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectRef {
    pub kind: u32,
    pub id: Vec<u8>,
    pub seq: u64,
    pub hash: StreamDigest,
}

/// Why a sender cannot serve a stream as it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResetReason {
    NotServed,
    Reconcile,
    /// Of an event stream below its floor: go on from here.
    Gap {
        position: Position,
        digest: StreamDigest,
    },
    Digest,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    Hello(Hello),
    Heads(Vec<Head>),
    Follow {
        stream: StreamId,
        position: Position,
        digest: Option<StreamDigest>,
    },
    Reset {
        stream: StreamId,
        reason: ResetReason,
    },
    Batch(Batch),
    Ack {
        number: u64,
    },
    Doubt {
        stream: StreamId,
        position: Position,
    },
    Verdict {
        stream: StreamId,
        sound: bool,
    },
    WalkStart {
        stream: StreamId,
    },
    WalkBuckets {
        stream: StreamId,
        position: Position,
        buckets: Vec<(u32, StreamDigest)>,
    },
    WalkBucket {
        stream: StreamId,
        bucket: u32,
        have: Vec<ObjectRef>,
    },
    WalkObjects {
        stream: StreamId,
        bucket: u32,
        have: Vec<ObjectRef>,
        bodies: Vec<(ObjectRef, Vec<u8>)>,
    },
    WalkEnd {
        stream: StreamId,
    },
    WalkEnded {
        stream: StreamId,
        position: Position,
        digest: StreamDigest,
        signature: Option<Vec<u8>>,
    },
    SyncRequest {
        catalog_version: u64,
    },
}
