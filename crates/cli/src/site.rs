//! `tierline site`.

use clap::Subcommand;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::arguments::Valid;
use crate::desk::Desk;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Every site and how its link to the server is
    #[command(after_help = "Example:\n  tierline site status -o json")]
    Status,
    /// The sites of the hierarchy
    #[command(after_help = "Example:\n  tierline site list")]
    List,
    /// One site and its roles
    #[command(after_help = "Example:\n  tierline site show PR1")]
    Show { code: String },
    /// Makes the token with which a site joins; asked of the top-level site
    #[command(after_help = "Example:\n  tierline site token PR1\n  \
        tierline site token SE1 --kind secondary --parent PR1")]
    Token {
        /// The new site's code: three characters A-Z and 0-9
        code: String,
        #[arg(long, value_parser = ["primary", "secondary"], default_value = "primary")]
        kind: String,
        /// The primary that a secondary joins [default: the server]
        #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
        parent: String,
        #[command(flatten)]
        valid: Valid,
    },
}

impl Verb {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Verb::Status => desk.show("GetSiteStatus", &pb::GetSiteStatusRequest {}).await,
            Verb::List => desk.show("ListSites", &pb::ListSitesRequest {}).await,
            Verb::Show { code } => desk.show("GetSite", &pb::GetSiteRequest { code }).await,
            Verb::Token { code, kind, parent, valid } => {
                let valid_seconds = valid.seconds();
                let request = pb::CreateSiteTokenRequest { code, kind, parent, valid_seconds };
                desk.show("CreateSiteToken", &request).await
            }
        }
    }
}
