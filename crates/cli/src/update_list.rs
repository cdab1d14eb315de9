//! `tierline update list`: which updates are meant.

use clap::Args;
use rpc::convert::wire_time;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::arguments::{Toward, moment};
use crate::desk::Desk;
use crate::failure::Failure;

/// The updates of the catalog
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  \
    tierline update list --where \"required > 50 and not deployed\" -o csv")]
pub(crate) struct UpdateList {
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
    /// Only updates that are declined, or with =false only those that are not
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true",
        value_name = "BOOL")]
    declined: Option<bool>,
    /// Only updates that are deployed, or with =false only those that are not
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true",
        value_name = "BOOL")]
    deployed: Option<bool>,
    /// Only updates that so many computers or more require
    #[arg(long, value_name = "COMPUTERS", default_value_t = 0, hide_default_value = true)]
    required_min: u64,
    /// Only updates released since then: a time in RFC 3339, or how long ago, as in 30d
    #[arg(long, value_name = "TIME")]
    released_after: Option<String>,
    /// A query, as in: required > 50 and not deployed and product like "%Server%"
    #[arg(long = "where", value_name = "QUERY", default_value = "", hide_default_value = true)]
    query: String,
    /// What a rule or a saved template takes: its filter is the query
    #[arg(long, value_name = "CODE", conflicts_with = "query")]
    saved: Option<String>,
    /// Critical and security updates of the last 30 days
    #[arg(long, conflicts_with_all = ["query", "saved"])]
    recent: bool,
}

/// What the lists of other consoles begin with.
const RECENT: &str =
    "released > 30d and classification in (\"Critical Updates\", \"Security Updates\")";

impl UpdateList {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        let query = match self.saved {
            Some(code) => saved(desk, code).await?,
            None if self.recent => RECENT.to_owned(),
            None => self.query,
        };
        let after = moment(desk, Toward::Past, "--released-after", self.released_after)?;
        let request = pb::ListUpdatesRequest {
            title: self.title,
            kb: self.kb,
            classification: self.classification,
            product: self.product,
            severity: self.severity,
            superseded: self.superseded,
            expired: self.expired,
            declined: self.declined,
            r#where: query,
            required_min: self.required_min,
            deployed: self.deployed,
            released_after: after.map(wire_time),
        };
        desk.show(request).await
    }
}

/// The filter that somebody saved with a rule or a template.
async fn saved(desk: &Desk, code: String) -> Result<String, Failure> {
    let answer = desk.call(&pb::GetRuleRequest { code }).await?;
    let order = answer.read::<pb::GetRuleResponse>().order.unwrap_or_default();
    Ok(order.filter.unwrap_or_default())
}
