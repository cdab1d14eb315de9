//! What every server process has: configuration, logs, health, metrics, signals, a bounded end,
//! its place in the hierarchy (`<data>/pki`), and the command line.
//!
//! Owns the order in which a process starts and stops, and that it is the only one in its data
//! directory, where nobody else may write. Refuses to know what the process serves: a
//! binary implements [`Program`] and calls [`main`]. Failures end in one message on standard error
//! and an exit code: 0 done, 1 failed, 2 wrong usage.

mod command;
pub mod config;
mod custody;
mod error;
mod join;
mod lock;
mod observe;
mod pki;
mod renewal;
mod revocations;
pub mod role;

pub use command::{Base, Outcome, Process, Program, Restore, Verbs, main, main_with};
pub use config::{Problems, Secret};
pub use error::Error;
pub use join::{Joining, join, join_when_approved};
pub use lock::Lock;
pub use observe::{Health, Log, LogSection, Metrics, routes};
pub use pki::{Membership, Parent, Pki};
pub use renewal::{RenewFrom, Renewal};
pub use revocations::Revocations;
