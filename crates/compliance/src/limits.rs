//! Limits of a state vector, with their reasons.

/// Entries of one list of a vector, and parked states of one client. With all lists this long a
/// vector still fits into the 1 MiB of a replicated transaction; real ones have some hundreds.
pub const CELLS_MAX: usize = 32_768;

/// A reason for a failed scan is a sentence; longer ones are cut.
pub const SCAN_ERROR_BYTES_MAX: usize = 1_024;
