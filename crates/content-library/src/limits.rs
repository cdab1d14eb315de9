//! The bounds of this crate, each with its reason.

/// Threads for file work: one may hash gigabytes while the others read and write.
pub(crate) const WORKERS: usize = 4;

/// File operations waiting for a thread; beyond it callers wait.
pub(crate) const WORK_QUEUE_MAX: usize = 256;

/// The largest file taken: the largest known update is a tenth of it, an endless stream is not.
pub(crate) const FILE_BYTES_MAX: u64 = 64 << 30;

/// Read at once when hashing or serving: long enough to be sequential, short enough to hold many
/// and to travel in one message.
pub(crate) const READ_BYTES_MAX: usize = 256 << 10;

/// Ranges in one request. Background transfer clients ask for a handful; hundreds are an attack.
pub(crate) const RANGES_MAX: usize = 16;
