//! Making the graph out of the tables.

use std::collections::BTreeMap;

use model::UpdateRef;
use sqlite_engine::{ReadTx, Row, RowResult, SqliteError, parse_column};

use super::{Audience, Clause, ClauseKind, Node, Offer, ScanEntry, ScanGraph};
use crate::Error;
use crate::catalog::{update_id, update_ref};
use crate::rulings::{last_change, standing};

/// The last revision of the last version: what a synchronization that is under way, or broke off,
/// has brought since is told to nobody.
const LAST: &str = "SELECT last_revision FROM version ORDER BY version DESC LIMIT 1";

const REVISIONS: &str = "SELECT update_id, revision, id, audience, changed FROM revision AS r
    WHERE id <= ?1 AND document IS NOT NULL AND (is_latest OR NOT EXISTS (
        SELECT 1 FROM revision AS later
        WHERE later.update_id = r.update_id AND later.revision > r.revision AND later.id <= ?1))
    ORDER BY id";

/// Also those whose documents are gone.
const OLDER: &str = "SELECT update_id, revision, id FROM revision WHERE NOT is_latest
    AND id <= ?1";

/// All members of a clause stand together, and all clauses of a revision.
const RELATIONS: &str = "SELECT revision, kind, clause, target FROM relation
    WHERE kind <> 'superseded' ORDER BY revision, kind, clause";

struct Revision {
    local_id: i64,
    update: UpdateRef,
    audience: Audience,
    changed: u64,
}

impl ScanGraph {
    pub(super) fn load(&mut self, tx: &ReadTx) -> Result<(), Error> {
        let last: i64 = tx.query_row(LAST, [], |row| row.get(0))?;
        let revisions = tx.query_all(REVISIONS, [last], revision)?;
        for Revision { local_id, update, audience, .. } in &revisions {
            let at = position(self.nodes.len());
            let (local_id, update, audience) = (*local_id, *update, *audience);
            let offer = Offer::Evaluated;
            let entry = ScanEntry { local_id, update, offer, non_leaf_since: None };
            self.nodes.push(Node { entry, clauses: 0..0, need: 0, audience, is_in_scope: false });
            self.by_update.insert(update.id, at);
            self.by_local_id.insert(local_id, at);
        }
        let older = |row: &Row<'_>| Ok((update_ref(row)?, row.get::<_, i64>(2)?));
        for (update, local_id) in tx.query_all(OLDER, [last], older)? {
            if let Some(at) = self.by_update.get(&update.id) {
                self.by_local_id.insert(local_id, *at);
            }
        }
        self.load_clauses(tx)?;
        self.note_needs();
        self.note_leaves(&revisions);
        self.order = (0..position(self.nodes.len())).collect();
        // Nodes stand in the order of their local ids, and keep it among equals.
        self.order.sort_by_key(|at| self.nodes[*at as usize].entry.is_leaf());
        self.settle(tx)
    }

    /// The same graph with what is declined now.
    pub(super) fn ruled_anew(&self, tx: &ReadTx) -> Result<ScanGraph, Error> {
        let mut graph = self.clone();
        graph.settle(tx)?;
        Ok(graph)
    }

    fn load_clauses(&mut self, tx: &ReadTx) -> Result<(), Error> {
        let mut open: Option<(i64, ClauseKind, u32)> = None;
        let row = |row: &Row<'_>| {
            let clause = (row.get(0)?, clause_kind(row)?, row.get(2)?);
            Ok((clause, update_id(row, 3)?))
        };
        tx.for_each(RELATIONS, [], row, |(clause, target)| -> Result<(), Error> {
            let node = self.by_local_id.get(&clause.0).copied();
            let is_its = |node: &u32| self.nodes[*node as usize].entry.local_id == clause.0;
            let Some(node) = node.filter(is_its) else { return Ok(()) };
            let end = position(self.targets.len());
            if open.replace(clause) != Some(clause) {
                let at = position(self.clauses.len());
                let clauses = &mut self.nodes[node as usize].clauses;
                clauses.start = if clauses.start == clauses.end { at } else { clauses.start };
                clauses.end = at + 1;
                self.clauses.push(Clause { kind: clause.1, targets: end..end });
            }
            if let (Some(target), Some(last)) =
                (self.by_update.get(&target), self.clauses.last_mut())
            {
                self.targets.push(*target);
                last.targets.end = end + 1;
            }
            Ok(())
        })
    }

    fn note_needs(&mut self) {
        let mut known: BTreeMap<Vec<&[u32]>, u32> = BTreeMap::new();
        let (mut needs, mut need_of) = (Vec::new(), Vec::with_capacity(self.nodes.len()));
        for (at, node) in self.nodes.iter().enumerate() {
            let need = *known.entry(self.prerequisites(node).collect()).or_insert_with(|| {
                needs.push(position(at));
                position(needs.len() - 1)
            });
            need_of.push(need);
        }
        self.needs = needs;
        self.nodes.iter_mut().zip(need_of).for_each(|(node, need)| node.need = need);
    }

    /// The whole catalog decides, with what is kept from computers: being evaluated in vain does
    /// no harm.
    fn note_leaves(&mut self, revisions: &[Revision]) {
        for (at, revision) in revisions.iter().enumerate() {
            let clauses = self.nodes[at].clauses.clone();
            for clause in &self.clauses[clauses.start as usize..clauses.end as usize] {
                if clause.kind == ClauseKind::Bundled {
                    continue;
                }
                let targets = clause.targets.start as usize..clause.targets.end as usize;
                for target in &self.targets[targets] {
                    let since = &mut self.nodes[*target as usize].entry.non_leaf_since;
                    *since = Some(since.map_or(revision.changed, |s| s.min(revision.changed)));
                }
            }
        }
    }

    /// Decides what is in scope and what each update is offered as.
    fn settle(&mut self, tx: &ReadTx) -> Result<(), Error> {
        let standing = standing(tx)?;
        self.ruled = last_change(tx)?;
        let audience = |node: &Node| match (node.audience, standing.get(&node.entry.update.id)) {
            (Audience::Own, Some((true, _))) => Audience::Part,
            (audience, _) => audience,
        };
        let audiences: Vec<Audience> = self.nodes.iter().map(audience).collect();
        let mut is_fit: Vec<bool> =
            audiences.iter().map(|audience| *audience != Audience::Kept).collect();
        // Bundles of bundles are rare, so this soon comes to its end.
        let mut is_settled = false;
        while !is_settled {
            is_settled = true;
            for at in 0..is_fit.len() {
                if is_fit[at] && self.is_broken(at, &is_fit) {
                    (is_fit[at], is_settled) = (false, false);
                }
            }
        }
        let is_root = |at: &usize| {
            is_fit[*at] && matches!(audiences[*at], Audience::Own | Audience::Evaluated)
        };
        let reached = self.reach((0..audiences.len()).filter(is_root));
        let mut is_member = vec![false; audiences.len()];
        for clause in self.clauses.iter().filter(|clause| clause.kind == ClauseKind::Bundled) {
            self.targets(clause).iter().for_each(|at| is_member[*at as usize] = true);
        }
        for (at, node) in self.nodes.iter_mut().enumerate() {
            node.is_in_scope = is_fit[at] && reached[at];
            node.entry.offer = match audiences[at] {
                Audience::Own => Offer::Update,
                Audience::Part if is_member[at] => Offer::Member,
                Audience::Part | Audience::Evaluated | Audience::Kept => Offer::Evaluated,
            };
            // Computers that hold what others depend on hear how it is offered from now on.
            if let (Some(since), Some((_, ruled))) =
                (&mut node.entry.non_leaf_since, standing.get(&node.entry.update.id))
            {
                *since = (*since).max(*ruled);
            }
        }
        Ok(())
    }

    /// Whether it is a bundle with a place that nothing can fill.
    fn is_broken(&self, at: usize, is_fit: &[bool]) -> bool {
        let clauses = self.clauses(&self.nodes[at]).iter();
        let mut places = clauses.filter(|clause| clause.kind == ClauseKind::Bundled);
        places.any(|place| !self.targets(place).iter().any(|at| is_fit[*at as usize]))
    }
}

/// A catalog has far fewer revisions and relations than this can count.
fn position(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn revision(row: &Row<'_>) -> RowResult<Revision> {
    let audience = parse_column(row, 3, |name: String| {
        let known = [Audience::Own, Audience::Part, Audience::Evaluated, Audience::Kept];
        let audience = known.into_iter().find(|audience| audience.as_str() == name);
        audience.ok_or(SqliteError::InvalidQuery)
    })?;
    let (update, changed) = (update_ref(row)?, row.get(4)?);
    Ok(Revision { local_id: row.get(2)?, update, audience, changed })
}

fn clause_kind(row: &Row<'_>) -> RowResult<ClauseKind> {
    parse_column(row, 1, |name: String| match name.as_str() {
        "category" => Ok(ClauseKind::Category),
        "prerequisite" => Ok(ClauseKind::Prerequisite),
        "bundled" => Ok(ClauseKind::Bundled),
        _ => Err(SqliteError::InvalidQuery),
    })
}
