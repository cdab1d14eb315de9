//! What a text may cost.

/// Longer than any condition that a person reads; stored and replicated with its collection.
pub(crate) const TEXT_BYTES_MAX: usize = 8 * 1024;

/// Conditions within conditions; parsing and judging go this deep into the stack.
pub(crate) const DEPTH_MAX: usize = 64;
