//! Built binaries, configured and operated as an operator would.

mod bad_input;
mod harness;
mod joining;
mod main_job;
mod recovery;
mod revocation;
mod tampering;
mod vendors;
