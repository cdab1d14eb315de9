//! What a client says of itself: only what changed, in numbered reports with a digest over the
//! whole, so that the site can tell whether anything is missing (SCAN-06, STATE-13).

use std::collections::BTreeMap;

use model::{
    ClientId, ComplianceState, DeploymentChange, EnforcementState, LastScan, StateChange,
    StateReport, Timestamp, UpdateId, UpdateRef, UpdateState, deployment_digest, state_digest,
};
use rpc::limits::{REPORT_CHANGES_MAX, REPORT_DEPLOYMENTS_MAX};
use update_metadata::Applicability;
use uuid::Uuid;

use crate::scan::Scan;
use crate::states::{Deployments, deployment_changes};

/// Updates that are not "not required".
pub type States = BTreeMap<UpdateId, Held>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub revision: u32,
    pub state: UpdateState,
}

/// Where each required update stands with its installation.
pub type Progress = BTreeMap<UpdateId, (EnforcementState, i32)>;

/// What the site knows of a client, or will when its reports have come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knowledge {
    pub states: States,
    pub deployments: Deployments,
}

/// Who this client is and what it last saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub incarnation: u64,
    /// Of the last state message.
    pub serial: u64,
    /// The catalog version of the last scan.
    pub covered: u64,
    pub scanned_at: Timestamp,
    pub scan_error: Option<String>,
    pub scan: Option<LastScan>,
    /// Counted in the last scan.
    pub updates: u64,
    /// The server whose catalog is in use.
    pub catalog: Option<Uuid>,
}

/// How much a report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    Changes,
    /// The site has asked for it, or knows nothing yet.
    Everything,
}

pub fn states(scan: &Scan, progress: &Progress) -> States {
    let held = scan.counted().filter_map(|judged| {
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
pub fn changes(said: &States, holds: &States, at: Timestamp) -> Vec<StateChange> {
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
#[must_use]
pub fn reports(
    client: ClientId,
    record: &Record,
    extent: Extent,
    said: &Knowledge,
    holds: &Knowledge,
    at: Timestamp,
) -> Vec<StateReport> {
    let mut known = match extent {
        Extent::Changes => said.clone(),
        Extent::Everything => Knowledge::default(),
    };
    let changes = changes(&known.states, &holds.states, at);
    let stands = deployment_changes(&known.deployments, &holds.deployments);
    let (mut changes, mut stands) =
        (changes.chunks(REPORT_CHANGES_MAX), stands.chunks(REPORT_DEPLOYMENTS_MAX));
    let count = changes.len().max(stands.len()).max(1);
    let mut serial = record.serial;
    let report = |number| {
        let changes = changes.next().unwrap_or_default();
        let stands = stands.next().unwrap_or_default();
        changes.iter().for_each(|change| apply(&mut known.states, change));
        stands.iter().for_each(|change| stand(&mut known.deployments, change));
        let from = serial + 1;
        serial += ((changes.len() + stands.len()) as u64).max(1);
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
            digest_after: digest(&known.states),
            deployments: stands.to_vec(),
            deployments_digest: deployment_digest(
                known.deployments.iter().map(|(id, state)| (*id, *state)),
            ),
            scan: record.scan.clone(),
            refused: Vec::new(),
            given_up: Vec::new(),
            set_aside: Vec::new(),
        }
    };
    (0..count).map(report).collect()
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

fn stand(known: &mut Deployments, change: &DeploymentChange) {
    match change.state {
        Some(state) => known.insert(change.deployment, state),
        None => known.remove(&change.deployment),
    };
}

/// What is not required is in no list of the site.
fn digest(states: &States) -> [u8; 32] {
    let listed = states.iter().map(|(id, held)| (*id, held.state.state));
    state_digest(listed.filter(|(_, state)| *state != ComplianceState::NotRequired))
}

#[cfg(test)]
mod tests;
