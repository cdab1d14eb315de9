//! The bounds of this crate, each with its reason.

use std::time::Duration;

/// Files without a package live at least this long: longer than any transfer or restore of a
/// database takes to name them again.
pub(crate) const LEASE_MS: i64 = 24 * 60 * 60 * 1000;

/// How often files without a package are looked for.
pub(crate) const COLLECT_EVERY: Duration = Duration::from_secs(60 * 60);

/// Reports in one message to the parent site.
pub(crate) const REPORTS_MAX: usize = 256;

/// Status messages in one submission of a role.
pub(crate) const STATUS_MAX: usize = 1_000;

/// How often those below hear of files that arrive: each time they are told the whole state.
pub(crate) const ARRIVALS_EVERY: Duration = Duration::from_secs(1);

/// Wait after a failure of the parent site.
pub(crate) const RETRY_MIN: Duration = Duration::from_millis(500);
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(60);
