//! The bounds of this crate, each with its reason.

use std::time::Duration;

use model::ClientSettings;

const MINUTE_MS: u64 = 60 * 1000;

/// Until policy says otherwise: the documented defaults.
pub(crate) const SETTINGS: ClientSettings = ClientSettings {
    policy_poll_ms: 60 * MINUTE_MS,
    state_batch_ms: 15 * MINUTE_MS,
    scan_interval_ms: 7 * 24 * 60 * MINUTE_MS,
    catalog_version: 0,
};

/// Bundles in bundles, prerequisites of prerequisites: real catalogs stay below ten, and each
/// level takes stack.
pub(crate) const NESTING_MAX: usize = 64;

/// Reports waiting for a management point. Beyond it one full report says the same.
pub(crate) const REPORTS_MAX: u64 = 1_000;

/// A server that answers nothing for so long, or whose stream brings nothing, is given up; servers
/// answer from a cache or a database, and streams go on where they were.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(60);

/// An installer that runs longer is ended (the documented default of a maximum run time).
pub(crate) const INSTALL_MAX: Duration = Duration::from_secs(60 * 60);

/// Documents younger than this need not be refreshed for a scan that nobody asked for (SCAN-10).
pub(crate) const CATALOG_FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// A client says this often that it is there.
pub(crate) const REGISTER_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Waits after something could not be reached.
pub(crate) const RETRY_MIN: Duration = Duration::from_secs(5);
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(15 * 60);

/// Wall time may jump; deadlines are looked at no more seldom than this.
pub(crate) const SLEEP_MAX: Duration = Duration::from_secs(60);

/// Connections kept open. A client talks to a handful of servers; locations could name any number.
pub(crate) const CONNECTIONS_MAX: usize = 32;

/// Distribution points of one file that are remembered until the next attempt; more boundary groups
/// than that lead nowhere better.
pub(crate) const POINTS_MAX: usize = 64;

/// A client keeps to the software update point it knows for so many minutes, even if others could
/// be tried sooner: another one sends all documents again (BG-06).
pub(crate) const UPDATE_POINT_KEPT_MINUTES: u32 = 120;

/// Refusals kept for the summary; all of them are in the log.
pub(crate) const REFUSALS_MAX: usize = 100;

/// A larger file that a rule asks the digest of stays unknown: hashing would stop everything else.
pub(crate) const HASHED_BYTES_MAX: u64 = 1 << 30;

/// Documents sent at once: ten times the largest real catalog. An endless stream is not taken.
pub(crate) const CATALOG_BYTES_MAX: usize = 16 << 30;
