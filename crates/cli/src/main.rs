//! `tierline`, the operator's command line: `tierline <noun> <verb>`.
//!
//! Owns the grammar and how answers look: a noun turns arguments into a request, and nouns that
//! belong together are one file; answers are printed from their descriptors, whatever they are.
//! Refuses to know what the server does. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done in
//! part. What went wrong goes to stderr: what, where, remedy.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it talks to a person")]

mod approvals;
mod arguments;
mod boundaries;
mod catalog;
mod client_settings;
mod clients;
mod collections;
mod content;
mod context;
mod demo;
mod deploying;
mod desk;
mod explain;
mod failure;
mod hierarchy;
mod languages;
mod login;
mod output;
mod phased;
mod publishing;
mod rules;
mod server;
mod update_list;
mod updates;
mod upkeep;
mod waiting;
mod windows;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::Arguments;
use crate::failure::Failure;

/// How a command ended, if it could be carried out.
type Outcome = Result<ExitCode, Failure>;

/// The exit code of what was done in part.
const PARTLY: u8 = 3;

#[tokio::main]
async fn main() -> ExitCode {
    match Arguments::parse().run().await {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests;
