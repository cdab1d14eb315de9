//! `tierline compliance`.

use clap::Subcommand;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::desk::Desk;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// How far everything is
    #[command(after_help = "Example:\n  tierline compliance summary")]
    Summary,
    /// Clients by their state for an update
    #[command(after_help = "Example:\n  \
        tierline compliance update 5c6e1d3a-0000-4000-8000-000000000001")]
    Update { id: String },
    /// Updates by their state on a client
    #[command(after_help = "Example:\n  \
        tierline compliance client 01939c3e-7f00-7000-8000-000000000001")]
    Client { id: String },
    /// The updates of a group
    #[command(after_help = "Example:\n  tierline compliance group CAS00001 -o csv")]
    Group { code: String },
    /// The targets of a deployment
    #[command(after_help = "Example:\n  \
        tierline compliance deployment 01939c3e-7f00-7000-8000-000000000002")]
    Deployment { id: String },
    /// The deployments to a collection
    #[command(after_help = "Example:\n  tierline compliance collection SMS00001")]
    Collection { code: String },
}

impl Verb {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Verb::Summary => {
                desk.show("GetComplianceSummary", &pb::GetComplianceSummaryRequest {}).await
            }
            Verb::Update { id } => {
                desk.show("GetUpdateCompliance", &pb::GetUpdateComplianceRequest { id }).await
            }
            Verb::Client { id } => {
                desk.show("GetClientCompliance", &pb::GetClientComplianceRequest { id }).await
            }
            Verb::Group { code } => {
                desk.show("GetGroupCompliance", &pb::GetGroupComplianceRequest { code }).await
            }
            Verb::Deployment { id } => {
                let request = pb::GetDeploymentComplianceRequest { id };
                desk.show("GetDeploymentCompliance", &request).await
            }
            Verb::Collection { code } => {
                let request = pb::GetCollectionComplianceRequest { code };
                desk.show("GetCollectionCompliance", &request).await
            }
        }
    }
}
