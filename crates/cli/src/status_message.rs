//! `tierline status-message`.

use clap::Subcommand;
use model::Timestamp;
use rpc::convert::wire_time;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::arguments::duration;
use crate::desk::Desk;
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// The newest status messages, oldest first
    #[command(after_help = "Example:\n  \
        tierline status-message list --severity error --since 2h --follow")]
    List {
        #[arg(long, default_value = "", hide_default_value = true)]
        component: String,
        #[arg(long, value_parser = ["", "information", "warning", "error", "audit"],
            default_value = "", hide_default_value = true, hide_possible_values = true,
            help = "information, warning, error or audit")]
        severity: String,
        /// A time in RFC 3339, or how long ago, as in 2h
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
        site: String,
        /// At most so many
        #[arg(long, default_value_t = 200)]
        limit: u32,
        /// Goes on as messages arrive
        #[arg(long)]
        follow: bool,
    },
}

impl Verb {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        let Verb::List { component, severity, since, site, limit, follow } = self;
        let now = Timestamp(desk.ambient.now_ms());
        let since = since.map(|text| moment(&text, now)).transpose()?.map(wire_time);
        let filter = pb::ListStatusMessagesRequest { component, severity, since, site, limit };
        if !follow {
            return desk.show("ListStatusMessages", &filter).await;
        }
        let request = pb::FollowStatusMessagesRequest { filter: Some(filter) };
        desk.follow("FollowStatusMessages", &request).await
    }
}

fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    if let Ok(ago) = duration(text) {
        let ms = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
        return Ok(now.plus_ms(ms.saturating_neg()));
    }
    let remedy = "write 2026-11-20T08:00:00Z, or how long ago, as in 2h";
    text.parse().map_err(|error: model::Invalid| Failure::of(&error, "--since", remedy))
}
