//! `tierline sync`, `category`, `update` and `catalog`: which updates there are.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use model::Timestamp;
use rpc::convert::wire_time;
use rpc::limits::IMPORT_PART_BYTES;
use rpc::pb::admin as pb;

use crate::arguments::{seconds, unreadable};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::waiting::{Events, Look, wait};
use crate::{Outcome, PARTLY};

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
    /// When superseded updates expire
    #[command(subcommand)]
    Supersedence(Supersedence),
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
        #[arg(required_unless_present = "never")]
        every: Option<u64>,
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

impl Sync {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Sync::Run { full, wait: false } => desk.show(pb::StartSyncRequest { full }).await,
            Sync::Run { full, wait: true } => run_and_wait(desk, full).await,
            Sync::Status => desk.show(pb::GetSyncStatusRequest {}).await,
            Sync::History { limit } => desk.show(pb::ListSyncRunsRequest { limit }).await,
            Sync::Cancel => desk.show(pb::CancelSyncRequest {}).await,
            Sync::Schedule(Schedule::Show) => desk.show(pb::GetSyncScheduleRequest {}).await,
            Sync::Schedule(Schedule::Set { every, start, never: _ }) => {
                let (start, every_seconds) = (start.map(wire_time), every.unwrap_or(0));
                desk.show(pb::SetSyncScheduleRequest { start, every_seconds }).await
            }
            Sync::Supersedence(Supersedence::Show) => {
                desk.show(pb::GetSupersedenceRuleRequest {}).await
            }
            Sync::Supersedence(Supersedence::Set { months, feature_months }) => {
                let rule = Some(pb::SupersedenceRule { months, feature_months });
                desk.show(pb::SetSupersedenceRuleRequest { rule }).await
            }
            Sync::Source(Source::Show) => desk.show(pb::GetSyncSourceRequest {}).await,
            Sync::Source(Source::Set { url }) => desk.show(pb::SetSyncSourceRequest { url }).await,
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
                desk.show(pb::SetSubscriptionRequest { categories, subscribed: true }).await
            }
            Category::Unsubscribe { categories } => {
                desk.show(pb::SetSubscriptionRequest { categories, subscribed: false }).await
            }
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Update {
    /// The updates of the catalog
    #[command(after_help = "Example:\n  \
        tierline update list --product Office --superseded=false -o csv")]
    List {
        /// Part of the title
        #[arg(long, default_value = "", hide_default_value = true)]
        title: String,
        /// With or without KB before it
        #[arg(long, default_value = "", hide_default_value = true)]
        kb: String,
        /// Id or title
        #[arg(long, default_value = "", hide_default_value = true)]
        classification: String,
        /// Id or title
        #[arg(long, default_value = "", hide_default_value = true)]
        product: String,
        #[arg(long, value_parser = ["", "low", "moderate", "important", "critical"],
            default_value = "", hide_default_value = true, hide_possible_values = true,
            help = "low, moderate, important or critical")]
        severity: String,
        /// Only updates that are superseded, or with =false only those that are not
        #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true",
            value_name = "BOOL")]
        superseded: Option<bool>,
        /// Only updates that are expired, or with =false only those that are not
        #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true",
            value_name = "BOOL")]
        expired: Option<bool>,
    },
    /// One update with its files and relations
    #[command(after_help = "Example:\n  \
        tierline update show 01939c3e-7f00-7000-8000-000000000001")]
    Show { id: String },
}

impl Update {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Update::Show { id } => desk.show(pb::GetUpdateRequest { id }).await,
            Update::List { title, kb, classification, product, severity, superseded, expired } => {
                let request = pb::ListUpdatesRequest {
                    title,
                    kb,
                    classification,
                    product,
                    severity,
                    superseded,
                    expired,
                };
                desk.show(request).await
            }
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Catalog {
    /// Hands catalog files (SDP, or SCUP as cab, zip or xml) to the first update point of the
    /// top-level site; the next synchronization brings their updates
    #[command(after_help = "Example:\n  tierline catalog import VendorCatalog.cab")]
    Import {
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

impl Catalog {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        let Catalog::Import { files } = self;
        let (mut taken, mut left_out) = (0, 0);
        for path in &files {
            let report = import(desk, path).await?;
            taken += usize::from(report.refused.is_empty());
            left_out += usize::from(!report.refused.is_empty()) + report.rejected.len();
        }
        Ok(match (taken, left_out) {
            (_, 0) => ExitCode::SUCCESS,
            (0, _) => ExitCode::FAILURE,
            _ => ExitCode::from(PARTLY),
        })
    }
}

/// Sends a file in parts, waits for what became of it and prints that.
async fn import(desk: &Desk, path: &Path) -> Result<pb::GetCatalogImportResponse, Failure> {
    let failed = |error| unreadable(&error, path.display().to_string());
    let mut file = File::open(path).map_err(failed)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (mut id, mut part) = (0, 0);
    let mut data = read_part(&mut file).map_err(failed)?;
    loop {
        let next = read_part(&mut file).map_err(failed)?;
        let last = next.is_empty();
        let request = pb::ImportCatalogRequest { id, name: name.clone(), part, data, last };
        let answer = desk.call(&request).await?;
        id = answer.read::<pb::ImportCatalogResponse>().id;
        if last {
            break;
        }
        (data, part) = (next, part + 1);
    }
    let look = |import: &pb::GetCatalogImportResponse| match import.done {
        true => Look::Done,
        false => Look::Going(format!("{name} is with the update point")),
    };
    wait(desk, Events::Texts, &pb::GetCatalogImportRequest { id }, look).await
}

fn read_part(file: &mut File) -> std::io::Result<Vec<u8>> {
    let mut data = Vec::new();
    file.take(IMPORT_PART_BYTES as u64).read_to_end(&mut data)?;
    Ok(data)
}
