//! Limits of a state vector, with their reasons.

/// Entries of one list of a vector, and parked states of one client. With all lists this long a
/// vector still fits into the 1 MiB of a replicated transaction; real ones have some hundreds.
pub const CELLS_MAX: usize = 32_768;

/// Deployments of one client: 64 KiB of a vector. Real clients have dozens.
pub const DEPLOYMENTS_MAX: usize = 2_000;

/// A reason for a failed scan is a sentence; longer ones are cut.
pub const SCAN_ERROR_BYTES_MAX: usize = 1_024;

/// The address of an update point; reports with longer ones are refused.
pub const SCAN_SERVER_BYTES_MAX: usize = 512;
