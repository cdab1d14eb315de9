//! What a person at this computer types: a verb is a question to the agent that runs, and its
//! answer is printed.
//!
//! Owns the grammar and how answers look. Refuses to know what is decided: the agent does, and
//! says it. A refusal is an error with what helps, and so is an agent that does not answer.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use model::UpdateId;
use serde_json::Value;

use crate::control::{Cycle, Local, Request, Text, WELL_KNOWN};

mod asking;
mod table;

pub(crate) use asking::Failure;

/// The first rows of `history`, if nothing else is said.
const HISTORY_ROWS: u32 = 50;

/// A verb and how its answer shall look.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Who this client is, its policy, its scans, its deployments, and what they wait for
    Status(Output),
    /// What happened here, the newest first
    History {
        #[arg(long, default_value_t = HISTORY_ROWS, value_name = "ROWS")]
        limit: u32,
        #[command(flatten)]
        output: Output,
    },
    /// Ask the update point now which updates this computer needs
    Scan {
        /// And evaluate every deployment afterwards
        #[arg(long)]
        evaluate: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Install now what is offered here; maintenance windows do not matter
    Install {
        /// Their ids; without any, all that is offered
        #[arg(value_name = "UPDATE")]
        updates: Vec<UpdateId>,
        #[command(flatten)]
        output: Output,
    },
    /// Offer an available update no more; a required one cannot be hidden
    Hide(OfUpdate),
    /// Offer a hidden update again
    Show(OfUpdate),
    /// The updates that are required, available or hidden here
    Updates(Output),
    /// Content that is kept here
    Cache {
        #[command(subcommand)]
        verb: CacheVerb,
    },
    /// Whether a restart is pending, since when, and when it comes
    RebootStatus(Output),
    /// Restart the computer now, if a restart is pending, or put the restart off
    Reboot {
        /// Not now, but after so many minutes
        #[arg(long, value_name = "MINUTES")]
        defer: Option<u32>,
        #[command(flatten)]
        output: Output,
    },
    /// Forget what was found and what failed, and begin anew; policy and what is installed stay
    Reset(Output),
    /// The policy in effect
    Policy(Output),
    /// Why an update is or is not installed here, from its rules to its last installation
    Explain(OfUpdate),
}

#[derive(Debug, Subcommand)]
pub enum CacheVerb {
    /// The files, their sizes, and which updates they belong to
    List(Output),
    /// Remove what no deployment needs any more
    Clean(Output),
}

#[derive(Args, Debug)]
pub struct OfUpdate {
    /// The id of the update
    #[arg(value_name = "UPDATE")]
    update: UpdateId,
    #[command(flatten)]
    output: Output,
}

#[derive(Args, Clone, Debug)]
pub struct Output {
    /// As a table for people, or as JSON for programs
    #[arg(short, long = "output", value_enum, default_value_t = Format::Table)]
    output: Format,
    /// The agent's socket, if it is not the one of the configuration
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

impl Verb {
    /// Asks the agent at `socket`, or, if the configuration names none, the one of `data` or of
    /// the service.
    pub(crate) async fn ask(
        self,
        data: &Path,
        socket: Option<&Path>,
        output: &mut dyn Write,
    ) -> Result<(), Failure> {
        let (request, Output { output: format, socket: named }) = self.request();
        let places = match named.as_deref().or(socket) {
            Some(one) => vec![one.to_owned()],
            None => vec![Local::within(data), PathBuf::from(WELL_KNOWN)],
        };
        let answer = asking::ask(&places, &request).await?;
        let text = match format {
            Format::Json => format!("{answer:#}\n"),
            Format::Table => table::render(&answer),
        };
        output.write_all(text.as_bytes()).map_err(Failure::Print)
    }

    fn request(self) -> (Request, Output) {
        match self {
            Verb::Status(output) => (Request::Status, output),
            Verb::History { limit, output } => (Request::History { limit }, output),
            Verb::Scan { evaluate, output } => {
                let cycle = if evaluate { Cycle::Evaluation } else { Cycle::Scan };
                (Request::Scan { cycle }, output)
            }
            Verb::Install { updates, output } => {
                let updates = updates.into_iter().map(Text).collect();
                (Request::Install { updates }, output)
            }
            Verb::Hide(OfUpdate { update, output }) => {
                (Request::Hide { update: Text(update) }, output)
            }
            Verb::Show(OfUpdate { update, output }) => {
                (Request::Show { update: Text(update) }, output)
            }
            Verb::Updates(output) => (Request::Updates, output),
            Verb::Cache { verb: CacheVerb::List(output) } => (Request::CacheList, output),
            Verb::Cache { verb: CacheVerb::Clean(output) } => (Request::CacheClean, output),
            Verb::RebootStatus(output) => (Request::RebootStatus, output),
            Verb::Reboot { defer: defer_minutes, output } => {
                (Request::Reboot { defer_minutes }, output)
            }
            Verb::Reset(output) => (Request::Reset, output),
            Verb::Policy(output) => (Request::Policy, output),
            Verb::Explain(OfUpdate { update, output }) => {
                (Request::Explain { update: Text(update) }, output)
            }
        }
    }
}

/// The only member of an object: which kind of answer it is, and the answer.
fn opened(answer: Value) -> Option<(String, Value)> {
    match answer {
        Value::Object(object) if object.len() == 1 => object.into_iter().next(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
