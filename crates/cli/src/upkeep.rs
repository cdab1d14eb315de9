//! `tierline sync products`, `classifications` and `cleanup`, `tierline update decline` and
//! `reinstate`: what is wanted of the catalog, and what is not any more.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::desk::{Answer, Desk};
use crate::output::Part;
use crate::waiting::{Events, Look, wait};

/// Companies, families and products together, as the service calls them.
const PRODUCTS: &str = "products";
const CLASSIFICATION: &str = "classification";

#[derive(Debug, Subcommand)]
pub(crate) enum Products {
    /// Companies with their families and products, what is subscribed, and what is new
    #[command(after_help = "Example:\n  tierline sync products list")]
    List,
    /// Synchronizes updates of these; at the top-level site. A family stands for all its products,
    /// also for those that come later
    #[command(after_help = "Example:\n  tierline sync products subscribe Office")]
    Subscribe {
        /// Ids, titles or paths such as "Microsoft > Office > Office 2019"
        #[arg(required = true)]
        products: Vec<String>,
    },
    /// Does not ask for updates of these any more; what is here stays
    #[command(after_help = "Example:\n  tierline sync products unsubscribe Office")]
    Unsubscribe {
        /// Ids, titles or paths
        #[arg(required = true)]
        products: Vec<String>,
    },
    /// Shows products and classifications of today as new no more; at the top-level site
    #[command(after_help = "Example:\n  tierline sync products seen")]
    Seen,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Classifications {
    /// The classifications, what is subscribed, and what is new
    #[command(after_help = "Example:\n  tierline sync classifications list")]
    List,
    /// Synchronizes updates of these; at the top-level site
    #[command(after_help = "Example:\n  tierline sync classifications subscribe Updates")]
    Subscribe {
        /// Ids or titles
        #[arg(required = true)]
        classifications: Vec<String>,
    },
    /// Does not ask for updates of these any more; what is here stays
    #[command(after_help = "Example:\n  tierline sync classifications unsubscribe Updates")]
    Unsubscribe {
        /// Ids or titles
        #[arg(required = true)]
        classifications: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Cleanup {
    /// The cleanup under way or the last one, the next one, and after how long
    #[command(after_help = "Example:\n  tierline sync cleanup show")]
    Show,
    /// Deletes now the expired updates that are old enough and in no group; at the top-level site
    #[command(after_help = "Example:\n  tierline sync cleanup run")]
    Run {
        /// Waits until it has ended
        #[arg(long)]
        wait: bool,
    },
    /// Sets after how many days an expired update without use is deleted; at the top-level site
    #[command(after_help = "Example:\n  tierline sync cleanup set --age-days 30")]
    Set {
        #[arg(long, value_name = "DAYS")]
        age_days: u32,
    },
}

/// Offers updates to nobody any more; at the top-level site. They stay in every catalog
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  tierline update decline --superseded --expired")]
pub(crate) struct Decline {
    /// Updates by id
    ids: Vec<String>,
    /// All that another update supersedes
    #[arg(long)]
    superseded: bool,
    /// All that are expired
    #[arg(long)]
    expired: bool,
}

/// Offers declined updates again; at the top-level site
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  \
    tierline update reinstate 01939c3e-7f00-7000-8000-000000000001")]
pub(crate) struct Reinstate {
    /// Updates by id
    #[arg(required = true)]
    ids: Vec<String>,
}

impl Products {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Products::List => list(desk, PRODUCTS).await,
            Products::Subscribe { products } => subscribe(desk, PRODUCTS, products).await,
            Products::Unsubscribe { products } => unsubscribe(desk, PRODUCTS, products).await,
            Products::Seen => desk.show(pb::AcknowledgeCategoriesRequest {}).await,
        }
    }
}

impl Classifications {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Classifications::List => list(desk, CLASSIFICATION).await,
            Classifications::Subscribe { classifications } => {
                subscribe(desk, CLASSIFICATION, classifications).await
            }
            Classifications::Unsubscribe { classifications } => {
                unsubscribe(desk, CLASSIFICATION, classifications).await
            }
        }
    }
}

async fn list(desk: &Desk, kind: &str) -> Outcome {
    desk.show(pb::ListCategoriesRequest { r#type: kind.to_owned() }).await
}

async fn subscribe(desk: &Desk, kind: &str, categories: Vec<String>) -> Outcome {
    let r#type = kind.to_owned();
    desk.show(pb::SetSubscriptionRequest { categories, subscribed: true, r#type }).await
}

async fn unsubscribe(desk: &Desk, kind: &str, categories: Vec<String>) -> Outcome {
    let r#type = kind.to_owned();
    desk.show(pb::SetSubscriptionRequest { categories, subscribed: false, r#type }).await
}

impl Cleanup {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Cleanup::Show => desk.show(pb::GetCleanupRequest {}).await,
            Cleanup::Run { wait: false } => desk.show(pb::RunCleanupRequest {}).await,
            Cleanup::Run { wait: true } => run_and_wait(desk).await,
            Cleanup::Set { age_days } => desk.show(pb::SetCleanupRequest { age_days }).await,
        }
    }
}

async fn run_and_wait(desk: &Desk) -> Outcome {
    let started = desk.call(&pb::RunCleanupRequest {}).await?;
    let after = started.read::<pb::RunCleanupResponse>().after;
    let look = |answer: &pb::GetCleanupResponse| {
        let run = answer.row.clone().unwrap_or_default();
        match run.number {
            number if number <= after => Look::Going("it begins".to_owned()),
            _ if run.ended_at.is_some() => Look::Done,
            _ => Look::Going(format!("{} of {} updates", run.done, run.total)),
        }
    };
    wait(desk, Events::Texts, &pb::GetCleanupRequest {}, look).await?;
    Ok(ExitCode::SUCCESS)
}

impl Decline {
    /// Call by call, until nothing is left; the sum is printed.
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        let Decline { ids, superseded, expired } = self;
        let request = pb::DeclineUpdatesRequest { ids, superseded, expired };
        let (mut sum, mut groups) = (pb::DeclineUpdatesResponse::default(), BTreeSet::new());
        loop {
            let answer = desk.call(&request).await?.read::<pb::DeclineUpdatesResponse>();
            if sum.declined == 0 {
                // With later calls, what was declined before counts again.
                sum.unchanged = answer.unchanged;
            }
            sum.declined += answer.declined;
            sum.kept = answer.kept;
            groups.extend(answer.groups);
            if answer.left == 0 || answer.declined == 0 {
                sum.left = answer.left;
                break;
            }
        }
        sum.groups = groups.into_iter().collect();
        desk.print(&Answer::of(&sum), Part::Whole)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Reinstate {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        desk.show(pb::ReinstateUpdatesRequest { ids: self.ids }).await
    }
}
