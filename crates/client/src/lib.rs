//! What a client does, as a machine without input and output: which policy it believes, when it
//! scans, what it fetches, installs and restarts, and what it says about itself.
//!
//! Owns the decisions. Time and chance are handed in; whoever drives the machine carries out its
//! work, tells what came of it, and keeps what it asks to be kept before anything else happens.
//! Refuses to know sockets, files, databases and processes. Foreign input is refused with a typed
//! reason.

pub mod agent_update;
pub mod cache_rules;
mod client;
pub mod digest;
pub mod fallback;
pub mod ledger;
pub mod limits;
pub mod plan;
pub mod policy;
pub mod restart;
mod rules;
pub mod scan;
mod shelf;
pub mod states;
#[cfg(test)]
mod testing;
pub mod throttle;
mod triggers;
mod turn;
pub mod update_point;
mod work;

pub use client::{Client, Command, Memory, NotDone, Profile, Stand, Wait};
pub use rules::{Installers, Rules};
pub use shelf::Shelf;
pub use triggers::{Reach, Trigger};
pub use work::{
    Answer, Answered, Arrived, Asking, Attempt, Ended, Event, EventKind, Failure, Found, Keep,
    Lane, Notes, Outcome, Scanned, Scanning, Source, Surroundings, Taken, Work, WriteFilter,
};
