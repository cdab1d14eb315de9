//! `tierline group`.

use clap::Subcommand;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::desk::Desk;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Makes a group of updates
    #[command(after_help = "Example:\n  tierline group create May-2026 \
        --update 5c6e1d3a-0000-4000-8000-000000000001")]
    Create {
        name: String,
        /// An update by id; may be given several times
        #[arg(long = "update", value_name = "ID")]
        updates: Vec<String>,
    },
    /// The groups of all sites
    #[command(after_help = "Example:\n  tierline group list")]
    List,
    /// One group and its updates
    #[command(after_help = "Example:\n  tierline group show CAS00001")]
    Show { code: String },
    /// Puts updates into a group
    #[command(after_help = "Example:\n  \
        tierline group add CAS00001 5c6e1d3a-0000-4000-8000-000000000002")]
    Add {
        code: String,
        #[arg(required = true)]
        updates: Vec<String>,
    },
    /// Takes updates out of a group
    #[command(after_help = "Example:\n  \
        tierline group remove CAS00001 5c6e1d3a-0000-4000-8000-000000000002")]
    Remove {
        code: String,
        #[arg(required = true)]
        updates: Vec<String>,
    },
    /// Deletes a group that is not deployed
    #[command(after_help = "Example:\n  tierline group delete CAS00001")]
    Delete { code: String },
}

impl Verb {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        let change = async |code, add, remove| {
            desk.show("ChangeGroup", &pb::ChangeGroupRequest { code, add, remove }).await
        };
        match self {
            Verb::Create { name, updates } => {
                desk.show("CreateGroup", &pb::CreateGroupRequest { name, updates }).await
            }
            Verb::List => desk.show("ListGroups", &pb::ListGroupsRequest {}).await,
            Verb::Show { code } => desk.show("GetGroup", &pb::GetGroupRequest { code }).await,
            Verb::Add { code, updates } => change(code, updates, Vec::new()).await,
            Verb::Remove { code, updates } => change(code, Vec::new(), updates).await,
            Verb::Delete { code } => {
                desk.show("DeleteGroup", &pb::DeleteGroupRequest { code }).await
            }
        }
    }
}
