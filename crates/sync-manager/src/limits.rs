//! The bounds of this crate, each with its reason.

use std::time::Duration;

/// How long an order waits for its update point: longer than a restart of it takes.
pub(crate) const CONNECT_WAIT: Duration = Duration::from_secs(120);

/// Orders on their way to one update point; there is one synchronization, one download and their
/// cancellation at a time.
pub(crate) const ORDERS_WAITING: usize = 16;

/// Answers not yet looked at. A page of changes can be 1 MiB, and beyond these the point waits.
pub(crate) const ANSWERS_WAITING: usize = 4;

/// Connections an update point may lose while one step lasts before the step counts as failed.
pub(crate) const LOSSES_MAX: u32 = 5;

/// Files asked for at once; a synchronization waits for no more than these.
pub(crate) const WISHES_MAX: usize = 8;

/// How often a child site asks its update point again before it counts as failed that the
/// parent's does not hold the version yet: about two minutes.
pub(crate) const PATIENCE: u32 = 5;

/// Wait after a failure: from a moment to an hour (the documented retry).
pub(crate) const RETRY_MIN: Duration = Duration::from_secs(5);
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(60 * 60);
pub(crate) const RETRY_JITTER_PERCENT: u8 = 20;

/// A child site that was told to stop does not begin anew before this time.
pub(crate) const CANCELLED_MS: i64 = 60 * 60 * 1000;

/// How often a child site compares its catalog version with what its update points completed, in
/// case the parent's request never came.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(15 * 60);

/// Progress is repeated as a status message no more often than this; it replicates to the top.
pub(crate) const PROGRESS_MESSAGE_MS: i64 = 60 * 1000;

/// Rulings told with one order: half a megabyte.
pub(crate) const RULINGS_PER_ORDER: usize = 20_000;

/// Expired updates deleted in one transaction (SUPX-07).
pub(crate) const CLEANED_PER_WRITE: usize = 100;

/// Updates that expire in one transaction, so that others wait for no longer than a page takes.
pub(crate) const EXPIRED_PER_WRITE: usize = 500;

/// How long others wait for an update point that has something else to do before they hear what
/// was ruled in its stead.
pub(crate) const BUSY_WAIT: Duration = Duration::from_secs(10);

/// How often an errand or a catalog file is handed to an update point that breaks off: beyond it,
/// what was handed over is the likely cause.
pub(crate) const TRIES_MAX: u32 = 3;

/// How long an errand or a catalog file may keep an update point: the largest content over a slow
/// line. No synchronization begins meanwhile.
pub(crate) const TASK_MAX: Duration = Duration::from_secs(4 * 60 * 60);

/// How long a bundle may keep its update point: 4 GiB at a megabyte each three seconds. A
/// synchronization that is due waits.
pub(crate) const EXPORT_MAX: Duration = Duration::from_secs(4 * 60 * 60);

/// Parts of a bundle, of a megabyte each, that wait to be asked for; beyond it the update point
/// waits.
pub(crate) const EXPORT_BACKLOG: u32 = 16;

/// Nobody asks for the next part for so long: whoever wanted the bundle is gone.
pub(crate) const EXPORT_SILENCE: Duration = Duration::from_secs(60);
