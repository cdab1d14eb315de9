//! `tierline collection`.

use clap::Subcommand;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::desk::Desk;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Makes a collection of named computers
    #[command(after_help = "Example:\n  tierline collection create Pilots \
        --client 01939c3e-7f00-7000-8000-000000000001")]
    Create {
        name: String,
        /// A computer by id; may be given several times
        #[arg(long = "client", value_name = "ID")]
        clients: Vec<String>,
    },
    /// The collections of all sites
    #[command(after_help = "Example:\n  tierline collection list")]
    List,
    /// One collection
    #[command(after_help = "Example:\n  tierline collection show SMS00001")]
    Show { code: String },
    /// The computers in a collection
    #[command(after_help = "Example:\n  tierline collection members SMS00001 -o csv")]
    Members { code: String },
}

impl Verb {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Verb::Create { name, clients } => {
                desk.show("CreateCollection", &pb::CreateCollectionRequest { name, clients }).await
            }
            Verb::List => desk.show("ListCollections", &pb::ListCollectionsRequest {}).await,
            Verb::Show { code } => {
                desk.show("GetCollection", &pb::GetCollectionRequest { code }).await
            }
            Verb::Members { code } => {
                let request = pb::ListCollectionMembersRequest { code };
                desk.show("ListCollectionMembers", &request).await
            }
        }
    }
}
