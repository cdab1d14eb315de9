//! Status messages (STAT-26).

use crate::{SiteCode, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Information,
    Warning,
    Error,
    /// A change made by a person.
    Audit,
}

impl Severity {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Information => "information",
            Severity::Warning => "warning",
            Severity::Error => "error",
            Severity::Audit => "audit",
        }
    }
}

/// Something a component did or met, with a documented number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusMessage {
    pub id: u32,
    pub severity: Severity,
    pub component: String,
    pub site: SiteCode,
    /// The role or machine it speaks of.
    pub machine: String,
    pub at: Timestamp,
    /// At most ten insertion strings.
    pub strings: Vec<String>,
}
