//! `tierline deployment`.

use std::process::ExitCode;

use clap::Subcommand;
use model::Timestamp;
use rpc::convert::wire_time;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::arguments::duration;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::output::Part;
use crate::waiting::{Look, wait};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
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

impl Verb {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        let set_enabled = async |id, enabled| {
            let request = pb::SetDeploymentEnabledRequest { id, enabled };
            desk.show("SetDeploymentEnabled", &request).await
        };
        match self {
            Verb::Create { name, group, collection, intent, available, deadline } => {
                let now = Timestamp(desk.ambient.now_ms());
                let moment = |text: Option<String>, option| {
                    text.map(|text| moment(&text, now, option)).transpose()
                };
                let available_at = moment(available, "--available")?.map(wire_time);
                let deadline = moment(deadline, "--deadline")?.map(wire_time);
                let request = pb::CreateDeploymentRequest {
                    name,
                    group,
                    collection,
                    intent,
                    available_at,
                    deadline,
                };
                desk.show("CreateDeployment", &request).await
            }
            Verb::List => desk.show("ListDeployments", &pb::ListDeploymentsRequest {}).await,
            Verb::Show { id } => desk.show("GetDeployment", &pb::GetDeploymentRequest { id }).await,
            Verb::Enable { id } => set_enabled(id, true).await,
            Verb::Disable { id } => set_enabled(id, false).await,
            Verb::Delete { id } => {
                desk.show("DeleteDeployment", &pb::DeleteDeploymentRequest { id }).await
            }
            Verb::Status { id, wait } => status(desk, id, wait).await,
        }
    }
}

async fn status(desk: &Desk, id: String, is_waiting: bool) -> Outcome {
    let (method, request) = ("GetDeploymentCompliance", pb::GetDeploymentComplianceRequest { id });
    if !is_waiting {
        return desk.show(method, &request).await;
    }
    let look = |status: &pb::GetDeploymentComplianceResponse| match &status.row {
        Some(row) if row.in_progress + row.unknown > 0 => {
            Look::Going(format!("{} of {} comply", row.compliant, row.targeted))
        }
        _ => Look::Done,
    };
    let answer = wait(desk, (method, &request), look).await?;
    desk.print(&answer, Part::Whole)?;
    let failed = answer.read::<pb::GetDeploymentComplianceResponse>().row;
    let failed = failed.is_some_and(|row| row.failed > 0);
    Ok(if failed { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

fn moment(text: &str, now: Timestamp, option: &str) -> Result<Timestamp, Failure> {
    if let Ok(ahead) = duration(text) {
        return Ok(now.plus_ms(i64::try_from(ahead.as_millis()).unwrap_or(i64::MAX)));
    }
    let remedy = "write 2026-11-20T08:00:00Z, or how long from now, as in 2h";
    text.parse().map_err(|error: model::Invalid| Failure::of(&error, option, remedy))
}
