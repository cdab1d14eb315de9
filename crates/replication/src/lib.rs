//! Replication without I/O: digests, frames, routes and every decision.
//!
//! Owns what docs/replication.md defines: the one digest function, the closed list of frames that
//! travel over a link, which neighbor a stream is taken from and offered to, and what a site does
//! when it compares what it holds with what a neighbor says. Refuses to know databases, sockets,
//! clocks and keys: callers hand in values and carry out the answers. Nothing here fails; a
//! contradiction is an answer too (a doubt, a fork, a refusal).

mod decide;
mod digest;
mod frame;
mod recovery;
mod tree;

pub use decide::{
    Intake, LocalStream, OwnerView, ReconcileReason, Service, StreamState, plan_intake, plan_owner,
    plan_service,
};
pub use digest::{BUCKETS, bucket_of, chain, object_hash, sum_add, sum_subtract};
pub use frame::{
    Batch, Entry, Frame, Head, Hello, ObjectRef, PROTOCOL, ResetReason, TransactionEnd,
};
pub use recovery::{Losses, NeighborView, Recovery, plan_recovery};
pub use tree::{Neighbor, Tree};
