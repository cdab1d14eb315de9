//! The bounds of what computers are answered, each with its reason.

/// A cookie's life, as the original server has it for computers.
pub(crate) const COOKIE_MS: i64 = 60 * 60 * 1_000;

/// Prerequisites that a computer may say are installed unless the configuration says otherwise, as
/// the original server has it; real ones name about 90.
pub const INSTALLED_MAX: usize = 400;

/// What the configuration can lift it to: as many as a request has room for.
pub(crate) const INSTALLED_MAX_HIGHEST: usize = 200_000;

/// Updates in one step of a scan, and the bytes of their texts: with what stands around them a
/// message stays near the megabyte that computers are known to take. A computer gives up after
/// 200 steps.
pub(crate) const STEP_UPDATES_MAX: usize = 800;
pub(crate) const STEP_BYTES_MAX: usize = 768 << 10;

/// Changed deployments in one step, of 300 bytes each.
pub(crate) const CHANGES_MAX: usize = 2_000;

/// Updates whose details are asked for at once, as the configuration says.
pub(crate) const DETAILS_MAX: usize = 50;

/// Bytes of details, in all languages, that are read at once.
pub(crate) const DETAILS_BYTES: usize = 4 << 20;

/// Files of one question; an update of servicing has some hundreds.
pub(crate) const FILES_MAX: usize = 1_000;

/// Updates of one question for their numbers; computers ask for everything they know.
pub(crate) const REFRESHED_MAX: usize = 50_000;

/// A DNS name.
pub(crate) const NAME_BYTES_MAX: usize = 255;

/// Characters kept of what a computer says of itself.
pub(crate) const TEXT_CHARS_MAX: usize = 200;

/// Computers of one update point: twice what the largest sites have.
pub(crate) const COMPUTERS_MAX: u64 = 300_000;
