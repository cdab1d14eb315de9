//! What a client says of itself: only what changed, in numbered reports with a digest over the
//! whole, so that the site can tell whether anything is missing (SCAN-06, STATE-13).

use std::collections::BTreeMap;

use model::{
    ClientId, ComplianceState, EnforcementState, StateChange, StateReport, Timestamp, UpdateId,
    UpdateRef, UpdateState, state_digest,
};
use rpc::limits::REPORT_CHANGES_MAX;
use update_metadata::Applicability;
use uuid::Uuid;

use crate::client::scan::Scan;

/// Updates that are not "not required".
pub(crate) type States = BTreeMap<UpdateId, Held>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) revision: u32,
    pub(crate) state: UpdateState,
}

/// Where each required update stands with its installation.
pub(crate) type Progress = BTreeMap<UpdateId, (EnforcementState, i32)>;

/// Who this client is and what it last saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) incarnation: u64,
    /// Of the last state message.
    pub(crate) serial: u64,
    /// The catalog version of the last scan.
    pub(crate) covered: u64,
    pub(crate) scanned_at: Timestamp,
    pub(crate) scan_error: Option<String>,
    /// Counted in the last scan.
    pub(crate) updates: u64,
    /// The server whose catalog is in use.
    pub(crate) catalog: Option<Uuid>,
}

/// How much a report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Changes,
    /// The site has asked for it, or knows nothing yet.
    Everything,
}

pub(crate) fn states(scan: &Scan, progress: &Progress) -> States {
    let held = scan.visible().filter_map(|judged| {
        let UpdateRef { id, revision } = judged.update;
        let state = match judged.verdict {
            Applicability::NotApplicable => return None,
            Applicability::Applicable => ComplianceState::Required,
            Applicability::Installed => ComplianceState::Installed,
            Applicability::Unknown(_) => ComplianceState::Unknown,
        };
        let unfinished = state == ComplianceState::Required;
        let enforcement = progress.get(&id).copied().filter(|_| unfinished);
        Some((id, Held { revision, state: UpdateState { state, enforcement } }))
    });
    held.collect()
}

/// What turns `said` into `holds`.
pub(crate) fn changes(said: &States, holds: &States, at: Timestamp) -> Vec<StateChange> {
    let gone = said.iter().filter(|(id, _)| !holds.contains_key(id)).map(|(id, held)| {
        let state = UpdateState { state: ComplianceState::NotRequired, enforcement: None };
        (*id, Held { state, ..*held })
    });
    let changed = holds.iter().filter(|(id, held)| said.get(id) != Some(held));
    let all = gone.chain(changed.map(|(id, held)| (*id, *held)));
    let change = |(id, Held { revision, state }): (UpdateId, Held)| StateChange {
        update: UpdateRef { id, revision },
        state,
        at,
    };
    all.map(change).collect()
}

/// Reports that bring the site from `said` to `holds`; at least one. Each change, and each report
/// without any, takes the next serial.
pub(crate) fn reports(
    client: ClientId,
    record: &Record,
    extent: Extent,
    said: &States,
    holds: &States,
    at: Timestamp,
) -> Vec<StateReport> {
    let mut known = match extent {
        Extent::Changes => said.clone(),
        Extent::Everything => States::new(),
    };
    let changes = changes(&known, holds, at);
    let batches = match &changes[..] {
        [] => vec![&[][..]],
        changes => changes.chunks(REPORT_CHANGES_MAX).collect(),
    };
    let mut serial = record.serial;
    let report = |(number, changes): (usize, &[StateChange])| {
        changes.iter().for_each(|change| apply(&mut known, change));
        let from = serial + 1;
        serial += (changes.len() as u64).max(1);
        StateReport {
            client,
            incarnation: record.incarnation,
            serial_from: from,
            serial_to: serial,
            covered: record.covered,
            scanned_at: record.scanned_at,
            scan_error: record.scan_error.clone(),
            // The rest of a full report follows as changes.
            full: extent == Extent::Everything && number == 0,
            changes: changes.to_vec(),
            digest_after: digest(&known),
            refused: Vec::new(),
        }
    };
    batches.into_iter().enumerate().map(report).collect()
}

fn apply(known: &mut States, change: &StateChange) {
    let UpdateRef { id, revision } = change.update;
    match change.state.state {
        ComplianceState::NotRequired => known.remove(&id),
        ComplianceState::Unknown | ComplianceState::Required | ComplianceState::Installed => {
            known.insert(id, Held { revision, state: change.state })
        }
    };
}

/// What is not required is in no list of the site.
fn digest(states: &States) -> [u8; 32] {
    let listed = states.iter().map(|(id, held)| (*id, held.state.state));
    state_digest(listed.filter(|(_, state)| *state != ComplianceState::NotRequired))
}

#[cfg(test)]
mod tests;
