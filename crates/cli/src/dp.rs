//! `tierline dp`.

use clap::Subcommand;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::desk::Desk;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Distribution points and how many packages they hold
    #[command(after_help = "Example:\n  tierline dp list")]
    List,
    /// One distribution point and its packages
    #[command(after_help = "Example:\n  tierline dp show PR1-DP")]
    Show {
        /// Id or name
        point: String,
    },
}

impl Verb {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Verb::List => {
                desk.show("ListDistributionPoints", &pb::ListDistributionPointsRequest {}).await
            }
            Verb::Show { point } => {
                let request = pb::GetDistributionPointRequest { point };
                desk.show("GetDistributionPoint", &request).await
            }
        }
    }
}
