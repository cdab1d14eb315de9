//! `tierline db` and `status-message`: what a site server says of itself.

use std::process::ExitCode;

use clap::Subcommand;
use rpc::convert::wire_time;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::arguments::{Toward, moment};
use crate::desk::Desk;
use crate::output::Part;

#[derive(Debug, Subcommand)]
pub(crate) enum Db {
    /// Looks for damage; fails if there is any
    #[command(after_help = "Example:\n  tierline db check")]
    Check,
    /// Copies the site database to a file on the server's machine, while it works
    #[command(after_help = "Example:\n  tierline db backup /var/backups/tierline/site.bak")]
    Backup { file: String },
}

impl Db {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Db::Check => {
                let answer = desk.call(&pb::CheckDatabaseRequest {}).await?;
                desk.print(&answer, Part::Whole)?;
                let sound = answer.read::<pb::CheckDatabaseResponse>().rows.is_empty();
                Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
            Db::Backup { file } => desk.show(pb::BackUpDatabaseRequest { file }).await,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum StatusMessage {
    /// The newest status messages, oldest first
    #[command(after_help = "Example:\n  \
        tierline status-message list --severity error --since 2h --follow")]
    List {
        #[arg(long, default_value = "", hide_default_value = true)]
        component: String,
        #[arg(long, value_parser = ["", "information", "warning", "error", "audit"],
            default_value = "", hide_default_value = true, hide_possible_values = true,
            help = "information, warning, error or audit")]
        severity: String,
        /// A time in RFC 3339, or how long ago, as in 2h
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
        site: String,
        /// At most so many
        #[arg(long, default_value_t = 200)]
        limit: u32,
        /// Goes on as messages arrive
        #[arg(long)]
        follow: bool,
    },
}

impl StatusMessage {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        let StatusMessage::List { component, severity, since, site, limit, follow } = self;
        let since = moment(desk, Toward::Past, "--since", since)?.map(wire_time);
        let filter = pb::ListStatusMessagesRequest { component, severity, since, site, limit };
        if follow {
            desk.follow(pb::FollowStatusMessagesRequest { filter: Some(filter) }).await
        } else {
            desk.show(filter).await
        }
    }
}
