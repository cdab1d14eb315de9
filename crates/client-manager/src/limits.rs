//! The bounds of this component, with their reasons.

use std::time::Duration;

/// States that waited this long for their item are given up and counted.
pub(crate) const PARKED_MS: i64 = 30 * 24 * 60 * 60 * 1000;

pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Servers of which a client can say in a day that it refuses them: more than it has.
pub(crate) const REFUSALS_PER_DAY: usize = 16;

/// How often what has waited too long is looked for, and the board compared with the database.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);

/// After a pass, as many times its length pass before the next, so that keeping the board takes at
/// most a tenth of one processor.
pub(crate) const PAUSE_FACTOR: u32 = 9;

/// After a pass that failed; its cause is rarely gone at once.
pub(crate) const FAILURE_PAUSE: Duration = Duration::from_secs(5);

/// Wake-ups a management point may lie behind before it is told to wake everybody instead.
pub(crate) const WAKE_UPS_WAITING: usize = 256;

/// Clients of one wake-up: 160 KB of ids.
pub(crate) const WAKE_CLIENTS_MAX: usize = 10_000;

/// Files of one question for locations; an update has a handful, a bundle some hundreds.
pub(crate) const FILES_MAX: usize = 1_000;

/// Digests of one question for parts of policy.
pub(crate) const PARTS_MAX: usize = 1_000;

/// Parts of policy in one answer; who asked for more asks again.
pub(crate) const PARTS_BYTES: usize = rpc::limits::MESSAGE_BYTES_MAX / 2;
