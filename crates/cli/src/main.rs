//! `tierline`, the operator's command line: `tierline <noun> <verb>`.
//!
//! Owns the grammar and how answers look: a noun is one small file that turns arguments into a
//! request; answers are printed from their descriptors, whatever they are. Refuses to know what the
//! server does. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done in part. What went wrong goes
//! to stderr: what, where, remedy.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it talks to a person")]

mod arguments;
mod catalog;
mod category;
mod client;
mod collection;
mod compliance;
mod content;
mod context;
mod db;
mod demo;
mod deployment;
mod desk;
mod dp;
mod failure;
mod group;
mod login;
mod output;
mod package;
mod replication;
mod role;
mod site;
mod status_message;
mod sync;
mod update;
mod waiting;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::Arguments;
use crate::failure::Failure;

/// How a command ended, if it could be carried out.
type Outcome = Result<ExitCode, Failure>;

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
