//! `tierline update`.

use clap::{Args, Subcommand};
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::desk::Desk;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// The updates of the catalog
    #[command(after_help = "Example:\n  \
        tierline update list --product Office --superseded=false -o csv")]
    List(Filter),
    /// One update with its files and relations
    #[command(after_help = "Example:\n  \
        tierline update show 01939c3e-7f00-7000-8000-000000000001")]
    Show { id: String },
}

#[derive(Args, Debug)]
pub(crate) struct Filter {
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
}

impl Verb {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Verb::Show { id } => desk.show("GetUpdate", &pb::GetUpdateRequest { id }).await,
            Verb::List(filter) => {
                let Filter { title, kb, classification, product, severity, superseded, expired } =
                    filter;
                let request = pb::ListUpdatesRequest {
                    title,
                    kb,
                    classification,
                    product,
                    severity,
                    superseded,
                    expired,
                };
                desk.show("ListUpdates", &request).await
            }
        }
    }
}
