//! Maintenance windows: when clients of a collection may install and restart.
//!
//! Owns what a window says. Refuses to know when that is: `recurrence` works it out.

use crate::ObjectCode;
use crate::words::words;

words! {
    /// What a window is for.
    WindowKind, "window kind" {
        All = "all",
        Updates = "updates",
        TaskSequences = "task-sequences",
    }
}

/// Whose clock a window goes by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WindowZone {
    /// The client's own.
    Client,
    /// A zone of the time zone database.
    Named(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    pub code: ObjectCode,
    pub name: String,
    pub collection: ObjectCode,
    /// Canonical spelling of a recurrence without a zone.
    pub at: String,
    pub zone: WindowZone,
    pub minutes: u32,
    pub kind: WindowKind,
    pub is_enabled: bool,
}
