//! Built binaries, configured and operated as an operator would.

mod bad_input;
mod boundaries;
mod harness;
mod joining;
mod main_job;
mod recovery;
mod revocation;
mod soap_client;
mod tampering;
mod vendors;
mod windows;
