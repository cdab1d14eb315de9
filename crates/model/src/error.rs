//! What kind of failure an error is, for those who must branch on it.

use std::error::Error;
use std::fmt::Write as _;

/// The kinds of failure a caller may act on. One table in rpc maps each to status codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// The input is wrong; sending it again unchanged cannot help.
    Invalid,
    /// What was named does not exist.
    NotFound,
    /// It contradicts what is already there.
    Conflict,
    /// The caller may not do this.
    Denied,
    /// A limit is reached; later, or with a smaller request, it may work.
    Exhausted,
    /// Something needed is not reachable now.
    Unavailable,
    /// Stored or received data is damaged.
    Corrupt,
    /// A defect of this program.
    Internal,
}

/// A value that is not what its type promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    pub field: &'static str,
    pub reason: String,
}

impl Invalid {
    pub fn new(field: &'static str, reason: impl Into<String>) -> Invalid {
        Invalid { field, reason: reason.into() }
    }
}

impl std::fmt::Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.reason)
    }
}

impl Error for Invalid {}

/// An error and its sources, joined by ": ", for the one place that logs it.
#[must_use]
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}
