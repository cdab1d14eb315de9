//! `tierline client`.

use clap::Subcommand;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::arguments::Valid;
use crate::desk::Desk;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// The managed computers of the site and the sites below it
    #[command(after_help = "Example:\n  tierline client list --name web -o csv")]
    List {
        /// Only computers with this in their name
        #[arg(long, default_value = "", hide_default_value = true)]
        name: String,
    },
    /// One managed computer
    #[command(after_help = "Example:\n  \
        tierline client show 01939c3e-7f00-7000-8000-000000000001")]
    Show { id: String },
    /// Makes the token with which a computer joins a primary site
    #[command(after_help = "Example:\n  tierline client token --url https://mp1.example:7441")]
    Token {
        /// The primary site [default: the server's]
        #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
        site: String,
        /// The management point to join through [default: the site server]
        #[arg(long, value_name = "URL", default_value = "", hide_default_value = true)]
        url: String,
        #[command(flatten)]
        valid: Valid,
    },
    /// Makes computers of the server's site scan now
    #[command(after_help = "Example:\n  tierline client scan")]
    Scan {
        /// Which computers [default: all]
        ids: Vec<String>,
    },
    /// Forgets a computer and revokes its certificate
    #[command(after_help = "Example:\n  tierline client remove \
        01939c3e-7f00-7000-8000-000000000001 --reason \"sold\"")]
    Remove {
        id: String,
        /// Why, for the record
        #[arg(long, default_value = "removed")]
        reason: String,
    },
}

impl Verb {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Verb::List { name } => desk.show("ListClients", &pb::ListClientsRequest { name }).await,
            Verb::Show { id } => desk.show("GetClient", &pb::GetClientRequest { id }).await,
            Verb::Token { site, url, valid } => {
                let valid_seconds = valid.seconds();
                let request = pb::CreateClientTokenRequest { site, valid_seconds, url };
                desk.show("CreateClientToken", &request).await
            }
            Verb::Scan { ids } => desk.show("ScanClients", &pb::ScanClientsRequest { ids }).await,
            Verb::Remove { id, reason } => {
                desk.show("RemoveClient", &pb::RemoveClientRequest { id, reason }).await
            }
        }
    }
}
