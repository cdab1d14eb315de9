//! A computer that reports as agents do, or as an update point does for it.

use super::*;

/// What a computer found, or what its site knows of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub(super) covered: u64,
    pub(super) scan_error: Option<String>,
    /// The updates that its last scan looked at.
    pub(super) seen: BTreeSet<u32>,
    pub(super) states: BTreeMap<u32, UpdateState>,
    pub(super) deployments: BTreeMap<DeploymentId, DeploymentState>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Computer {
    /// Each has another name after it was removed.
    pub(super) life: u128,
    /// What a scan of everything would find.
    pub(super) has: BTreeMap<u32, UpdateState>,
    pub(super) is: Said,
    /// What it takes its site to know.
    pub(super) told: Said,
    pub(super) incarnation: u64,
    pub(super) serial: u64,
    pub(super) wants_full: bool,
    /// What it told and how far it counted when its disk was copied.
    pub(super) snapshot: Option<(Said, Said, u64)>,
}

impl Computer {
    /// A scan of the updates that count, against this catalog.
    pub(super) fn scan(&mut self, counted: BTreeSet<u32>, version: u64) {
        self.is.states = self.has.clone();
        self.is.states.retain(|update, _| counted.contains(update));
        (self.is.seen, self.is.covered, self.is.scan_error) = (counted, version, None);
    }

    pub(super) fn put_back(&mut self) {
        let Some((is, told, serial)) = self.snapshot.clone() else { return };
        (self.is, self.told, self.serial) = (is, told, serial);
    }

    pub(super) fn report(&mut self, client: ClientId, full: bool) -> StateReport {
        let Computer { is, told, .. } = &*self;
        let nothing = Said::default();
        let told = if full { &nothing } else { told };
        let not_required = UpdateState { state: ComplianceState::NotRequired, enforcement: None };
        let gone = told.states.keys().filter(|key| !is.states.contains_key(key));
        let states = is.states.iter().filter(|(key, state)| told.states.get(key) != Some(state));
        let changes = gone.map(|key| (*key, not_required)).chain(states.map(|(k, s)| (*k, *s)));
        let changes = changes.map(|(key, state)| StateChange {
            update: UpdateRef { id: update(key), revision: 1 },
            state,
            at: at(0),
        });
        let gone = told.deployments.keys().filter(|key| !is.deployments.contains_key(key));
        let stands = is.deployments.iter();
        let stands = stands.filter(|(key, state)| told.deployments.get(key) != Some(state));
        let moved = gone.map(|key| (*key, None)).chain(stands.map(|(k, s)| (*k, Some(*s))));
        let moved = moved.map(|(deployment, state)| DeploymentChange { deployment, state });
        let (changes, deployments): (Vec<_>, Vec<_>) = (changes.collect(), moved.collect());
        let from = self.serial + 1;
        self.serial += (changes.len() + deployments.len()).max(1) as u64;
        StateReport {
            client,
            incarnation: self.incarnation,
            serial_from: from,
            serial_to: self.serial,
            covered: self.is.covered,
            scanned_at: at(0),
            scan_error: self.is.scan_error.clone(),
            full,
            changes,
            digest_after: state_digest(
                self.is.states.iter().map(|(key, state)| (update(*key), state.state)),
            ),
            deployments,
            deployments_digest: deployment_digest(
                self.is.deployments.iter().map(|(id, state)| (*id, *state)),
            ),
            scan: None,
            refused: Vec::new(),
            given_up: Vec::new(),
            set_aside: Vec::new(),
        }
    }

    /// What it makes of the answer to its last report.
    pub(super) fn hear(&mut self, outcome: ReportOutcome) {
        match outcome {
            ReportOutcome::Applied => self.wants_full = false,
            ReportOutcome::Known => {}
            ReportOutcome::SendFull => self.wants_full = true,
            ReportOutcome::Behind(known) if known > self.serial => {
                (self.serial, self.wants_full) = (known, true);
            }
            ReportOutcome::Behind(_) => {}
        }
    }
}
