//! What a person reads when something did not work: what, where, remedy.

use std::fmt;

use model::{ErrorClass, error_chain};
use tonic::Status;

#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    at: String,
    remedy: String,
}

impl Failure {
    pub(crate) fn new(
        what: impl Into<String>,
        at: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Failure {
        Failure { what: what.into(), at: at.into(), remedy: remedy.into() }
    }

    /// An error and its causes.
    pub(crate) fn of(
        error: &(dyn std::error::Error + 'static),
        at: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Failure {
        Failure::new(error_chain(error), at, remedy)
    }

    /// A server's refusal. Most say the remedy themselves.
    pub(crate) fn refused(status: &Status, at: impl Into<String>) -> Failure {
        use std::error::Error as _;

        let class = rpc::status::class(status);
        let cause = status.source().map(error_chain);
        let what = match cause {
            Some(cause) if class == ErrorClass::Unavailable => cause,
            _ => status.message().to_owned(),
        };
        let remedy = match class {
            ErrorClass::Unavailable => {
                "see whether the server runs and the address is right; --server names another"
            }
            ErrorClass::Corrupt | ErrorClass::Internal => "read the log of the server",
            ErrorClass::Exhausted => "try again later",
            ErrorClass::Invalid
            | ErrorClass::NotFound
            | ErrorClass::Conflict
            | ErrorClass::Denied => "",
        };
        Failure::new(what, at, remedy)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { what, at, remedy } = self;
        write!(f, "error: {what}\n  where: {at}")?;
        if remedy.is_empty() { Ok(()) } else { write!(f, "\n  remedy: {remedy}") }
    }
}
