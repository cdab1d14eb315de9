//! `tierline group` and `deployment`: what shall be installed where.

pub(crate) mod options;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use rpc::convert::wire_time;
use rpc::pb::admin as pb;

use self::options::Options;
use crate::desk::Desk;
use crate::failure::Failure;
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
        #[arg(long, default_value = "", hide_default_value = true)]
        description: String,
        /// Takes superseded updates, too, as long as they are not expired
        #[arg(long = "superseded")]
        allow_superseded: bool,
    },
    /// The groups of all sites
    #[command(after_help = "Example:\n  tierline group list")]
    List {
        /// Those that approvals keep, too
        #[arg(long)]
        all: bool,
    },
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
        /// Takes superseded updates, too, as long as they are not expired
        #[arg(long = "superseded")]
        allow_superseded: bool,
    },
    /// Takes updates out of a group
    #[command(after_help = "Example:\n  \
        tierline group remove CAS00001 5c6e1d3a-0000-4000-8000-000000000002")]
    Remove {
        code: String,
        #[arg(required = true)]
        updates: Vec<String>,
    },
    /// Gives a group another name or description
    #[command(after_help = "Example:\n  tierline group change CAS00001 --name May-2026")]
    Change {
        code: String,
        #[arg(long, required_unless_present = "description")]
        name: Option<String>,
        #[arg(long)]
        description: Option<String>,
    },
    /// Deletes a group that is not deployed
    #[command(after_help = "Example:\n  tierline group delete CAS00001")]
    Delete { code: String },
}

impl Group {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        let change = async |request: pb::ChangeGroupRequest| desk.show(request).await;
        match self {
            Group::Create { name, updates, description, allow_superseded } => {
                let request =
                    pb::CreateGroupRequest { name, updates, description, allow_superseded };
                desk.show(request).await
            }
            Group::List { all } => desk.show(pb::ListGroupsRequest { all }).await,
            Group::Show { code } => desk.show(pb::GetGroupRequest { code }).await,
            Group::Add { code, updates: add, allow_superseded } => {
                let request = pb::ChangeGroupRequest { code, add, ..Default::default() };
                change(pb::ChangeGroupRequest { allow_superseded, ..request }).await
            }
            Group::Remove { code, updates: remove } => {
                change(pb::ChangeGroupRequest { code, remove, ..Default::default() }).await
            }
            Group::Change { code, name, description } => {
                change(pb::ChangeGroupRequest { code, name, description, ..Default::default() })
                    .await
            }
            Group::Delete { code } => desk.show(pb::DeleteGroupRequest { code }).await,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Deployment {
    /// Deploys an update group to a collection
    #[command(after_help = "Example:\n  tierline deployment create May-2026 \
        --group CAS00001 --collection CAS00002 --deadline 7d --new-package May-2026")]
    Create(Box<Create>),
    /// The deployments of all sites
    #[command(after_help = "Example:\n  tierline deployment list")]
    List {
        /// Those that approvals keep, too
        #[arg(long)]
        all: bool,
    },
    /// One deployment, and what the server's last plan made of it
    #[command(after_help = "Example:\n  \
        tierline deployment show 01939c3e-7f00-7000-8000-000000000002")]
    Show { id: String },
    /// Changes a deployment; its intent, and whether it has packages, stay
    #[command(after_help = "Example:\n  \
        tierline deployment change 01939c3e-7f00-7000-8000-000000000002 --collection CAS00003")]
    Change(Box<Alter>),
    /// Gives a deployment to clients again
    #[command(after_help = "Example:\n  \
        tierline deployment enable 01939c3e-7f00-7000-8000-000000000002")]
    Enable { id: String },
    /// Takes a deployment back from clients; what is installed stays
    #[command(after_help = "Example:\n  \
        tierline deployment disable 01939c3e-7f00-7000-8000-000000000002")]
    Disable { id: String },
    /// Takes a deployment of whatever site back from the clients of the server's site
    #[command(after_help = "Example:\n  \
        tierline deployment hold 01939c3e-7f00-7000-8000-000000000002 --reason 'printers fail'")]
    Hold {
        id: String,
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
    },
    /// Gives a held deployment to them again
    #[command(after_help = "Example:\n  \
        tierline deployment release 01939c3e-7f00-7000-8000-000000000002")]
    Release { id: String },
    /// What is held, and by which site
    #[command(after_help = "Example:\n  tierline deployment holds")]
    Holds,
    /// Deletes a deployment
    #[command(after_help = "Example:\n  \
        tierline deployment delete 01939c3e-7f00-7000-8000-000000000002")]
    Delete { id: String },
    /// Updates that one deployment of the server's site may have
    #[command(after_help = "Example:\n  tierline deployment limit --updates 500")]
    Limit {
        /// How many from now on
        #[arg(long, value_name = "N")]
        updates: Option<u32>,
    },
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

#[derive(Args, Debug)]
pub(crate) struct Create {
    /// [default: Microsoft Software Updates - and the time]
    #[arg(default_value = "", hide_default_value = true)]
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
    #[arg(long, default_value = "", hide_default_value = true)]
    description: String,
    /// The package that shall fetch the files that none holds
    #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
    #[arg(conflicts_with_all = ["new_package", "no_package"])]
    package: String,
    /// Makes one for them, at every distribution point
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    #[arg(conflicts_with = "no_package")]
    new_package: String,
    /// Computers load from Microsoft Update alone; this cannot be changed
    #[arg(long)]
    no_package: bool,
    /// Takes superseded updates, too, as long as they are not expired
    #[arg(long = "superseded")]
    allow_superseded: bool,
    /// Makes several groups and deployments of too many updates
    #[arg(long)]
    split: bool,
    /// Shows what would be made, and makes nothing
    #[arg(long)]
    preview: bool,
    /// Clients get it only after it is enabled
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    options: Options,
}

impl Create {
    fn request(self, desk: &Desk) -> Result<pb::CreateDeploymentRequest, Failure> {
        let Create { options, available, deadline, .. } = self;
        let available_at = options.time(desk, "--available", options.asap(available))?;
        let deadline = options.time(desk, "--deadline", deadline)?;
        Ok(pb::CreateDeploymentRequest {
            name: self.name,
            group: self.group,
            collection: self.collection,
            intent: self.intent,
            available_at: available_at.map(wire_time),
            deadline: deadline.map(wire_time),
            description: self.description,
            options: Some(options.told()),
            package: self.package,
            new_package: self.new_package,
            no_package: self.no_package,
            allow_superseded: self.allow_superseded,
            split: self.split,
            preview: self.preview,
            disabled: self.disabled,
        })
    }
}

#[derive(Args, Debug)]
pub(crate) struct Alter {
    id: String,
    #[arg(long)]
    name: Option<String>,
    #[arg(long)]
    description: Option<String>,
    /// Whose computers
    #[arg(long, value_name = "CODE")]
    collection: Option<String>,
    /// A time in RFC 3339, or how long from now, as in 2h
    #[arg(long, value_name = "TIME")]
    available: Option<String>,
    /// Likewise
    #[arg(long, value_name = "TIME")]
    deadline: Option<String>,
    #[command(flatten)]
    options: Options,
}

impl Alter {
    fn request(self, desk: &Desk) -> Result<pb::ChangeDeploymentRequest, Failure> {
        let Alter { id, name, description, collection, available, deadline, options } = self;
        Ok(pb::ChangeDeploymentRequest {
            id,
            name,
            description,
            collection,
            available_at: options.time(desk, "--available", available)?.map(wire_time),
            deadline: options.time(desk, "--deadline", deadline)?.map(wire_time),
            options: Some(options.told()),
        })
    }
}

impl Deployment {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Deployment::Create(create) => desk.show(create.request(desk)?).await,
            Deployment::List { all } => desk.show(pb::ListDeploymentsRequest { all }).await,
            Deployment::Show { id } => desk.show(pb::GetDeploymentRequest { id }).await,
            Deployment::Change(alter) => desk.show(alter.request(desk)?).await,
            Deployment::Enable { id } => {
                desk.show(pb::SetDeploymentEnabledRequest { id, enabled: true }).await
            }
            Deployment::Disable { id } => {
                desk.show(pb::SetDeploymentEnabledRequest { id, enabled: false }).await
            }
            Deployment::Hold { id, reason } => {
                desk.show(pb::HoldDeploymentRequest { id, reason }).await
            }
            Deployment::Release { id } => desk.show(pb::ReleaseDeploymentRequest { id }).await,
            Deployment::Holds => desk.show(pb::ListHoldsRequest {}).await,
            Deployment::Delete { id } => desk.show(pb::DeleteDeploymentRequest { id }).await,
            Deployment::Limit { updates: None } => {
                desk.show(pb::GetDeploymentLimitsRequest {}).await
            }
            Deployment::Limit { updates: Some(updates_max) } => {
                desk.show(pb::SetDeploymentLimitsRequest { updates_max }).await
            }
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
