//! `tierline group`, `collection` and `deployment`: what shall be installed where.

use std::process::ExitCode;

use clap::Subcommand;
use rpc::convert::wire_time;
use rpc::pb::admin as pb;

use crate::arguments::{Toward, moment};
use crate::desk::Desk;
use crate::waiting::{Events, Look, wait};
use crate::{Outcome, PARTLY};

#[derive(Debug, Subcommand)]
pub(crate) enum Group {
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

impl Group {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        let change =
            async |code, add, remove| desk.show(pb::ChangeGroupRequest { code, add, remove }).await;
        match self {
            Group::Create { name, updates } => {
                desk.show(pb::CreateGroupRequest { name, updates }).await
            }
            Group::List => desk.show(pb::ListGroupsRequest {}).await,
            Group::Show { code } => desk.show(pb::GetGroupRequest { code }).await,
            Group::Add { code, updates } => change(code, updates, Vec::new()).await,
            Group::Remove { code, updates } => change(code, Vec::new(), updates).await,
            Group::Delete { code } => desk.show(pb::DeleteGroupRequest { code }).await,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Collection {
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

impl Collection {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Collection::Create { name, clients } => {
                desk.show(pb::CreateCollectionRequest { name, clients }).await
            }
            Collection::List => desk.show(pb::ListCollectionsRequest {}).await,
            Collection::Show { code } => desk.show(pb::GetCollectionRequest { code }).await,
            Collection::Members { code } => {
                desk.show(pb::ListCollectionMembersRequest { code }).await
            }
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Deployment {
    /// Deploys an update group to a collection
    #[command(after_help = "Example:\n  tierline deployment create May-2026 \
        --group CAS00001 --collection CAS00002 --deadline 7d")]
    Create {
        name: String,
        #[arg(long, value_name = "CODE")]
        group: String,
        /// Whose computers [default: all]
        #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
        collection: String,
        /// Whether it is installed at the deadline or offered to the user
        #[arg(long, value_parser = ["required", "available"], default_value = "required")]
        intent: String,
        /// A time in RFC 3339, or how long from now, as in 2h [default: now]
        #[arg(long, value_name = "TIME")]
        available: Option<String>,
        /// Likewise [default: as soon as it is available]
        #[arg(long, value_name = "TIME")]
        deadline: Option<String>,
    },
    /// The deployments of all sites
    #[command(after_help = "Example:\n  tierline deployment list")]
    List,
    /// One deployment, and what the server's last plan made of it
    #[command(after_help = "Example:\n  \
        tierline deployment show 01939c3e-7f00-7000-8000-000000000002")]
    Show { id: String },
    /// Gives a deployment to clients again
    #[command(after_help = "Example:\n  \
        tierline deployment enable 01939c3e-7f00-7000-8000-000000000002")]
    Enable { id: String },
    /// Takes a deployment back from clients; what is installed stays
    #[command(after_help = "Example:\n  \
        tierline deployment disable 01939c3e-7f00-7000-8000-000000000002")]
    Disable { id: String },
    /// Deletes a deployment
    #[command(after_help = "Example:\n  \
        tierline deployment delete 01939c3e-7f00-7000-8000-000000000002")]
    Delete { id: String },
    /// How far the targets of a deployment are
    #[command(after_help = "Example:\n  \
        tierline deployment status 01939c3e-7f00-7000-8000-000000000002 --wait --timeout 2h")]
    Status {
        id: String,
        /// Waits until every target complies or has failed
        #[arg(long)]
        wait: bool,
    },
}

impl Deployment {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Deployment::Create { name, group, collection, intent, available, deadline } => {
                let available_at = moment(desk, Toward::Future, "--available", available)?;
                let deadline = moment(desk, Toward::Future, "--deadline", deadline)?;
                let request = pb::CreateDeploymentRequest {
                    name,
                    group,
                    collection,
                    intent,
                    available_at: available_at.map(wire_time),
                    deadline: deadline.map(wire_time),
                };
                desk.show(request).await
            }
            Deployment::List => desk.show(pb::ListDeploymentsRequest {}).await,
            Deployment::Show { id } => desk.show(pb::GetDeploymentRequest { id }).await,
            Deployment::Enable { id } => {
                desk.show(pb::SetDeploymentEnabledRequest { id, enabled: true }).await
            }
            Deployment::Disable { id } => {
                desk.show(pb::SetDeploymentEnabledRequest { id, enabled: false }).await
            }
            Deployment::Delete { id } => desk.show(pb::DeleteDeploymentRequest { id }).await,
            Deployment::Status { id, wait: false } => {
                desk.show(pb::GetDeploymentComplianceRequest { id }).await
            }
            Deployment::Status { id, wait: true } => wait_until_installed(desk, id).await,
        }
    }
}

async fn wait_until_installed(desk: &Desk, id: String) -> Outcome {
    let look = |status: &pb::GetDeploymentComplianceResponse| match &status.row {
        Some(row) if row.in_progress + row.unknown > 0 => {
            Look::Going(format!("{} of {} comply", row.compliant, row.targeted))
        }
        _ => Look::Done,
    };
    let request = pb::GetDeploymentComplianceRequest { id };
    let ended = wait(desk, Events::Texts, &request, look).await?;
    let failed = ended.row.is_some_and(|row| row.failed > 0);
    Ok(if failed { ExitCode::from(PARTLY) } else { ExitCode::SUCCESS })
}
