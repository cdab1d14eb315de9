//! The bounds of what a client does, each with its reason.

use std::time::Duration;

use model::ClientSettings;

pub(crate) const MINUTE_MS: i64 = 60 * 1000;
pub(crate) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;

/// Until policy says otherwise: the documented defaults.
pub const SETTINGS: ClientSettings = ClientSettings {
    policy_poll_ms: 60 * 60_000,
    state_batch_ms: 15 * 60_000,
    scan_interval_ms: 7 * 24 * 60 * 60_000,
    catalog_version: 0,
};

/// Bundles in bundles, prerequisites of prerequisites: real catalogs stay below ten, and each
/// level takes stack.
pub(crate) const NESTING_MAX: usize = 64;

/// Reports waiting for a management point. Beyond it one full report says the same.
pub(crate) const REPORTS_MAX: usize = 1_000;

/// No honest client comes as far, and what is added to it stays a number.
pub(crate) const SERIAL_MAX: u64 = 1 << 62;

/// Documents younger than this need not be refreshed for a scan that nobody asked for (SCAN-10).
pub(crate) const CATALOG_FRESH_MS: i64 = 24 * HOUR_MS;

/// Users' wishes for a scan are answered by one that is younger.
pub(crate) const SCAN_AGAIN_MS: i64 = MINUTE_MS;

/// A client says this often that it is there.
pub(crate) const REGISTER_EVERY_MS: i64 = 24 * HOUR_MS;

/// A client describes its computer so long after it said that it is there, which it does every day,
/// and after an installation.
pub(crate) const DESCRIBE_AFTER_MS: i64 = MINUTE_MS;

/// Waits after something could not be reached.
pub const RETRY_MIN: Duration = Duration::from_secs(5);
pub const RETRY_MAX: Duration = Duration::from_secs(15 * 60);

/// Refusals that wait to be told; all of them are in the history.
pub(crate) const REFUSALS_MAX: usize = 100;

/// A system that was told to restart, and has not after so long, is told again.
pub(crate) const RESTART_TAKES_MS: i64 = 10 * MINUTE_MS;

/// All clients of a site are woken at the same moment; they come within so long.
pub(crate) const WOKEN_WITHIN_MS: i64 = 2 * MINUTE_MS;

/// Files that are fetched before it is looked again what is most urgent.
pub(crate) const FETCH_FILES_MAX: usize = 8;

/// A user may set the time of an installation so long ahead; what is further away is a mistake.
pub(crate) const PLANNED_AHEAD_MS: i64 = 366 * DAY_MS;

/// An installer of an earlier life is waited for at least so long, and at most as long as one may
/// run (the default of a maximum run time).
pub(crate) const SETTLE_MIN_MS: i64 = MINUTE_MS;
pub(crate) const SETTLE_MAX_MS: i64 = HOUR_MS;

/// A write filter that did not open is not tried again before.
pub(crate) const FILTER_AGAIN_MS: i64 = DAY_MS;

/// What a site may say of how often its clients ask: no more than each second, policy and reports
/// at least each day, scans at least each year.
pub(crate) const ASK_MIN_MS: u64 = 1_000;
pub(crate) const POLL_MAX_MS: u64 = 24 * 60 * 60_000;
pub(crate) const ASK_MAX_MS: u64 = 365 * POLL_MAX_MS;

/// Larger numbers of a setting mean this one: each unit that they are in stays within milliseconds.
pub(crate) const NUMBER_MAX: i64 = 10_000_000;
