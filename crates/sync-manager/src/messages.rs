//! Status messages of synchronization: numbers, severities and insertion strings.
//!
//! | number | says | machine | strings |
//! | --- | --- | --- | --- |
//! | 6701 | started | update point | why, `full` or `delta`, source |
//! | 6702 | done | update point | catalog version, updates changed, time taken |
//! | 6703 | failed or cancelled | update point | cause |
//! | 6704 | the update point synchronizes | update point | progress, source |
//! | 6705 | its changes become items; top-level site only | update point | progress |
//! | 6706 | another update point of the site synchronizes | that point | source |
//!
//! The component is `SMS_WSUS_SYNC_MANAGER` (STAT-01 … STAT-06). The last message that names an
//! update point is its state in the hierarchy-wide view (SYNC-31).

use model::{Severity, SiteCode, StatusMessage, Timestamp};

pub(crate) const COMPONENT: &str = "SMS_WSUS_SYNC_MANAGER";

/// A status message before it has a place and a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: u32,
    /// The update point it speaks of.
    pub(crate) machine: String,
    pub(crate) strings: Vec<String>,
}

impl Message {
    pub(crate) fn new(id: u32, machine: &str, strings: Vec<String>) -> Message {
        Message { id, machine: machine.to_owned(), strings }
    }

    pub(crate) fn at(self, site: SiteCode, at: Timestamp) -> StatusMessage {
        let Message { id, machine, strings } = self;
        let severity = if id == 6703 { Severity::Error } else { Severity::Information };
        let machine = if machine.is_empty() { site.to_string() } else { machine };
        StatusMessage { id, severity, component: COMPONENT.to_owned(), site, machine, at, strings }
    }
}

/// The documented progress line (STAT-14).
pub(crate) fn progress_line(phase: &str, done: u64, total: u64, elapsed_ms: i64) -> String {
    let percent = (done * 100).checked_div(total).unwrap_or(100);
    let left = total.saturating_sub(done);
    let elapsed = u64::try_from(elapsed_ms).unwrap_or(0) / 1_000;
    let eta = elapsed.saturating_mul(left).checked_div(done).unwrap_or(0);
    let (hours, minutes, seconds) = (eta / 3_600, eta / 60 % 60, eta % 60);
    format!(
        "synchronizing {phase}, processed {done} out of {total} items ({percent}%), \
         ETA in {hours:02}:{minutes:02}:{seconds:02}"
    )
}

/// The documented form of how long it took: `0d00h03m53s`.
pub(crate) fn time_taken(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    format!("{days}d{hours:02}h{:02}m{:02}s", seconds / 60 % 60, seconds % 60)
}
