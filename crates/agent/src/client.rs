//! What a client decides: which policy it believes, what a catalog means for its computer, what it
//! has to say, and what it does next.
//!
//! Owns the decisions, as functions of values that are handed in, `now` among them. Refuses to
//! know sockets, files, databases and processes. Foreign input is refused with a typed reason.

pub(crate) mod fallback;
pub(crate) mod ledger;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod scan;
