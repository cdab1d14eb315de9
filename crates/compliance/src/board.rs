//! The board: per item, bitmaps of the clients that require it, have it, work on it or failed.
//!
//! Derived from the vectors and never stored; it follows the database after each commit and never
//! leads it. Counters are lengths of bitmaps, every question is an intersection. Who is in no
//! bitmap of an item is told apart by `covered`: catalog version → clients whose silence about an
//! update up to that version means Not Required.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use model::{ClientId, ComplianceState, Vector};
use roaring::RoaringBitmap;

use crate::standing::assured;
use crate::{ClientSet, LiveItem, Roster, StateCounts};

#[derive(Clone, Debug, Default)]
pub struct Board {
    roster: Roster,
    items: BTreeMap<u32, Cells>,
    covered: BTreeMap<u64, RoaringBitmap>,
}

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
    /// The clients covered by a catalog version.
    Covered(u64),
}

/// What a vector can say of an item: one bitmap each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Required,
    Installed,
    /// The client could not judge it.
    Unjudged,
    /// Required, and being downloaded or installed, or waiting for content or a restart.
    InProgress,
    /// Required, and its last download or installation failed.
    Failed,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Cells([RoaringBitmap; 5]);

impl Cells {
    fn of(&self, mark: Mark) -> &RoaringBitmap {
        &self.0[mark as usize]
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(RoaringBitmap::is_empty)
    }
}

/// What an item that nobody reported has.
static NO_CELLS: LazyLock<Cells> = LazyLock::new(Cells::default);

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
        self.items.retain(|_, cells| {
            for bits in &mut cells.0 {
                bits.remove(slot);
            }
            !cells.is_empty()
        });
        self.covered.retain(|_, bits| {
            bits.remove(slot);
            !bits.is_empty()
        });
    }

    /// Follows a committed change of a client's vector. `old` is what the board was told last.
    pub fn apply(&mut self, client: ClientId, old: Option<&Vector>, new: Option<&Vector>) {
        let slot = self.roster.enroll(client);
        let (before, after) = (lists(old), lists(new));
        for mark in 0..before.len() {
            let (before, after) = (&before[mark], &after[mark]);
            for item in before.iter().filter(|item| after.binary_search(item).is_err()) {
                self.clear(*item, mark, slot);
            }
            for item in after.iter().filter(|item| before.binary_search(item).is_err()) {
                self.items.entry(*item).or_default().0[mark].insert(slot);
            }
        }
        let covered = |vector: Option<&Vector>| vector.and_then(|vector| assured(vector).ok());
        if let Some(version) = covered(old) {
            self.uncover(version, slot);
        }
        if let Some(version) = covered(new) {
            self.covered.entry(version).or_default().insert(slot);
        }
    }

    /// How many clients are in which state for an update.
    #[must_use]
    pub fn update_counts(&self, item: LiveItem) -> StateCounts {
        let cells = self.cells(item);
        let (required, installed) = (cells.of(Mark::Required), cells.of(Mark::Installed));
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
        self.cells(item).of(mark).len()
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
        ClientSet(self.cells(item).of(mark).clone())
    }

    /// How far the targets of a deployment of `items` are; `targets` is of this board's roster.
    #[must_use]
    pub fn deployment_sets(&self, items: &[LiveItem], targets: &ClientSet) -> DeploymentSets {
        let mut failed = RoaringBitmap::new();
        let mut required = RoaringBitmap::new();
        let mut unknown = RoaringBitmap::new();
        for item in items {
            let cells = self.cells(*item);
            failed |= cells.of(Mark::Failed) & &targets.0;
            required |= cells.of(Mark::Required) & &targets.0;
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
        found.extend(unequal(&self.items, &second.items).map(Difference::Item));
        found.extend(unequal(&self.covered, &second.covered).map(Difference::Covered));
        found
    }

    fn cells(&self, item: LiveItem) -> &Cells {
        self.items.get(&item.number).unwrap_or(&NO_CELLS)
    }

    /// Clients that judged an update: where they name it in no list, it is Not Required.
    fn judged(&self, item: LiveItem) -> RoaringBitmap {
        let mut all = RoaringBitmap::new();
        self.covered.range(item.since..).for_each(|(_, bits)| all |= bits);
        all - self.cells(item).of(Mark::Unjudged)
    }

    fn unlisted(&self, item: LiveItem, among: &RoaringBitmap) -> RoaringBitmap {
        let cells = self.cells(item);
        among - cells.of(Mark::Required) - cells.of(Mark::Installed)
    }

    fn unknown(&self, item: LiveItem, among: &RoaringBitmap) -> RoaringBitmap {
        self.unlisted(item, among) - self.judged(item)
    }

    fn clear(&mut self, item: u32, mark: usize, slot: u32) {
        let Some(cells) = self.items.get_mut(&item) else { return };
        cells.0[mark].remove(slot);
        if cells.is_empty() {
            self.items.remove(&item);
        }
    }

    fn uncover(&mut self, version: u64, slot: u32) {
        let Some(bits) = self.covered.get_mut(&version) else { return };
        bits.remove(slot);
        if bits.is_empty() {
            self.covered.remove(&version);
        }
    }
}

/// The item numbers of each mark, ascending.
fn lists(vector: Option<&Vector>) -> [Vec<u32>; 5] {
    let Some(vector) = vector else { return Default::default() };
    let (failed, in_progress): (Vec<_>, Vec<_>) =
        vector.detail.iter().partition(|detail| detail.state.is_failure());
    let items = |details: Vec<&model::Detail>| details.iter().map(|detail| detail.item).collect();
    let Vector { required, installed, unjudged, .. } = vector.clone();
    [required, installed, unjudged, items(in_progress), items(failed)]
}

fn unequal<K: Ord + Copy, V: PartialEq>(
    left: &BTreeMap<K, V>,
    right: &BTreeMap<K, V>,
) -> impl Iterator<Item = K> {
    let keys: BTreeSet<K> = left.keys().chain(right.keys()).copied().collect();
    keys.into_iter().filter(|key| left.get(key) != right.get(key))
}

#[cfg(test)]
mod tests;
