//! The bounds of this component, with their reasons.

use std::time::Duration;

/// How often a pass is made even if nothing changed.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);

/// After a pass, as many times its length pass before the next, so that planning takes at most a
/// tenth of one processor while a catalog or many clients arrive.
pub(crate) const PAUSE_FACTOR: u32 = 9;

/// After a pass that failed; its cause is rarely gone at once.
pub(crate) const FAILURE_PAUSE: Duration = Duration::from_secs(5);

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// How long a head holds; renewed at half. An expired one stops new work only.
pub(crate) const HEAD_VALIDITY_MS: i64 = 30 * DAY_MS;

/// Parts that no plan and no head has named for so long are dropped; heads expire long before.
pub(crate) const PARTS_KEPT_MS: i64 = 90 * DAY_MS;

/// More changed clients than this are planned with all the others: that is hardly slower.
pub(crate) const FOLLOWED_MAX: usize = 1_000;

/// How soon members that depend on compliance follow it.
pub(crate) const STATES_EVERY: Duration = Duration::from_secs(5);

/// How soon a rule whose run failed runs again though nothing it depends on is different. Each run
/// is told to administrators.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// How soon rules that wait for counts look again: after a start the counts are read in a moment.
pub(crate) const COUNTS_AWAITED: Duration = Duration::from_secs(2);

/// Decisions that a run of an approval rule may make: they are one transaction, and no more than
/// administrators make at once.
pub(crate) const DECISIONS_MAX: usize = 10_000;
