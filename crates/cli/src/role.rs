//! `tierline role`.

use clap::Subcommand;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::arguments::Valid;
use crate::desk::Desk;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// The site system roles of the hierarchy
    #[command(after_help = "Example:\n  tierline role list -o csv")]
    List,
    /// Makes the token with which a role joins a site
    #[command(after_help = "Example:\n  tierline role token dp --site SE1")]
    Token {
        #[arg(value_parser = ["sup", "mp", "dp"])]
        kind: String,
        /// The role's site [default: the server's]
        #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
        site: String,
        #[command(flatten)]
        valid: Valid,
    },
    /// Takes a role out of the hierarchy and revokes its certificate
    #[command(after_help = "Example:\n  tierline role remove \
        01939c3e-7f00-7000-8000-000000000001 --reason \"replaced\"")]
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
            Verb::List => desk.show("ListRoles", &pb::ListRolesRequest {}).await,
            Verb::Token { kind, site, valid } => {
                let valid_seconds = valid.seconds();
                let request = pb::CreateRoleTokenRequest { kind, site, valid_seconds };
                desk.show("CreateRoleToken", &request).await
            }
            Verb::Remove { id, reason } => {
                desk.show("RemoveRole", &pb::RemoveRoleRequest { id, reason }).await
            }
        }
    }
}
