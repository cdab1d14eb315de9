//! `tierline sync`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use model::Timestamp;
use rpc::convert::wire_time;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::arguments::duration;
use crate::desk::Desk;
use crate::output::Part;
use crate::waiting::{Look, wait};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Starts a synchronization; at the top-level site
    #[command(after_help = "Example:\n  tierline sync run --full")]
    Run {
        /// Everything anew rather than what changed
        #[arg(long)]
        full: bool,
        /// Waits until it has ended; fails if it failed
        #[arg(long)]
        wait: bool,
    },
    /// The synchronization under way or the last one, and every update point of the hierarchy
    #[command(after_help = "Example:\n  tierline sync status -o json")]
    Status,
    /// Synchronizations of the server's site, newest first
    #[command(after_help = "Example:\n  tierline sync history --limit 5")]
    History {
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Ends the synchronization under way
    #[command(after_help = "Example:\n  tierline sync cancel")]
    Cancel,
    /// When synchronizations start by themselves
    #[command(subcommand)]
    Schedule(Schedule),
    /// The update server outside the hierarchy
    #[command(subcommand)]
    Source(Source),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Schedule {
    #[command(after_help = "Example:\n  tierline sync schedule show")]
    Show,
    /// Sets it; at the top-level site
    #[command(after_help = "Example:\n  \
        tierline sync schedule set --every 1d --start 2027-01-01T02:00:00Z")]
    Set {
        /// How often, as in 12h or 7d
        #[arg(long, value_parser = duration, value_name = "TIME")]
        #[arg(required_unless_present = "never")]
        every: Option<Duration>,
        /// The first time [default: now]
        #[arg(long, value_name = "TIME")]
        start: Option<Timestamp>,
        /// Only by hand
        #[arg(long, conflicts_with = "every")]
        never: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Source {
    #[command(after_help = "Example:\n  tierline sync source show")]
    Show,
    /// Sets it; at the top-level site. "" leaves imports only
    #[command(after_help = "Example:\n  tierline sync source set http://upstream.example:8530")]
    Set { url: String },
}

impl Verb {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Verb::Run { full, wait } => run(desk, full, wait).await,
            Verb::Status => desk.show("GetSyncStatus", &pb::GetSyncStatusRequest {}).await,
            Verb::History { limit } => {
                desk.show("ListSyncRuns", &pb::ListSyncRunsRequest { limit }).await
            }
            Verb::Cancel => desk.show("CancelSync", &pb::CancelSyncRequest {}).await,
            Verb::Schedule(Schedule::Show) => {
                desk.show("GetSyncSchedule", &pb::GetSyncScheduleRequest {}).await
            }
            Verb::Schedule(Schedule::Set { every, start, never: _ }) => {
                let every_seconds = every.map_or(0, |every| every.as_secs());
                let start = start.map(wire_time);
                let request = pb::SetSyncScheduleRequest { start, every_seconds };
                desk.show("SetSyncSchedule", &request).await
            }
            Verb::Source(Source::Show) => {
                desk.show("GetSyncSource", &pb::GetSyncSourceRequest {}).await
            }
            Verb::Source(Source::Set { url }) => {
                desk.show("SetSyncSource", &pb::SetSyncSourceRequest { url }).await
            }
        }
    }
}

async fn run(desk: &Desk, full: bool, waits: bool) -> Outcome {
    let started = desk.call("StartSync", &pb::StartSyncRequest { full }).await?;
    if !waits {
        desk.print(&started, Part::Whole)?;
        return Ok(ExitCode::SUCCESS);
    }
    let after = started.read::<pb::StartSyncResponse>().after;
    let look = |status: &pb::GetSyncStatusResponse| {
        let run = status.row.clone().unwrap_or_default();
        match run.number {
            number if number <= after => Look::Going("it begins".to_owned()),
            _ if run.ended_at.is_some() => Look::Done,
            _ => Look::Going(format!("{} {} {}/{}", run.step, run.phase, run.done, run.total)),
        }
    };
    let status = ("GetSyncStatus", &pb::GetSyncStatusRequest {});
    let ended = wait(desk, status, look).await?;
    desk.print(&ended, Part::Whole)?;
    let run = ended.read::<pb::GetSyncStatusResponse>().row.unwrap_or_default();
    Ok(if run.step == "succeeded" { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
