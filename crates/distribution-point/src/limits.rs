//! The bounds of this crate, each with its reason.

use std::time::Duration;

use sqlite_engine::spool;

/// Status messages that wait for the site server: weeks of them.
pub(crate) const SPOOL: spool::Limits = spool::Limits { entries_max: 100_000, bytes_max: 64 << 20 };

/// Status messages read from the spool at once.
pub(crate) const STATUS_BATCH: usize = 100;

/// Wait after a failure of the site server.
pub(crate) const RETRY_MIN: Duration = Duration::from_millis(500);
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(60);

/// How often content without a manifest is looked for.
pub(crate) const COLLECT_EVERY: Duration = Duration::from_secs(60 * 60);
