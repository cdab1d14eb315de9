//! What a server outside of the hierarchy may cost, each bound with its reason.

use std::time::Duration;

pub(super) use wsus_protocol::limits::CLIENT_ANSWER_BYTES_MAX;

/// A server that takes longer to take a connection is not there.
pub(super) const CONNECT_MAX: Duration = Duration::from_secs(10);

/// An answer of a slow server over a slow line.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(180);

/// A whole scan, and a whole report: the first scan of a large server takes some minutes.
pub(super) const FOLLOW_MAX: Duration = Duration::from_secs(2 * 60 * 60);
pub(super) const REPORT_MAX: Duration = Duration::from_secs(10 * 60);

/// Rounds of one scan. The native client gives up after 200, of 30 updates each; that many are
/// known to be too few for the first scan of a large server.
pub(super) const ROUNDS_MAX: usize = 1_000;

/// Rounds after which what was learned is written down.
pub(super) const ROUNDS_PER_WRITE: usize = 16;

/// Revisions known of one server: four times what the largest ones tell one computer. Each takes
/// some 200 bytes of memory during a scan.
pub(super) const UPDATES_MAX: usize = 100_000;

/// Bytes of answers in one scan, which bounds what it writes to the disk.
pub(super) const SCAN_BYTES_MAX: usize = 1 << 30;

/// Updates whose details are asked for at once, where the server does not say; and however much
/// it says.
pub(super) const DETAILS: usize = 50;
pub(super) const DETAILS_MAX: usize = 100;

/// Revisions that are asked for their numbers at once.
pub(super) const REFRESHED: usize = 1_000;

/// Updates that are removed together.
pub(super) const REMOVED: usize = 1_000;

/// Remedies for the faults of one call: a server may have changed, want to be registered with and
/// have a new configuration. And those of a whole scan.
pub(super) const REMEDIES_PER_CALL: usize = 4;
pub(super) const REMEDIES_MAX: usize = 32;

/// Bytes of a cookie, which goes with every request; those of the original server have 240.
pub(super) const COOKIE_BYTES_MAX: usize = 16 << 10;

/// Events that wait, and those of one report.
pub(super) const EVENTS_MAX: usize = 1_000;
pub(super) const EVENTS_PER_REPORT: usize = 100;
