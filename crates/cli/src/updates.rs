//! `tierline sync`, `category` and `update`: which updates there are.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use model::{Sha256, Timestamp};
use rpc::convert::wire_time;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::arguments::{fingerprint, seconds, unreadable};
use crate::desk::Desk;
use crate::languages::Languages;
use crate::publishing::Publishing;
use crate::update_list::UpdateList;
use crate::upkeep::{Classifications, Cleanup, Decline, Products, Reinstate};
use crate::waiting::{Events, Look, wait};

#[derive(Debug, Subcommand)]
pub(crate) enum Sync {
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
    /// Companies, families and products whose updates are wanted
    #[command(subcommand)]
    Products(Products),
    /// Classifications whose updates are wanted
    #[command(subcommand)]
    Classifications(Classifications),
    /// When superseded updates expire
    #[command(subcommand)]
    Supersedence(Supersedence),
    /// The deletion of expired updates
    #[command(subcommand)]
    Cleanup(Cleanup),
    /// Of texts, and of files at each update point
    #[command(subcommand)]
    Languages(Languages),
    /// The update server outside the hierarchy
    #[command(subcommand)]
    Source(Source),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Supersedence {
    #[command(after_help = "Example:\n  tierline sync supersedence show")]
    Show,
    /// Sets it; at the top-level site. What is not named never expires
    #[command(after_help = "Example:\n  \
        tierline sync supersedence set --months 3 --feature-months 12")]
    Set {
        /// Months after the creation of the update that superseded it; 0: at once
        #[arg(long)]
        months: Option<u32>,
        /// The same for feature updates (Upgrades)
        #[arg(long)]
        feature_months: Option<u32>,
    },
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
        #[arg(long, value_parser = seconds, value_name = "TIME")]
        #[arg(required_unless_present_any = ["never", "at"])]
        every: Option<u64>,
        /// The first time [default: now]
        #[arg(long, value_name = "TIME", requires = "every")]
        start: Option<Timestamp>,
        /// Minute, hour, day, month and weekday as in cron, and perhaps days after it and a zone,
        /// as in "0 2 * * TUE#2 plus 3 days in Europe/Berlin"
        #[arg(long, value_name = "RECURRENCE", conflicts_with = "every")]
        at: Option<String>,
        /// Only by hand
        #[arg(long, conflicts_with_all = ["every", "at"])]
        never: bool,
        /// Shows when it would be, and changes nothing
        #[arg(long)]
        preview: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Source {
    #[command(after_help = "Example:\n  tierline sync source show")]
    Show,
    /// Sets it; at the top-level site. "" leaves imports only
    #[command(after_help = "Example:\n  \
        tierline sync source set https://wsus.example:8531 --root ca.pem")]
    Set {
        url: String,
        /// Believes an https server whose certificate one of these issued [default: the roots the
        /// update point has]
        #[arg(long, value_name = "FILE")]
        root: Option<PathBuf>,
        /// Believes an https server with this certificate, or one that it issued: its SHA-256
        #[arg(long, value_name = "FINGERPRINT", conflicts_with = "root")]
        #[arg(value_parser = fingerprint)]
        pin: Option<Sha256>,
    },
}

impl Sync {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Sync::Run { full, wait: false } => desk.show(pb::StartSyncRequest { full }).await,
            Sync::Run { full, wait: true } => run_and_wait(desk, full).await,
            Sync::Status => desk.show(pb::GetSyncStatusRequest {}).await,
            Sync::History { limit } => desk.show(pb::ListSyncRunsRequest { limit }).await,
            Sync::Cancel => desk.show(pb::CancelSyncRequest {}).await,
            Sync::Schedule(Schedule::Show) => desk.show(pb::GetSyncScheduleRequest {}).await,
            Sync::Schedule(Schedule::Set { every, start, at, never: _, preview }) => {
                let (start, every_seconds) = (start.map(wire_time), every.unwrap_or(0));
                let recurrence = at.unwrap_or_default();
                let asked =
                    pb::SetSyncScheduleRequest { start, every_seconds, recurrence, preview };
                desk.show(asked).await
            }
            Sync::Supersedence(Supersedence::Show) => {
                desk.show(pb::GetSupersedenceRuleRequest {}).await
            }
            Sync::Supersedence(Supersedence::Set { months, feature_months }) => {
                let rule = Some(pb::SupersedenceRule { months, feature_months });
                desk.show(pb::SetSupersedenceRuleRequest { rule }).await
            }
            Sync::Source(Source::Show) => desk.show(pb::GetSyncSourceRequest {}).await,
            Sync::Source(Source::Set { url, root, pin }) => {
                let read = |path: PathBuf| {
                    let text = std::fs::read_to_string(&path);
                    text.map_err(|error| unreadable(&error, path.display().to_string()))
                };
                let roots = root.map(read).transpose()?.unwrap_or_default();
                let pin = pin.map(|pin| pin.to_string()).unwrap_or_default();
                desk.show(pb::SetSyncSourceRequest { url, pin, roots }).await
            }
            Sync::Languages(languages) => languages.run(desk).await,
            Sync::Products(products) => products.run(desk).await,
            Sync::Classifications(classifications) => classifications.run(desk).await,
            Sync::Cleanup(cleanup) => cleanup.run(desk).await,
        }
    }
}

async fn run_and_wait(desk: &Desk, full: bool) -> Outcome {
    let started = desk.call(&pb::StartSyncRequest { full }).await?;
    let after = started.read::<pb::StartSyncResponse>().after;
    let look = |status: &pb::GetSyncStatusResponse| {
        let run = status.row.clone().unwrap_or_default();
        match run.number {
            number if number <= after => Look::Going("it begins".to_owned()),
            _ if run.ended_at.is_some() => Look::Done,
            _ => Look::Going(format!("{} {} {}/{}", run.step, run.phase, run.done, run.total)),
        }
    };
    let ended = wait(desk, Events::Texts, &pb::GetSyncStatusRequest {}, look).await?;
    let succeeded = ended.row.is_some_and(|run| run.step == "succeeded");
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Debug, Subcommand)]
pub(crate) enum Category {
    /// Companies, families, products and classifications of the catalog
    #[command(after_help = "Example:\n  tierline category list --type product")]
    List {
        #[arg(long = "type", value_parser = ["", "product", "classification", "company", "family"],
            default_value = "", hide_default_value = true, hide_possible_values = true,
            help = "product, classification, company or family")]
        kind: String,
    },
    /// Synchronizes updates of these products and classifications; at the top-level site
    #[command(after_help = "Example:\n  tierline category subscribe Office Updates")]
    Subscribe {
        /// Ids or titles
        #[arg(required = true)]
        categories: Vec<String>,
    },
    /// Does not ask for updates of these any more; what is here stays
    #[command(after_help = "Example:\n  tierline category unsubscribe Office")]
    Unsubscribe {
        /// Ids or titles
        #[arg(required = true)]
        categories: Vec<String>,
    },
}

impl Category {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Category::List { kind } => desk.show(pb::ListCategoriesRequest { r#type: kind }).await,
            Category::Subscribe { categories } => {
                let r#type = String::new();
                desk.show(pb::SetSubscriptionRequest { categories, subscribed: true, r#type }).await
            }
            Category::Unsubscribe { categories } => {
                let r#type = String::new();
                desk.show(pb::SetSubscriptionRequest { categories, subscribed: false, r#type })
                    .await
            }
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Update {
    List(UpdateList),
    Decline(Decline),
    Reinstate(Reinstate),
    #[command(flatten)]
    Publishing(Publishing),
    /// One update with its files and relations
    #[command(after_help = "Example:\n  \
        tierline update show 01939c3e-7f00-7000-8000-000000000001")]
    Show {
        id: String,
    },
}

impl Update {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Update::Show { id } => desk.show(pb::GetUpdateRequest { id }).await,
            Update::Decline(decline) => decline.run(desk).await,
            Update::Reinstate(reinstate) => reinstate.run(desk).await,
            Update::Publishing(publishing) => publishing.run(desk).await,
            Update::List(list) => list.run(desk).await,
        }
    }
}
