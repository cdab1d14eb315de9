//! What clients say of their updates, and the questions asked of it.
//!
//! Owns the bytes of a state vector, the rules by which a report changes one, what a vector says
//! of an update, and the board: bitmaps of clients per update that answer every count. Refuses to
//! know where vectors are stored, who sent a report and what time it is. Decoding fails for bytes
//! that are not canonical; everything else is total.

mod board;
mod bucket;
mod encoding;
mod error;
mod fold;
mod handle;
mod limits;
mod roster;
mod standing;

pub use board::{Board, DeploymentCounts, DeploymentMark, DeploymentSets, Difference, Mark};
pub use bucket::Bucket;
pub use encoding::{decode_vector, encode_vector};
pub use error::Error;
pub use fold::{Folded, Holding, ItemNumbers, ParkedState, apply_parked, fold};
pub use handle::{BoardHandle, BoardWriter};
pub use limits::{CELLS_MAX, DEPLOYMENTS_MAX, SCAN_ERROR_BYTES_MAX, SCAN_SERVER_BYTES_MAX};
pub use roster::{ClientSet, Roster};
pub use standing::{LiveItem, StateCounts, UnknownReason, client_counts, state_of};

#[cfg(test)]
mod tests;
