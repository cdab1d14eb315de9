//! `tierline db`.

use std::process::ExitCode;

use clap::Subcommand;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::desk::Desk;
use crate::output::Part;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Looks for damage; fails if there is any
    #[command(after_help = "Example:\n  tierline db check")]
    Check,
    /// Copies the site database to a file on the server's machine, while it works
    #[command(after_help = "Example:\n  tierline db backup /var/backups/tierline/site.bak")]
    Backup { file: String },
}

impl Verb {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Verb::Check => {
                let answer = desk.call("CheckDatabase", &pb::CheckDatabaseRequest {}).await?;
                desk.print(&answer, Part::Whole)?;
                let sound = answer.read::<pb::CheckDatabaseResponse>().rows.is_empty();
                Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
            Verb::Backup { file } => {
                desk.show("BackUpDatabase", &pb::BackUpDatabaseRequest { file }).await
            }
        }
    }
}
