//! Updates of one's own: from an installer and a few answers to a publisher's package.
//!
//! Owns what a file says of itself ([`read`]), how an administrator's answers become rules and an
//! installer ([`plan`], [`Draft`]), and the signed cabinet in which Windows takes files that are
//! not of its vendor ([`cabinet`], [`authenticode`]).
//!
//! Refuses to know servers, sockets and databases: readers and writers are handed in, and so is the
//! certificate that signs. What a file cannot be used for is refused by an [`Error`] that says how
//! to go on. Reading is total over hostile files and takes no more memory than its limits say.

pub mod authenticode;
pub mod cabinet;
mod codepage;
mod condition;
mod deb;
mod error;
mod installer;
mod kind;
mod msi;
mod plan;
mod rpm;
mod system;

pub use condition::Condition;
pub use error::Error;
pub use installer::{Identity, Installer, read};
pub use kind::{Kind, Platform};
pub use plan::{Answers, Draft, Prerequisite, plan, return_code};
pub use system::{Architecture, OperatingSystem};
pub use update_metadata::Outcome;
