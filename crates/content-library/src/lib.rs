//! The content library: whole files, named by their SHA-256.
//!
//! Owns one directory: `files/` holds what is complete and verified, `partial/` what is being
//! received, `quarantine/` what was found damaged, `index.db` what is known of each file and who
//! needs it. A file becomes visible by one rename, after its size and digests were computed from
//! what is on disk; a crash at any point leaves a resumable partial or a complete file.
//!
//! Also says, for whoever moves files: how one is asked for over HTTP ([`ask_from`]) and answered
//! ([`FileReader::answer`]), and how what comes is taken in where an earlier transfer broke off
//! ([`Receipt::receive`]).
//!
//! Refuses to know packages, updates, sites and networks: holders are names to it. Blocking file
//! work runs on threads of its own, or on the caller in simulation. Every failure is an [`Error`]
//! that names the file; damaged content is never handed out.

mod answer;
mod error;
mod index;
mod library;
mod limits;
mod receipt;
mod shelf;
mod store;
mod workers;

pub use answer::{ask_from, first_byte};
pub use error::Error;
pub use index::FileRecord;
pub use library::{Begun, Collected, ContentLibrary, Damage, FileReader};
pub use receipt::{Expected, Receipt};
