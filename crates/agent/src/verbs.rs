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
    Status,
    /// What happened here, the newest first
    History {
        #[arg(long, default_value_t = HISTORY_ROWS, value_name = "ROWS")]
        limit: u32,
    },
    /// Ask the update point now which updates this computer needs
    Scan {
        /// And evaluate every deployment afterwards
        #[arg(long)]
        evaluate: bool,
    },
    /// Install what is offered here, now or at a time; maintenance windows do not matter
    Install {
        /// Their ids; without any, all that is offered
        #[arg(value_name = "UPDATE")]
        updates: Vec<UpdateId>,
        /// Not now, but then: as this computer's clock shows it (2026-11-22T03:00), or RFC 3339
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// Not at the time that was set
        #[arg(long, conflicts_with = "at")]
        cancel: bool,
    },
    /// Offer an available update no more; a required one cannot be hidden
    Hide(OfUpdate),
    /// Offer a hidden update again
    Show(OfUpdate),
    /// The updates that are required, available or hidden here
    Updates,
    /// Content that is kept here
    Cache {
        #[command(subcommand)]
        verb: CacheVerb,
    },
    /// Whether a restart is pending, since when, and when it comes
    RebootStatus,
    /// Restart the computer now, if a restart is pending, or put the restart off
    Reboot {
        /// Not now, but after so many minutes
        #[arg(long, value_name = "MINUTES")]
        defer: Option<u32>,
    },
    /// Forget what was found and what failed, and begin anew; policy and what is installed stay
    Reset,
    /// The policy in effect
    Policy,
    /// Why an update is or is not installed here, from its rules to its last installation
    Explain(OfUpdate),
}

#[derive(Debug, Subcommand)]
pub enum CacheVerb {
    /// The files, their sizes, and which updates they belong to
    List,
    /// Remove what no deployment needs any more
    Clean,
}

#[derive(Args, Debug)]
pub struct OfUpdate {
    /// The id of the update
    #[arg(value_name = "UPDATE")]
    update: UpdateId,
}

#[derive(Args, Clone, Debug)]
pub struct Output {
    /// Answers as a table for people, or as JSON for programs
    #[arg(short, long = "output", value_enum, default_value_t = Format::Table)]
    #[arg(global = true, help_heading = ASKING)]
    output: Format,
    /// The agent's socket, if it is not the one of the configuration
    #[arg(long, value_name = "PATH", global = true, help_heading = ASKING)]
    socket: Option<PathBuf>,
}

/// They are about the verbs that ask.
const ASKING: &str = "Asking the agent that runs";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

impl Output {
    /// Where the agent is looked for: at its socket, or, if nothing names one, at that of `data`
    /// and of the service.
    pub(crate) fn places(&self, data: &Path, configured: Option<&Path>) -> Vec<PathBuf> {
        match self.socket.as_deref().or(configured) {
            Some(one) => vec![one.to_owned()],
            None => vec![Local::within(data), PathBuf::from(WELL_KNOWN)],
        }
    }
}

impl Verb {
    /// Asks the first agent that answers.
    pub(crate) async fn ask(
        self,
        places: &[PathBuf],
        options: &Output,
        output: &mut dyn Write,
    ) -> Result<(), Failure> {
        let answer = asking::ask(places, &self.request()).await?;
        let text = match options.output {
            Format::Json => format!("{answer:#}\n"),
            Format::Table => table::render(&answer),
        };
        output.write_all(text.as_bytes()).map_err(Failure::Print)
    }

    fn request(self) -> Request {
        match self {
            Verb::Status => Request::Status,
            Verb::History { limit } => Request::History { limit },
            Verb::Scan { evaluate } => {
                Request::Scan { cycle: if evaluate { Cycle::Evaluation } else { Cycle::Scan } }
            }
            Verb::Install { updates, at, cancel } => {
                let updates = updates.into_iter().map(Text).collect();
                match at {
                    Some(at) => Request::InstallAt { updates, at },
                    None if cancel => Request::Unplan { updates },
                    None => Request::Install { updates },
                }
            }
            Verb::Hide(OfUpdate { update }) => Request::Hide { update: Text(update) },
            Verb::Show(OfUpdate { update }) => Request::Show { update: Text(update) },
            Verb::Updates => Request::Updates,
            Verb::Cache { verb: CacheVerb::List } => Request::CacheList,
            Verb::Cache { verb: CacheVerb::Clean } => Request::CacheClean,
            Verb::RebootStatus => Request::RebootStatus,
            Verb::Reboot { defer: defer_minutes } => Request::Reboot { defer_minutes },
            Verb::Reset => Request::Reset,
            Verb::Policy => Request::Policy,
            Verb::Explain(OfUpdate { update }) => Request::Explain { update: Text(update) },
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
