//! Which updates a computer that scans has to be told of (MS-WUSP 3.1.5.7).
//!
//! Owns the graph of the latest revisions in memory, as it was when the last version was
//! complete, so that no computer sees half a synchronization. Computers name revisions by their
//! local ids. Refuses to know what is deployed to whom: every update of its own is in scope, with
//! what it needs; an expired or declined one only where others need it. Updates for Linux, drivers
//! and bundles with nothing left in a place are kept from computers. A clause of which nothing is
//! here does not hold.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use model::{UpdateId, UpdateRef};
use sqlite_engine::ReadTx;
use update_metadata::{Document, UpdateKind};

use crate::Error;
use crate::catalog::{Catalog, state};
use crate::cores::Cores;
use crate::rulings::last_change;

mod load;
mod numbered;

use numbered::Numbered;

/// What a revision is to computers, by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    Own,
    Part,
    Evaluated,
    Kept,
}

/// What a computer may do with an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// An update of its own.
    Update,
    /// Installed only as a part of another.
    Member,
    /// Never offered; others depend on it.
    Evaluated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanEntry {
    pub local_id: i64,
    pub update: UpdateRef,
    pub offer: Offer,
    /// The change since which another update has it as a prerequisite; none for a leaf.
    pub non_leaf_since: Option<u64>,
}

/// What a computer says it has.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// Prerequisites that are installed.
    pub installed: Vec<i64>,
    /// Everything else that it was told of.
    pub others: Vec<i64>,
    /// Only updates of these categories, with what they need.
    pub categories: Option<Vec<UpdateId>>,
    /// Changes up to this one are known to it.
    pub seen: u64,
}

/// What it has to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needed {
    /// What others depend on comes first.
    pub new: Vec<ScanEntry>,
    /// Whether there is more of it than was asked for.
    pub is_more_new: bool,
    /// What it has and others have come to depend on since; the first change comes first.
    pub changed: Vec<ScanEntry>,
    /// What it has and should not.
    pub withdrawn: Vec<i64>,
    /// What it has that is in scope, but not of this scan, or not as long as it is without a
    /// prerequisite.
    pub unreached: Vec<i64>,
}

/// The last graph, and after how many transactions it was the last.
pub(crate) type Last = Option<(Arc<ScanGraph>, u64)>;

/// The latest revisions and how they depend on each other.
#[derive(Clone, Debug, Default)]
pub struct ScanGraph {
    /// The version it was made for, and the last change when that was complete.
    version: Option<(u64, u64)>,
    changes: u64,
    /// The last change of what is declined that it takes into account.
    ruled: u64,
    nodes: Vec<Node>,
    /// The order in which computers are told of them: what others depend on, then the leaves.
    order: Vec<u32>,
    /// Clauses of all nodes, and the nodes that they name.
    clauses: Vec<Clause>,
    targets: Vec<u32>,
    /// Of all nodes that need the same one stands here: most updates need what others do.
    needs: Vec<u32>,
    by_update: BTreeMap<UpdateId, u32>,
    /// Older revisions lead to the latest.
    by_local_id: Numbered,
    /// Told in every scan.
    pub(crate) cores: Arc<Cores>,
}

#[derive(Clone, Debug)]
struct Node {
    entry: ScanEntry,
    clauses: Range<u32>,
    /// What it needs, by its place in `needs`.
    need: u32,
    audience: Audience,
    is_in_scope: bool,
}

#[derive(Clone, Debug)]
struct Clause {
    kind: ClauseKind,
    targets: Range<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClauseKind {
    Category,
    Prerequisite,
    Bundled,
}

impl Audience {
    pub(crate) fn of(document: &Document) -> Audience {
        let properties = &document.properties;
        match properties.kind {
            UpdateKind::Driver => Audience::Kept,
            _ if document.uses_linux_rules() => Audience::Kept,
            UpdateKind::Category | UpdateKind::Detectoid => Audience::Evaluated,
            UpdateKind::Software if properties.is_expired => Audience::Part,
            UpdateKind::Software if properties.is_explicitly_deployable => Audience::Own,
            UpdateKind::Software => Audience::Part,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Audience::Own => "own",
            Audience::Part => "part",
            Audience::Evaluated => "evaluated",
            Audience::Kept => "kept",
        }
    }
}

impl ScanEntry {
    /// Whether no other update has it as a prerequisite.
    #[must_use]
    pub fn is_leaf(&self) -> bool {
        self.non_leaf_since.is_none()
    }
}

impl Catalog {
    /// The graph of the last complete version; an empty one before there is any.
    pub async fn scan_graph(&self) -> Result<Arc<ScanGraph>, Error> {
        // Read before the catalog is: what is written in between is looked for again.
        let writes = self.writes.load(Ordering::Acquire);
        // Whoever makes one holds it for long, on a thread for that.
        if let Ok(kept) = self.scan_graph.try_lock()
            && let Some((graph, _)) = kept.as_ref().filter(|(_, at)| *at == writes)
        {
            return Ok(graph.clone());
        }
        let kept = self.scan_graph.clone();
        let current = move |tx: &ReadTx| -> Result<Arc<ScanGraph>, Error> {
            let state = state(tx)?;
            let version = state.version.map(|(version, changes)| (version.version, changes));
            // Whoever comes second waits here and finds what the first one made.
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            let ruled = last_change(tx)?;
            let last = kept.take().filter(|(graph, _)| graph.version == version);
            let graph = match last {
                Some((graph, _)) if graph.ruled == ruled => graph,
                // What came since the version stays out of it.
                Some((graph, _)) => Arc::new(graph.ruled_anew(tx)?),
                None => {
                    let changes = state.changes;
                    let mut graph = ScanGraph { version, changes, ..ScanGraph::default() };
                    if version.is_some() {
                        graph.load(tx)?;
                    }
                    Arc::new(graph)
                }
            };
            *kept = Some((graph.clone(), writes));
            Ok(graph)
        };
        self.database.read(current).await
    }
}

impl ScanGraph {
    /// The last change it knows.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// The version of the catalog it shows; 0 before the first.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.map_or(0, |(version, _)| version)
    }

    /// The latest revision of an update, in scope or not.
    #[must_use]
    pub fn latest(&self, update: UpdateId) -> Option<ScanEntry> {
        Some(self.node(*self.by_update.get(&update)?).entry)
    }

    /// What the latest revision of a bundle may consist of.
    pub fn members(&self, bundle: UpdateId) -> impl Iterator<Item = UpdateId> {
        let node = self.by_update.get(&bundle).map(|at| self.node(*at));
        let clauses = node.map_or(&[][..], |node| self.clauses(node)).iter();
        let places = clauses.filter(|clause| clause.kind == ClauseKind::Bundled);
        places.flat_map(|place| self.targets(place)).map(|at| self.node(*at).entry.update.id)
    }

    /// An update in scope, by the local id of its latest revision.
    #[must_use]
    pub fn entry(&self, local_id: i64) -> Option<ScanEntry> {
        let node = self.node(*self.by_local_id.get(&local_id)?);
        (node.is_in_scope && node.entry.local_id == local_id).then_some(node.entry)
    }

    /// An update in scope, by its latest revision.
    #[must_use]
    pub fn find(&self, update: UpdateRef) -> Option<ScanEntry> {
        let node = self.node(*self.by_update.get(&update.id)?);
        (node.is_in_scope && node.entry.update == update).then_some(node.entry)
    }

    #[must_use]
    pub fn knows(&self, update: UpdateId) -> bool {
        self.by_update.contains_key(&update)
    }

    /// `new_max`: as many as fit into one answer; it does not look for those that do not.
    #[must_use]
    pub fn needed(&self, held: &Held, new_max: usize) -> Needed {
        let mut needed = Needed::default();
        let reached = held.categories.as_ref().map(|categories| self.reach_of(categories));
        let is_reached =
            |at: usize| reached.as_ref().map_or(self.nodes[at].is_in_scope, |reached| reached[at]);
        let mut installed = vec![false; self.nodes.len()];
        // An older revision of a prerequisite counts until the computer has judged the latest.
        for at in held.installed.iter().filter_map(|id| self.by_local_id.get(id)) {
            installed[*at as usize] = true;
        }
        let mut met = Met { graph: self, installed, known: vec![None; self.needs.len()] };
        let mut is_held = vec![false; self.nodes.len()];
        for &id in held.installed.iter().chain(&held.others) {
            let known = self.by_local_id.get(&id).map(|at| *at as usize);
            let latest = known.filter(|at| self.nodes[*at].entry.local_id == id);
            let Some(at) = latest.filter(|at| self.nodes[*at].is_in_scope) else {
                needed.withdrawn.push(id);
                continue;
            };
            if std::mem::replace(&mut is_held[at], true) {
                continue;
            }
            let entry = self.nodes[at].entry;
            if !is_reached(at) || !met.holds(&self.nodes[at]) {
                needed.unreached.push(id);
            } else if entry.non_leaf_since.is_some_and(|since| since > held.seen) {
                needed.changed.push(entry);
            }
        }
        let is_new = |at: &usize| !is_held[*at] && is_reached(*at);
        let new = self.order.iter().map(|at| *at as usize).filter(is_new);
        let new = new.map(|at| &self.nodes[at]).filter(|node| met.holds(node));
        let mut new = new.map(|node| node.entry);
        needed.new = new.by_ref().take(new_max).collect();
        needed.is_more_new = new.next().is_some();
        needed.changed.sort_by_key(|entry| (entry.non_leaf_since, entry.local_id));
        needed
    }

    fn node(&self, at: u32) -> &Node {
        &self.nodes[at as usize]
    }

    fn clauses(&self, node: &Node) -> &[Clause] {
        &self.clauses[node.clauses.start as usize..node.clauses.end as usize]
    }

    fn targets(&self, clause: &Clause) -> &[u32] {
        &self.targets[clause.targets.start as usize..clause.targets.end as usize]
    }

    /// What a node must have installed: clauses, of each of which one.
    fn prerequisites(&self, node: &Node) -> impl Iterator<Item = &[u32]> {
        let clauses = self.clauses(node).iter();
        let prerequisites = clauses.filter(|clause| clause.kind != ClauseKind::Bundled);
        prerequisites.map(|clause| self.targets(clause))
    }

    /// These categories, the updates that belong to them, and what all of them need.
    fn reach_of(&self, categories: &[UpdateId]) -> Vec<bool> {
        let mut is_listed = vec![false; self.nodes.len()];
        let known = categories.iter().filter_map(|id| self.by_update.get(id));
        known.for_each(|at| is_listed[*at as usize] = true);
        let belongs = |clause: &Clause| {
            clause.kind == ClauseKind::Category
                && self.targets(clause).iter().any(|at| is_listed[*at as usize])
        };
        let is_root = |(at, node): &(usize, &Node)| {
            let is_update = node.is_in_scope && node.entry.offer == Offer::Update;
            is_listed[*at] || (is_update && self.clauses(node).iter().any(belongs))
        };
        let roots = self.nodes.iter().enumerate().filter(is_root).map(|(at, _)| at);
        let mut reached = self.reach(roots);
        for (at, node) in self.nodes.iter().enumerate() {
            reached[at] &= node.is_in_scope;
        }
        reached
    }

    /// What can be come to from these over prerequisites and bundles.
    fn reach(&self, roots: impl Iterator<Item = usize>) -> Vec<bool> {
        let mut reached = vec![false; self.nodes.len()];
        let mut waiting: Vec<usize> = roots.collect();
        while let Some(at) = waiting.pop() {
            if std::mem::replace(&mut reached[at], true) {
                continue;
            }
            for clause in self.clauses(&self.nodes[at]) {
                waiting.extend(self.targets(clause).iter().map(|target| *target as usize));
            }
        }
        reached
    }
}

/// Whether nodes have what they need, each need looked at once.
struct Met<'a> {
    graph: &'a ScanGraph,
    installed: Vec<bool>,
    known: Vec<Option<bool>>,
}

impl Met<'_> {
    fn holds(&mut self, node: &Node) -> bool {
        let Met { graph, installed, known } = self;
        let look = || {
            let one = graph.node(graph.needs[node.need as usize]);
            let mut clauses = graph.prerequisites(one);
            clauses.all(|targets| targets.iter().any(|at| installed[*at as usize]))
        };
        *known[node.need as usize].get_or_insert_with(look)
    }
}

#[cfg(test)]
mod tests;
