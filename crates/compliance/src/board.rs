//! The board: bitmaps of the clients that require an update, have it, or stand somewhere with it or
//! with a deployment.
//!
//! Derived from the vectors and never stored; it follows the database after each commit and never
//! leads it. Counters are lengths of bitmaps, every question is an intersection. Who is in no
//! bitmap of an item is told apart by what his silence means: up to a catalog version Not Required,
//! or nothing, for a reason.

use std::collections::BTreeMap;

use model::{
    AssignmentCompliance, AssignmentEnforcement, AssignmentEvaluation, ClientId, ComplianceState,
    DeploymentId, EnforcementState, Vector,
};
use roaring::RoaringBitmap;

use crate::standing::assured;
use crate::{ClientSet, LiveItem, Roster, StateCounts, UnknownReason};
use index::Index;

mod index;

#[derive(Clone, Debug, Default)]
pub struct Board {
    roster: Roster,
    items: Index<u32, Mark>,
    deployments: Index<DeploymentId, DeploymentMark>,
    silence: Index<Silence, ()>,
}

/// What it means that a client names an update in no list: up to which catalog version it is not
/// required, or why nothing follows.
type Silence = Result<u64, UnknownReason>;

/// The targets of a deployment by how far they are. Each client is in exactly one set: failed
/// goes before in progress, in progress before unknown.
#[derive(Clone, Debug, PartialEq)]
pub struct DeploymentSets {
    /// No update of the deployment is Required or Unknown.
    pub compliant: ClientSet,
    /// Some update is Required, none failed.
    pub in_progress: ClientSet,
    pub failed: ClientSet,
    /// Nothing is known to be Required, but not everything is known.
    pub unknown: ClientSet,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeploymentCounts {
    pub targeted: u64,
    pub compliant: u64,
    pub in_progress: u64,
    pub failed: u64,
    pub unknown: u64,
}

impl DeploymentSets {
    #[must_use]
    pub fn counts(&self) -> DeploymentCounts {
        let (compliant, in_progress) = (self.compliant.len(), self.in_progress.len());
        let (failed, unknown) = (self.failed.len(), self.unknown.len());
        let targeted = compliant + in_progress + failed + unknown;
        DeploymentCounts { targeted, compliant, in_progress, failed, unknown }
    }
}

/// Where a board differs from the vectors it was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A client has a vector but no slot.
    Client(ClientId),
    /// The bitmaps of an item.
    Item(u32),
    /// Those of a deployment.
    Deployment(DeploymentId),
    /// The clients covered by a catalog version.
    Covered(u64),
    /// The clients whose silence means nothing.
    Unassured(UnknownReason),
}

/// What a vector can say of an item: one bitmap each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    Required,
    Installed,
    /// The client could not judge it.
    Unjudged,
    /// Required, and its installation is so far.
    Step(EnforcementState),
}

/// What a vector can say of a deployment: one bitmap each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeploymentMark {
    Compliance(AssignmentCompliance),
    Enforcement(AssignmentEnforcement),
    Evaluation(AssignmentEvaluation),
}

impl Board {
    /// The board of all clients and vectors of a site.
    pub fn rebuild(
        clients: impl IntoIterator<Item = ClientId>,
        vectors: impl IntoIterator<Item = Vector>,
    ) -> Board {
        let mut board = Board { roster: clients.into_iter().collect(), ..Board::default() };
        for vector in vectors {
            board.apply(vector.client, None, Some(&vector));
        }
        board
    }

    #[must_use]
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Makes room for a client that may not have reported yet.
    pub fn enroll(&mut self, client: ClientId) {
        self.roster.enroll(client);
    }

    /// Follows the deletion of a client; its slot is given again.
    pub fn remove(&mut self, client: ClientId) {
        let Some(slot) = self.roster.remove(client) else { return };
        self.items.drop_slot(slot);
        self.deployments.drop_slot(slot);
        self.silence.drop_slot(slot);
    }

    /// Follows a committed change of a client's vector. `old` is what the board was told last.
    pub fn apply(&mut self, client: ClientId, old: Option<&Vector>, new: Option<&Vector>) {
        let slot = self.roster.enroll(client);
        self.items.change(slot, &marks(old), &marks(new));
        self.deployments.change(slot, &deployment_marks(old), &deployment_marks(new));
        let silence = |vector: Option<&Vector>| -> Vec<(Silence, ())> {
            vector.map(|vector| (assured(vector), ())).into_iter().collect()
        };
        self.silence.change(slot, &silence(old), &silence(new));
    }

    /// How many clients are in which state for an update.
    #[must_use]
    pub fn update_counts(&self, item: LiveItem) -> StateCounts {
        let (required, installed) = self.listed(item);
        let judged = self.judged(item);
        let listed = judged.intersection_len(required) + judged.intersection_len(installed);
        let not_required = judged.len() - listed;
        let known = required.len() + installed.len() + not_required;
        StateCounts {
            required: required.len(),
            installed: installed.len(),
            not_required,
            unknown: self.roster.all().len() - known,
        }
    }

    /// How many clients' vectors mark an update so.
    #[must_use]
    pub fn marked_count(&self, item: LiveItem, mark: Mark) -> u64 {
        self.items.of(item.number, mark).len()
    }

    /// The clients that are in a state for an update.
    #[must_use]
    pub fn clients_in_state(&self, item: LiveItem, state: ComplianceState) -> ClientSet {
        match state {
            ComplianceState::Required => self.clients_marked(item, Mark::Required),
            ComplianceState::Installed => self.clients_marked(item, Mark::Installed),
            ComplianceState::NotRequired => ClientSet(self.unlisted(item, &self.judged(item))),
            ComplianceState::Unknown => ClientSet(self.unknown(item, &self.roster.all().0)),
        }
    }

    /// The clients whose vectors mark an update so.
    #[must_use]
    pub fn clients_marked(&self, item: LiveItem, mark: Mark) -> ClientSet {
        ClientSet(self.items.of(item.number, mark).clone())
    }

    /// The clients whose silence about any update means nothing, by the reason.
    #[must_use]
    pub fn unassured(&self) -> BTreeMap<UnknownReason, ClientSet> {
        let mut silent = self.roster.all().0.clone();
        let mut reasons = BTreeMap::new();
        for (silence, clients) in self.silence.each() {
            silent -= clients;
            if let Err(reason) = silence {
                reasons.insert(reason, ClientSet(clients.clone()));
            }
        }
        reasons.insert(UnknownReason::NoReport, ClientSet(silent));
        reasons.retain(|_, clients| !clients.is_empty());
        reasons
    }

    /// The clients of which an update is unknown, each by one reason.
    #[must_use]
    pub fn unknown_by_reason(&self, item: LiveItem) -> BTreeMap<UnknownReason, ClientSet> {
        let mut rest = self.unknown(item, &self.roster.all().0);
        let not_judged = &rest & self.items.of(item.number, Mark::Unjudged);
        rest -= &not_judged;
        let mut reasons = self.unassured();
        for clients in reasons.values_mut() {
            clients.0 &= &rest;
        }
        reasons.values().for_each(|clients| rest -= &clients.0);
        reasons.insert(UnknownReason::NotJudged, ClientSet(not_judged));
        reasons.insert(UnknownReason::NotScannedSince, ClientSet(rest));
        reasons.retain(|_, clients| !clients.is_empty());
        reasons
    }

    /// The pairs of one of `items` and one of `among` that requires it, by how far its installation
    /// is; `None`: nothing was said of that.
    #[must_use]
    pub fn steps(
        &self,
        items: &[LiveItem],
        among: &ClientSet,
    ) -> BTreeMap<Option<EnforcementState>, u64> {
        let mut counts = BTreeMap::new();
        for item in items {
            let mut rest = self.items.of(item.number, Mark::Required).intersection_len(&among.0);
            for (mark, clients) in self.items.marks(item.number) {
                let Mark::Step(step) = mark else { continue };
                let count = clients.intersection_len(&among.0);
                *counts.entry(Some(step)).or_default() += count;
                // Only what is required has a step.
                rest -= count;
            }
            *counts.entry(None).or_default() += rest;
        }
        counts.retain(|_, count| *count > 0);
        counts
    }

    /// How many of `among` said what of a deployment; who said nothing is in no count.
    #[must_use]
    pub fn deployment_marks(
        &self,
        deployment: DeploymentId,
        among: &ClientSet,
    ) -> BTreeMap<DeploymentMark, u64> {
        let marks = self.deployments.marks(deployment);
        let counts = marks.map(|(mark, clients)| (mark, clients.intersection_len(&among.0)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// How far the targets of a deployment of `items` are; `targets` is of this board's roster.
    #[must_use]
    pub fn deployment_sets(&self, items: &[LiveItem], targets: &ClientSet) -> DeploymentSets {
        let mut failed = RoaringBitmap::new();
        let mut required = RoaringBitmap::new();
        let mut unknown = RoaringBitmap::new();
        for item in items {
            for (mark, clients) in self.items.marks(item.number) {
                match mark {
                    Mark::Required => required |= clients & &targets.0,
                    Mark::Step(step) if step.is_failure() => failed |= clients & &targets.0,
                    Mark::Step(_) | Mark::Installed | Mark::Unjudged => {}
                }
            }
            unknown |= self.unknown(*item, &targets.0);
        }
        required -= &failed;
        unknown -= &failed;
        unknown -= &required;
        DeploymentSets {
            compliant: ClientSet(&targets.0 - &failed - &required - &unknown),
            in_progress: ClientSet(required),
            failed: ClientSet(failed),
            unknown: ClientSet(unknown),
        }
    }

    /// Compares with a second board made of `vectors`: `db check`. Empty if they agree.
    pub fn differences(&self, vectors: impl IntoIterator<Item = Vector>) -> Vec<Difference> {
        let mut found = Vec::new();
        let mut second = Board { roster: self.roster.clone(), ..Board::default() };
        for vector in vectors {
            if self.roster.slot(vector.client).is_none() {
                found.push(Difference::Client(vector.client));
            }
            second.apply(vector.client, None, Some(&vector));
        }
        found.extend(self.items.differences(&second.items).map(Difference::Item));
        let deployments = self.deployments.differences(&second.deployments);
        found.extend(deployments.map(Difference::Deployment));
        let silence = self.silence.differences(&second.silence);
        found.extend(silence.map(|silence| match silence {
            Ok(version) => Difference::Covered(version),
            Err(reason) => Difference::Unassured(reason),
        }));
        found
    }

    fn listed(&self, item: LiveItem) -> (&RoaringBitmap, &RoaringBitmap) {
        (self.items.of(item.number, Mark::Required), self.items.of(item.number, Mark::Installed))
    }

    /// Clients that judged an update: where they name it in no list, it is Not Required.
    fn judged(&self, item: LiveItem) -> RoaringBitmap {
        let mut all = RoaringBitmap::new();
        self.silence.range(Ok(item.since)..=Ok(u64::MAX)).for_each(|clients| all |= clients);
        all - self.items.of(item.number, Mark::Unjudged)
    }

    fn unlisted(&self, item: LiveItem, among: &RoaringBitmap) -> RoaringBitmap {
        let (required, installed) = self.listed(item);
        among - required - installed
    }

    fn unknown(&self, item: LiveItem, among: &RoaringBitmap) -> RoaringBitmap {
        self.unlisted(item, among) - self.judged(item)
    }
}

/// What a vector says of items, ascending by mark and item.
fn marks(vector: Option<&Vector>) -> Vec<(u32, Mark)> {
    let Some(vector) = vector else { return Vec::new() };
    let Vector { required, installed, unjudged, detail, .. } = vector;
    let lists =
        [(required, Mark::Required), (installed, Mark::Installed), (unjudged, Mark::Unjudged)];
    let listed =
        lists.into_iter().flat_map(|(list, mark)| list.iter().map(move |item| (*item, mark)));
    let steps = detail.iter().map(|detail| (detail.item, Mark::Step(detail.state)));
    listed.chain(steps).collect()
}

fn deployment_marks(vector: Option<&Vector>) -> Vec<(DeploymentId, DeploymentMark)> {
    let deployments = vector.into_iter().flat_map(|vector| &vector.deployments);
    let said = deployments.flat_map(|(id, state)| {
        let marks = [
            Some(DeploymentMark::Compliance(state.compliance)),
            state.enforcement.map(DeploymentMark::Enforcement),
            Some(DeploymentMark::Evaluation(state.evaluation)),
        ];
        marks.into_iter().flatten().map(|mark| (*id, mark))
    });
    said.collect()
}

#[cfg(test)]
mod tests;
