//! Audit: who changed what, as status messages that travel to the top.
//!
//! Owns the numbers and the form. An audit message is written in the transaction of its change.

use model::{Severity, StatusMessage};
use site_db::Writer;

use crate::Error;

/// What was done to an object; its number is the status message's (docs/status-messages.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Deed {
    Created = 30_000,
    Changed = 30_001,
    Removed = 30_002,
    /// Something that joined with a token is named by whoever made the token.
    Joined = 30_003,
    /// Something outside the database, such as a backup.
    Ran = 30_004,
}

impl Deed {
    fn verb(self) -> &'static str {
        match self {
            Deed::Created => "created",
            Deed::Changed => "changed",
            Deed::Removed => "removed",
            Deed::Joined => "let join",
            Deed::Ran => "ran",
        }
    }
}

pub(crate) fn audit(
    w: &Writer<'_>,
    account: &str,
    deed: Deed,
    object: impl Into<String>,
) -> Result<(), Error> {
    let site = w.identity().code();
    w.append_status(&StatusMessage {
        id: deed as u32,
        severity: Severity::Audit,
        component: "SMS_PROVIDER".to_owned(),
        site,
        machine: site.to_string(),
        at: w.now(),
        strings: vec![account.to_owned(), deed.verb().to_owned(), object.into()],
    })?;
    Ok(())
}
