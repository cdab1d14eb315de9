//! `tierline phased`: one update group, one collection after another.

use clap::Subcommand;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::desk::Desk;

#[derive(Debug, Subcommand)]
pub(crate) enum Phased {
    /// Makes a phased deployment; its first phase starts at once
    #[command(after_help = "Example:\n  tierline phased create May-2026 --group CAS00001 \
        --phase CAS00002,name=Pilots,success=90%,after=2 \
        --phase SMS00001,gradual=5,deadline=7 --pause-above 10")]
    Create {
        name: String,
        #[arg(long, value_name = "CODE")]
        group: String,
        /// A phase, in their order: COLLECTION[,name=TEXT][,success=95%|success=20][,after=DAYS|
        /// next=manual][,gradual=DAYS][,deadline=DAYS|deadline=asap]
        #[arg(long = "phase", value_name = "PHASE", required = true, value_parser = phase)]
        phases: Vec<pb::PhaseOrder>,
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        description: String,
        /// Pauses by itself when more computers of a phase failed, in percent [default: never]
        #[arg(long, value_name = "PERCENT")]
        pause_above: Option<u32>,
        /// A rule or saved template whose first deployment lends its options
        #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
        template: String,
        /// Shows the phases and makes nothing
        #[arg(long)]
        preview: bool,
    },
    /// The phased deployments of all sites
    #[command(after_help = "Example:\n  tierline phased list")]
    List,
    /// One, its phases and how far they are
    #[command(after_help = "Example:\n  tierline phased show CAS00001")]
    Show { code: String },
    /// Changes what has not started yet
    #[command(after_help = "Example:\n  tierline phased change CAS00001 \
        --phase CAS00003,after=3 --phase SMS00001")]
    Change {
        code: String,
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        name: String,
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// The phases that have not started, all of them, as they shall be
        #[arg(long = "phase", value_name = "PHASE", value_parser = phase)]
        phases: Vec<pb::PhaseOrder>,
        /// 100: never
        #[arg(long, value_name = "PERCENT")]
        pause_above: Option<u32>,
    },
    /// Stops it where it is; what computers were told stays
    #[command(after_help = "Example:\n  tierline phased pause CAS00001 --reason \"printers fail\"")]
    Pause {
        code: String,
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        reason: String,
    },
    /// Lets it go on
    #[command(after_help = "Example:\n  tierline phased resume CAS00001")]
    Resume { code: String },
    /// Starts the next phase now
    #[command(after_help = "Example:\n  tierline phased next CAS00001")]
    Next { code: String },
    /// Deletes it; the deployments of its phases stay
    #[command(after_help = "Example:\n  tierline phased delete CAS00001")]
    Delete {
        code: String,
        /// Deletes the deployments of its phases, too
        #[arg(long)]
        deployments: bool,
    },
}

impl Phased {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Phased::Create { name, group, phases, description, pause_above, template, preview } => {
                let request = pb::CreatePhasedRequest {
                    name,
                    description,
                    group,
                    phases,
                    pause_above,
                    template,
                    preview,
                };
                desk.show(request).await
            }
            Phased::List => desk.show(pb::ListPhasedRequest {}).await,
            Phased::Show { code } => desk.show(pb::GetPhasedRequest { code }).await,
            Phased::Change { code, name, description, phases, pause_above } => {
                let request =
                    pb::ChangePhasedRequest { code, name, description, phases, pause_above };
                desk.show(request).await
            }
            Phased::Pause { code, reason } => {
                desk.show(pb::PausePhasedRequest { code, reason }).await
            }
            Phased::Resume { code } => desk.show(pb::ResumePhasedRequest { code }).await,
            Phased::Next { code } => desk.show(pb::StartNextPhaseRequest { code }).await,
            Phased::Delete { code, deployments } => {
                desk.show(pb::DeletePhasedRequest { code, deployments }).await
            }
        }
    }
}

/// `COLLECTION,name=value,...`
fn phase(text: &str) -> Result<pb::PhaseOrder, String> {
    let mut parts = text.split(',');
    let collection = parts.next().unwrap_or_default().to_owned();
    let mut order = pb::PhaseOrder { collection, ..Default::default() };
    for part in parts {
        let (name, value) = part.split_once('=').ok_or_else(|| {
            format!("\"{part}\" is not such as after=2; what may stand here: see --help")
        })?;
        let number = |value: &str| -> Result<u32, String> {
            value.parse().map_err(|_| format!("{name}: \"{value}\" is not a number"))
        };
        match (name, value) {
            ("name", _) => value.clone_into(&mut order.name),
            ("success", _) => match value.strip_suffix('%') {
                Some(percent) => order.success_percent = Some(number(percent)?),
                None => order.success_count = Some(number(value)?),
            },
            ("after", _) => order.after_days = Some(number(value)?),
            ("next", "manual") => order.manual = true,
            ("gradual", _) => order.gradual_days = number(value)?,
            ("deadline", "asap") => order.deadline_days = Some(0),
            ("deadline", _) => order.deadline_days = Some(number(value)?),
            _ => return Err(format!("\"{part}\" is not known; see --help")),
        }
    }
    Ok(order)
}

#[cfg(test)]
mod tests;
