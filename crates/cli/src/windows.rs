//! `tierline window` and `update-settings`: when clients may install, and how long that takes.

use clap::{Args, Subcommand};
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::desk::Desk;

#[derive(Debug, Subcommand)]
pub(crate) enum Window {
    /// The maintenance windows of all sites
    #[command(after_help = "Example:\n  tierline window list --collection PR100001")]
    List {
        /// Only those of a collection
        #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
        collection: String,
    },
    /// One window and its next five times
    #[command(after_help = "Example:\n  tierline window show PR100001")]
    Show { code: String },
    /// Makes a window for the members of a collection
    #[command(after_help = "Example:\n  tierline window create Nights PR100001 \
        --at \"0 22 * * TUE#2 plus 3 days in Europe/Berlin\" --minutes 240")]
    Create {
        name: String,
        collection: String,
        #[command(flatten)]
        shape: Shape,
        /// Also if an update that is deployed there never fits it
        #[arg(long)]
        force: bool,
        /// Shows when it would come, and makes nothing
        #[arg(long)]
        preview: bool,
    },
    /// Lets clients keep to a window again
    #[command(after_help = "Example:\n  tierline window enable PR100001")]
    Enable { code: String },
    /// Lets clients pass a window over
    #[command(after_help = "Example:\n  tierline window disable PR100001")]
    Disable { code: String },
    /// Deletes a window
    #[command(after_help = "Example:\n  tierline window delete PR100001")]
    Delete { code: String },
    /// When updates may be installed next; windows that overlap are one
    #[command(
        after_help = "Example:\n  tierline window next --collection PR100001 --minutes 120\n  \
        tierline window next --client 01939c3e-7f00-7000-8000-000000000001 --zone Europe/Berlin"
    )]
    Next(Next),
}

/// When a window is open.
#[derive(Args, Debug)]
pub(crate) struct Shape {
    /// When it begins, by each client's own clock unless a zone is named [default: Saturdays at
    /// 01:00]
    #[arg(long, value_name = "WHEN", default_value = "", hide_default_value = true)]
    at: String,
    /// For how long: 5 to 1440 [default: 180]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    minutes: u32,
    /// all, updates or task-sequences [default: all]
    #[arg(long, default_value = "", hide_default_value = true)]
    kind: String,
}

/// Whose windows, and which.
#[derive(Args, Debug)]
pub(crate) struct Next {
    /// Of a computer
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    #[arg(required_unless_present = "collection")]
    client: String,
    /// Of a collection
    #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
    #[arg(conflicts_with = "client")]
    collection: String,
    /// How many
    #[arg(long, default_value_t = 5)]
    limit: u32,
    /// Only those with room for so long
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    minutes: u32,
    /// Where the computer is, for windows that go by its clock [default: UTC]
    #[arg(long, default_value = "", hide_default_value = true)]
    zone: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UpdateSettings {
    /// What holds for updates; without ids, for all that were set
    #[command(after_help = "Example:\n  tierline update-settings show")]
    Show {
        /// Updates by id
        ids: Vec<String>,
    },
    /// Sets the run time and severity of updates; at the top-level site
    #[command(after_help = "Example:\n  tierline update-settings set \
        01939c3e-7f00-7000-8000-000000000001 --run-minutes 90 --severity critical")]
    Set {
        /// Updates by id
        #[arg(required = true)]
        ids: Vec<String>,
        /// How long an installation may take: 5 to 9999
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        run_minutes: u32,
        /// critical, important, moderate, low, or none for the publisher's
        #[arg(long, default_value = "", hide_default_value = true)]
        severity: String,
        /// Takes back what was set before
        #[arg(long)]
        reset: bool,
    },
}

impl Window {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Window::List { collection } => desk.show(pb::ListWindowsRequest { collection }).await,
            Window::Show { code } => desk.show(pb::GetWindowRequest { code }).await,
            Window::Create { name, collection, shape, force, preview } => {
                let Shape { at, minutes, kind } = shape;
                let request =
                    pb::CreateWindowRequest { name, collection, at, minutes, kind, force, preview };
                desk.show(request).await
            }
            Window::Enable { code } => {
                desk.show(pb::SetWindowEnabledRequest { code, enabled: true }).await
            }
            Window::Disable { code } => {
                desk.show(pb::SetWindowEnabledRequest { code, enabled: false }).await
            }
            Window::Delete { code } => desk.show(pb::DeleteWindowRequest { code }).await,
            Window::Next(Next { client, collection, limit, minutes, zone }) => {
                let request = pb::NextWindowsRequest { client, collection, limit, minutes, zone };
                desk.show(request).await
            }
        }
    }
}

impl UpdateSettings {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            UpdateSettings::Show { ids: updates } => {
                desk.show(pb::GetUpdateSettingsRequest { updates }).await
            }
            UpdateSettings::Set { ids: updates, run_minutes, severity, reset } => {
                let request =
                    pb::SetUpdateSettingsRequest { updates, run_minutes, severity, reset };
                desk.show(request).await
            }
        }
    }
}
