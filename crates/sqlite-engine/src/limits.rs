//! The bounds of this crate, each with its reason.

use std::time::Duration;

/// Writes waiting for the writer; beyond it callers wait, so a storm of writes cannot fill memory.
pub(crate) const WRITE_QUEUE_MAX: usize = 1_024;

/// Writes in one transaction. Past this the cost of a commit is spread thin already, and the
/// first caller of a group waits for the last closure.
pub(crate) const GROUP_MAX: usize = 1_000;

/// Reads waiting for a reader.
pub(crate) const READ_QUEUE_MAX: usize = 256;

/// Readers of one database: one for short questions while the other scans or backs up.
pub(crate) const READERS: usize = 2;

/// Statements kept prepared per connection; a schema's whole vocabulary fits.
pub(crate) const STATEMENTS_CACHED: usize = 256;

/// 8 KiB pages: documents and vectors are a few kilobytes, and narrow rows lose nothing.
pub(crate) const PAGE_BYTES: usize = 8 << 10;

/// Pages the writer may keep in memory (32 MiB, taken as they are needed): what one large
/// transaction changes is not written to the log twice.
pub(crate) const WRITER_CACHE_PAGES: usize = (32 << 20) / PAGE_BYTES;

/// The same for caches (2 MiB), and for those who read them (512 KiB): they belong to processes
/// that nobody shall notice, and the system has what was read lately, too.
pub(crate) const SMALL_WRITER_CACHE_PAGES: usize = (2 << 20) / PAGE_BYTES;
pub(crate) const SMALL_CACHE_PAGES: usize = (512 << 10) / PAGE_BYTES;

/// Write-ahead log that is copied back when the writer is idle (4 MiB).
pub(crate) const CHECKPOINT_IDLE_PAGES: usize = (4 << 20) / PAGE_BYTES;

/// Write-ahead log that is copied back even under load, so that it stays bounded (64 MiB).
pub(crate) const CHECKPOINT_BUSY_PAGES: usize = (64 << 20) / PAGE_BYTES;

/// How long a connection waits for a lock that only another process can hold.
pub(crate) const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Problems that a check lists before it stops looking.
pub(crate) const PROBLEMS_MAX: usize = 100;
