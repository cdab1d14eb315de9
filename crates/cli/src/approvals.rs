//! `tierline approval`: what collections shall do with updates, without naming groups and
//! deployments.

use clap::Subcommand;
use rpc::convert::wire_time;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::arguments::{Toward, moment};
use crate::desk::Desk;

const ACTIONS: [&str; 5] =
    ["required", "available", "do_not_install", "uninstall", "not_applicable"];

#[derive(Debug, Subcommand)]
pub(crate) enum Approval {
    /// Decides what collections shall do with updates
    #[command(after_help = "Example:\n  tierline approval set required \
        5c6e1d3a-0000-4000-8000-000000000001 --collection CAS00002 --deadline 1-week")]
    Set {
        #[arg(value_parser = ACTIONS)]
        action: String,
        /// Updates by id
        #[arg(required = true)]
        updates: Vec<String>,
        /// Whose computers; may be given several times [default: all]
        #[arg(long = "collection", value_name = "CODE")]
        collections: Vec<String>,
        /// none, asap, 1-week, 2-weeks, 1-month, a time in RFC 3339, or how long from now, as in 2h
        /// [default: asap]
        #[arg(long, value_name = "WHEN", default_value = "", hide_default_value = true)]
        deadline: String,
        /// Shows what would change and changes nothing
        #[arg(long)]
        preview: bool,
    },
    /// The approvals of all sites
    #[command(after_help = "Example:\n  tierline approval list --collection CAS00002")]
    List {
        /// Those that act on this collection, its own and inherited ones
        #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
        collection: String,
        /// Those of an update; may be given several times
        #[arg(long = "update", value_name = "ID")]
        updates: Vec<String>,
    },
    /// The updates that some computer requires and nobody has decided on
    #[command(after_help = "Example:\n  tierline approval needed")]
    Needed,
    /// Takes decisions back: what their collections inherit holds again
    #[command(after_help = "Example:\n  tierline approval remove \
        5c6e1d3a-0000-4000-8000-000000000001 --collection CAS00002")]
    Remove {
        #[arg(required = true)]
        updates: Vec<String>,
        /// Of these collections only
        #[arg(long = "collection", value_name = "CODE")]
        collections: Vec<String>,
    },
}

/// The kinds of deadlines that are words.
const WORDS: [&str; 6] = ["", "none", "asap", "1-week", "2-weeks", "1-month"];

impl Approval {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Approval::Set { action, updates, collections, deadline, preview } => {
                let is_word = WORDS.contains(&deadline.as_str());
                let date = Some(&deadline).filter(|_| !is_word).cloned();
                let date = moment(desk, Toward::Future, "--deadline", date)?.map(wire_time);
                let request = pb::SetApprovalsRequest {
                    updates,
                    collections,
                    action,
                    deadline: if is_word { deadline } else { "date".to_owned() },
                    date,
                    preview,
                };
                desk.show(request).await
            }
            Approval::List { collection, updates } => {
                desk.show(pb::ListApprovalsRequest { updates, collection }).await
            }
            Approval::Needed => desk.show(pb::ListUpdatesToApproveRequest {}).await,
            Approval::Remove { updates, collections } => {
                desk.show(pb::RemoveApprovalsRequest { updates, collections }).await
            }
        }
    }
}
