//! `tierline content`.

use clap::Subcommand;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::desk::Desk;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Where packages are
    #[command(after_help = "Example:\n  tierline content status CAS00001 -o json")]
    Status {
        /// One package [default: all]
        #[arg(default_value = "", hide_default_value = true)]
        package: String,
    },
}

impl Verb {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        let Verb::Status { package } = self;
        desk.show("GetContentStatus", &pb::GetContentStatusRequest { package }).await
    }
}
