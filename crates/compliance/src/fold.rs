//! How a report changes what a site holds of a client: exactly once over retries and two
//! management points, never guessed.
//!
//! - What is held, in the same incarnation: `Known`, nothing is written.
//! - Older than that: `Behind`, nothing is written. It came late, which its client knows; or its
//!   client was put back to what it was before, and goes on after the last serial that is known.
//! - Does not begin with the next serial, has the last one and says something else, or only says
//!   what changed while a gap is open or in an incarnation that is not held: `SendFull`; what is
//!   known is kept and marked with the gap.
//! - One of its digests is not that of the updates or deployments after applying it, or they are
//!   too many: the same.
//! - Otherwise: `Applied`; a full report replaces everything and closes the gap.
//!
//! The serial does not move while something is missing, so a full report is always newer. A late
//! full report of an incarnation that is gone puts the vector back for a moment; the next report
//! of the living one opens the gap and repairs that.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use model::{
    ComplianceState, DeploymentId, DeploymentState, Detail, EnforcementState, ReportOutcome,
    StateReport, Timestamp, UpdateId, UpdateState, Vector, deployment_digest, state_digest,
};

use crate::encoding::check;
use crate::limits::{CELLS_MAX, SCAN_ERROR_BYTES_MAX};

/// The state of an update whose item is not here yet. It waits until the item arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParkedState {
    pub update: UpdateId,
    pub state: UpdateState,
    /// The serial of the report that brought it.
    pub serial: u64,
    /// When it changed, by the client's clock.
    pub at: Timestamp,
}

/// Everything a site holds of one client's updates; written in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    pub vector: Vector,
    /// Ascending by update.
    pub parked: Vec<ParkedState>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    pub outcome: ReportOutcome,
    /// What replaces the stored holding, parked states included; nothing if it does not change.
    pub write: Option<Holding>,
}

/// Which updates have which item numbers, as far as their items are here. It must know the items
/// of the stored vector and of the report; it may know all.
#[derive(Clone, Debug, Default)]
pub struct ItemNumbers {
    by_update: BTreeMap<UpdateId, u32>,
    by_number: BTreeMap<u32, UpdateId>,
}

impl ItemNumbers {
    pub fn insert(&mut self, update: UpdateId, number: u32) {
        self.by_update.insert(update, number);
        self.by_number.insert(number, update);
    }
}

impl FromIterator<(UpdateId, u32)> for ItemNumbers {
    fn from_iter<I: IntoIterator<Item = (UpdateId, u32)>>(pairs: I) -> ItemNumbers {
        let mut numbers = ItemNumbers::default();
        pairs.into_iter().for_each(|(update, number)| numbers.insert(update, number));
        numbers
    }
}

/// What becomes of `stored` when `report`, of the same client, arrives.
#[must_use]
pub fn fold(stored: Option<&Holding>, report: &StateReport, items: &ItemNumbers) -> Folded {
    let held = stored.filter(|held| held.vector.incarnation == report.incarnation);
    match order(held, report, items) {
        Order::Known => Folded { outcome: ReportOutcome::Known, write: None },
        Order::Behind(known) => Folded { outcome: ReportOutcome::Behind(known), write: None },
        Order::Ahead => missing(stored),
        Order::Next => match merge(held, report, items) {
            Some(holding) => Folded { outcome: ReportOutcome::Applied, write: Some(holding) },
            None => missing(stored),
        },
    }
}

/// Moves parked states whose items have arrived into the vector. `None`: nothing changes.
#[must_use]
pub fn apply_parked(holding: &Holding, items: &ItemNumbers) -> Option<Holding> {
    if !holding.parked.iter().any(|parked| items.by_update.contains_key(&parked.update)) {
        return None;
    }
    distribute(holding.vector.clone(), states_of(holding, items), items)
}

enum Order {
    Known,
    /// The last serial that is held.
    Behind(u64),
    Ahead,
    Next,
}

/// `held` is what is held if it is of the report's incarnation.
fn order(held: Option<&Holding>, report: &StateReport, items: &ItemNumbers) -> Order {
    let Some(held) = held else {
        return if report.full { Order::Next } else { Order::Ahead };
    };
    let Vector { gap, serial, .. } = held.vector;
    match report.serial_to.cmp(&serial) {
        Ordering::Less => Order::Behind(serial),
        Ordering::Equal if gap && report.full => Order::Next,
        Ordering::Equal if gap || has_brought(held, report, items) => Order::Known,
        // By the same serial it said something else.
        Ordering::Equal => Order::Ahead,
        Ordering::Greater => {
            // What says some of it again says it of another past, of which this knows nothing.
            let follows = !gap && report.serial_from == serial.saturating_add(1);
            if report.full || follows { Order::Next } else { Order::Ahead }
        }
    }
}

/// Whether what is held can be what this report brought.
fn has_brought(held: &Holding, report: &StateReport, items: &ItemNumbers) -> bool {
    let vector = &held.vector;
    let states = states_of(held, items);
    let said = states.values().map(|held| (held.update, held.state.state));
    // The last word about each.
    let changed: BTreeMap<UpdateId, UpdateState> =
        report.changes.iter().map(|change| (change.update.id, change.state)).collect();
    let is_here = |(update, changed): (&UpdateId, &UpdateState)| match states.get(update) {
        None => changed.state == ComplianceState::NotRequired,
        Some(held) => held.state.state == changed.state && step(&held.state) == step(changed),
    };
    changed.iter().all(is_here)
        && vector.scanned_at == report.scanned_at
        && vector.covered >= report.covered
        && vector.scan_error == report.scan_error.as_deref().map(cut)
        && deployment_digest(vector.deployments.iter().copied()) == report.deployments_digest
        && (state_digest(said) == report.digest_after || vector.covered > report.covered)
}

fn missing(stored: Option<&Holding>) -> Folded {
    let write = stored.filter(|held| !held.vector.gap).map(|held| Holding {
        vector: Vector { gap: true, ..held.vector.clone() },
        parked: held.parked.clone(),
    });
    Folded { outcome: ReportOutcome::SendFull, write }
}

type States = BTreeMap<UpdateId, ParkedState>;

/// What the client has said in all, whether the items are here or not. Items that were deleted
/// drop out.
fn states_of(holding: &Holding, items: &ItemNumbers) -> States {
    let Holding { vector, parked } = holding;
    let listed = |list: &[u32], state| -> Vec<ParkedState> {
        let held = |number: &u32| {
            let update = *items.by_number.get(number)?;
            let detail = vector.detail.binary_search_by_key(number, |detail| detail.item);
            let detail = detail.ok().map(|index| vector.detail[index]);
            let enforcement = detail.map(|detail| (detail.state, detail.code));
            Some(ParkedState {
                update,
                state: UpdateState { state, enforcement },
                serial: vector.serial,
                at: detail.map_or(vector.scanned_at, |detail| detail.at),
            })
        };
        list.iter().filter_map(held).collect()
    };
    let required = listed(&vector.required, ComplianceState::Required);
    let installed = listed(&vector.installed, ComplianceState::Installed);
    let unjudged = listed(&vector.unjudged, ComplianceState::Unknown);
    let all = [required, installed, unjudged, parked.clone()].into_iter().flatten();
    all.map(|held| (held.update, held)).collect()
}

/// `None`: the digest says that something is missing, or it is more than can be held.
fn merge(held: Option<&Holding>, report: &StateReport, items: &ItemNumbers) -> Option<Holding> {
    let before = held.map(|held| states_of(held, items)).unwrap_or_default();
    let mut states = if report.full { States::new() } else { before.clone() };
    for change in &report.changes {
        let update = change.update.id;
        match change.state.state {
            // A vector has no list of these: they are what is in no list.
            ComplianceState::NotRequired => {
                states.remove(&update);
            }
            ComplianceState::Required | ComplianceState::Installed | ComplianceState::Unknown => {
                let (state, serial) = (change.state, report.serial_to);
                states.insert(update, ParkedState { update, state, serial, at: change.at });
            }
        }
    }
    let said = states.values().map(|held| (held.update, held.state.state));
    if state_digest(said) != report.digest_after {
        return None;
    }
    let deployments = deployments_after(held.map(|held| &held.vector), report)?;
    let covered = held.map_or(0, |held| held.vector.covered);
    if report.covered < covered {
        // An older catalog does not know the newest updates: its silence about them is no answer.
        for (update, state) in before {
            states.entry(update).or_insert(state);
        }
    }
    let vector = Vector {
        client: report.client,
        incarnation: report.incarnation,
        serial: report.serial_to,
        covered: covered.max(report.covered),
        scanned_at: report.scanned_at,
        scan_error: report.scan_error.as_deref().map(cut),
        gap: false,
        required: Vec::new(),
        installed: Vec::new(),
        unjudged: Vec::new(),
        detail: Vec::new(),
        deployments,
        scan: report.scan.clone(),
    };
    distribute(vector, states, items)
}

/// Where the client's deployments stand. `None`: the digest says that something is missing.
fn deployments_after(
    held: Option<&Vector>,
    report: &StateReport,
) -> Option<Vec<(DeploymentId, DeploymentState)>> {
    let before = held.filter(|_| !report.full).into_iter().flat_map(|held| &held.deployments);
    let mut after: BTreeMap<DeploymentId, DeploymentState> = before.copied().collect();
    for change in &report.deployments {
        match change.state {
            Some(state) => after.insert(change.deployment, state),
            None => after.remove(&change.deployment),
        };
    }
    let said = deployment_digest(after.iter().map(|(id, state)| (*id, *state)));
    (said == report.deployments_digest).then(|| after.into_iter().collect())
}

/// Fills the lists of `vector` with the states whose items are here, and parks the others.
fn distribute(mut vector: Vector, states: States, items: &ItemNumbers) -> Option<Holding> {
    let mut parked = Vec::new();
    vector.detail.clear();
    let [mut required, mut installed, mut unjudged] = [const { Vec::new() }; 3];
    for held in states.into_values() {
        let Some(&item) = items.by_update.get(&held.update) else {
            parked.push(held);
            continue;
        };
        match held.state.state {
            ComplianceState::Required => required.push(item),
            ComplianceState::Installed => installed.push(item),
            ComplianceState::Unknown => unjudged.push(item),
            ComplianceState::NotRequired => {}
        }
        if let Some((state, code)) = step(&held.state) {
            vector.detail.push(Detail { item, state, code, at: held.at });
        }
    }
    for list in [&mut required, &mut installed, &mut unjudged] {
        list.sort_unstable();
    }
    (vector.required, vector.installed, vector.unjudged) = (required, installed, unjudged);
    vector.detail.sort_unstable_by_key(|detail| detail.item);
    let fits = parked.len() <= CELLS_MAX && check(&vector).is_ok();
    fits.then_some(Holding { vector, parked })
}

/// How far the installation of what is required is, if that is worth a word.
fn step(state: &UpdateState) -> Option<(EnforcementState, i32)> {
    let unfinished = |(state, _): &_| *state != EnforcementState::Installed;
    let is_open = state.state == ComplianceState::Required;
    state.enforcement.filter(unfinished).filter(|_| is_open)
}

fn cut(text: &str) -> String {
    let fits = |end: &usize| *end <= SCAN_ERROR_BYTES_MAX;
    let ends = text.char_indices().map(|(start, character)| start + character.len_utf8());
    text[..ends.take_while(fits).last().unwrap_or(0)].to_owned()
}

#[cfg(test)]
mod tests;
