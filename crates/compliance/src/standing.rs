//! What a vector says of an update: the rule for what is in no list.

use model::{ComplianceState, Item, Vector};

/// Why a state is unknown (COMP-10 … COMP-14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnknownReason {
    /// The client has never reported.
    NoReport,
    /// A rule of the update asks for something that the client cannot tell.
    NotJudged,
    /// Its last scan did not succeed.
    ScanFailed,
    /// Some of what it said is missing here.
    Gap,
    /// It has not scanned since the update arrived.
    NotScannedSince,
}

impl UnknownReason {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            UnknownReason::NoReport => "no report received",
            UnknownReason::NotJudged => "the client could not judge it",
            UnknownReason::ScanFailed => "scan failed",
            UnknownReason::Gap => "part of the client's reports is missing",
            UnknownReason::NotScannedSince => "not scanned since the update arrived",
        }
    }
}

/// An item that is counted: one that exists and is deployable on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LiveItem {
    pub number: u32,
    /// The catalog version that brought it.
    pub since: u64,
}

impl LiveItem {
    /// `None` for a hidden child of a bundle, which is never counted.
    #[must_use]
    pub fn of(item: &Item) -> Option<LiveItem> {
        (!item.hidden).then_some(LiveItem { number: item.number, since: item.since })
    }
}

/// Updates of a client, or clients of an update, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateCounts {
    pub required: u64,
    pub installed: u64,
    pub not_required: u64,
    pub unknown: u64,
}

/// The state of an item on a client, and the reason if it is Unknown. A list that names the item
/// stands, whatever happened since.
#[must_use]
pub fn state_of(
    vector: Option<&Vector>,
    item: LiveItem,
) -> (ComplianceState, Option<UnknownReason>) {
    let Some(vector) = vector else {
        return (ComplianceState::Unknown, Some(UnknownReason::NoReport));
    };
    if vector.required.binary_search(&item.number).is_ok() {
        return (ComplianceState::Required, None);
    }
    if vector.installed.binary_search(&item.number).is_ok() {
        return (ComplianceState::Installed, None);
    }
    if vector.unjudged.binary_search(&item.number).is_ok() {
        return (ComplianceState::Unknown, Some(UnknownReason::NotJudged));
    }
    match assured(vector) {
        Err(reason) => (ComplianceState::Unknown, Some(reason)),
        Ok(covered) if item.since > covered => {
            (ComplianceState::Unknown, Some(UnknownReason::NotScannedSince))
        }
        Ok(_) => (ComplianceState::NotRequired, None),
    }
}

/// Up to which catalog version an update in no list is not required.
pub(crate) fn assured(vector: &Vector) -> Result<u64, UnknownReason> {
    if vector.gap {
        return Err(UnknownReason::Gap);
    }
    if vector.scan_error.is_some() {
        return Err(UnknownReason::ScanFailed);
    }
    Ok(vector.covered)
}

/// How many of `items` are in which state on one client; the four add up to all of them.
pub fn client_counts(
    vector: Option<&Vector>,
    items: impl IntoIterator<Item = LiveItem>,
) -> StateCounts {
    let mut counts = StateCounts::default();
    for item in items {
        let count = match state_of(vector, item).0 {
            ComplianceState::Required => &mut counts.required,
            ComplianceState::Installed => &mut counts.installed,
            ComplianceState::NotRequired => &mut counts.not_required,
            ComplianceState::Unknown => &mut counts.unknown,
        };
        *count += 1;
    }
    counts
}

#[cfg(test)]
mod tests;
