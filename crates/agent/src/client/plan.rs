//! What a client does next about its deployments (DEP-16 … DEP-21).
//!
//! Content is fetched as soon as a required deployment is known; installation waits for the
//! deadline, and a deadline that has passed means now. Only what policy names by digest is ever
//! fetched or installed.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    AssignedFile, AssignedUpdate, Assignment, EnforcementState, Intent, Sha256, Timestamp,
    UpdateId, UpdateRef,
};
use update_metadata::Applicability;

use crate::client::ledger::Progress;
use crate::client::scan::{Judged, Scan};

/// What is remembered of the last installation of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) revision: u32,
    pub(crate) phase: Phase,
    /// How often its installer was started.
    pub(crate) attempts: u32,
    pub(crate) at: Timestamp,
    /// Which start of the system it was; another one fulfills a pending restart.
    pub(crate) boot: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Durable before the installer starts. Found after a crash: detection decides.
    Installing,
    Installed,
    PendingRestart,
    Failed(i32),
}

/// Everything the decision depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation<'a> {
    pub(crate) assignments: &'a [Assignment],
    pub(crate) scan: &'a Scan,
    pub(crate) runs: &'a BTreeMap<UpdateId, Run>,
    /// Files that are here.
    pub(crate) present: &'a BTreeSet<Sha256>,
    /// What went wrong with files that are not.
    pub(crate) troubles: &'a BTreeMap<Sha256, (EnforcementState, i32)>,
    pub(crate) boot: &'a str,
    /// After this time what failed is tried again.
    pub(crate) retry_ms: i64,
    pub(crate) now: Timestamp,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Files to fetch, each once.
    pub(crate) fetch: Vec<AssignedFile>,
    /// What to install now, in this order.
    pub(crate) install: Vec<AssignedUpdate>,
    /// Where every required update of a required deployment stands.
    pub(crate) progress: Progress,
    /// When there may be more to do.
    pub(crate) wake_at: Option<Timestamp>,
}

/// Why a catalog does not do for what policy names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Its document is not the one that policy names by digest.
    Altered(UpdateRef),
    /// It is not there yet, or only an older revision of it.
    Missing(UpdateRef),
}

/// The first doubt about a catalog; an altered document outweighs all missing ones.
pub(crate) fn doubt(assignments: &[Assignment], scan: &Scan) -> Option<Doubt> {
    let doubts = assignments.iter().flat_map(|assignment| &assignment.updates);
    let doubts = doubts.filter_map(|assigned| match scan.updates.get(&assigned.update.id) {
        None => Some(Doubt::Missing(assigned.update)),
        Some(found) if found.update.revision < assigned.update.revision => {
            Some(Doubt::Missing(assigned.update))
        }
        Some(found) if found.update == assigned.update && found.document != assigned.document => {
            Some(Doubt::Altered(assigned.update))
        }
        Some(_) => None,
    });
    doubts.min_by_key(|doubt| matches!(doubt, Doubt::Missing(_)))
}

pub(crate) fn decide(situation: &Situation<'_>) -> Plan {
    let mut plan = Plan::default();
    let required = situation.assignments.iter().filter(|a| a.intent == Intent::Required);
    for assignment in required {
        let named: BTreeMap<UpdateId, &AssignedUpdate> =
            assignment.updates.iter().map(|assigned| (assigned.update.id, assigned)).collect();
        let due = assignment.deadline.unwrap_or(assignment.available_at);
        let due = due.max(assignment.available_at);
        for assigned in &assignment.updates {
            let Some(root) = situation.scan.updates.get(&assigned.update.id) else { continue };
            if !root.is_visible || root.verdict != Applicability::Applicable {
                continue;
            }
            for leaf in leaves(situation.scan, root) {
                let standing = match named.get(&leaf.update.id) {
                    Some(assigned) => advance(situation, leaf, assigned, due, &mut plan),
                    None => (EnforcementState::WaitingForContent, 0),
                };
                let worst = plan.progress.entry(root.update.id).or_insert(standing);
                *worst = worse(*worst, standing);
            }
        }
    }
    plan
}

/// What is installed for an update: itself, or the required members of a bundle.
fn leaves<'a>(scan: &'a Scan, root: &'a Judged) -> Vec<&'a Judged> {
    let (mut leaves, mut seen, mut ahead) = (Vec::new(), BTreeSet::new(), vec![root]);
    while let Some(judged) = ahead.pop() {
        if !seen.insert(judged.update.id) {
            continue;
        }
        if judged.is_bundle {
            let members = judged.members.iter().rev();
            ahead.extend(members.filter_map(|member| scan.updates.get(member)));
        } else if judged.verdict == Applicability::Applicable {
            leaves.push(judged);
        }
    }
    leaves
}

/// Adds what is to be done for one update and says where it stands.
fn advance(
    situation: &Situation<'_>,
    leaf: &Judged,
    assigned: &AssignedUpdate,
    due: Timestamp,
    plan: &mut Plan,
) -> Standing {
    let run = situation.runs.get(&leaf.update.id);
    if let Some(run) = run.filter(|run| run.revision == leaf.update.revision) {
        match run.phase {
            Phase::PendingRestart if run.boot == situation.boot => {
                return (EnforcementState::PendingRestart, 0);
            }
            // A clock that stepped back must not put it off for ever.
            Phase::Failed(code) if (0..situation.retry_ms).contains(&run.age(situation.now)) => {
                plan.wake(run.at.plus_ms(situation.retry_ms));
                return (EnforcementState::Failed, code);
            }
            Phase::Failed(_) | Phase::PendingRestart | Phase::Installing | Phase::Installed => {}
        }
    }
    let is_named = (assigned.update, assigned.document) == (leaf.update, leaf.document);
    if !is_named || (leaf.has_files && assigned.files.is_empty()) {
        return (EnforcementState::WaitingForContent, 0);
    }
    let missing = assigned.files.iter().filter(|file| !situation.present.contains(&file.sha256));
    let mut missing = missing.peekable();
    if missing.peek().is_some() {
        let mut standing = (EnforcementState::Downloading, 0);
        for file in missing {
            standing = situation.troubles.get(&file.sha256).copied().unwrap_or(standing);
            if !plan.fetch.iter().any(|planned| planned.sha256 == file.sha256) {
                plan.fetch.push(file.clone());
            }
        }
        return standing;
    }
    if due > situation.now {
        plan.wake(due);
        return (EnforcementState::Downloaded, 0);
    }
    if !plan.install.iter().any(|planned| planned.update == assigned.update) {
        plan.install.push(assigned.clone());
    }
    (EnforcementState::Installing, 0)
}

impl Plan {
    fn wake(&mut self, at: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(at, |earlier| earlier.min(at)));
    }
}

impl Run {
    fn age(&self, now: Timestamp) -> i64 {
        now.0.saturating_sub(self.at.0)
    }
}

type Standing = (EnforcementState, i32);

/// A bundle stands where its least finished member stands, and a failure outweighs all.
fn worse(a: Standing, b: Standing) -> Standing {
    let rank = |standing: Standing| match standing.0 {
        EnforcementState::Failed => 7,
        EnforcementState::DownloadFailed => 6,
        EnforcementState::WaitingForContent => 5,
        EnforcementState::Downloading => 4,
        EnforcementState::Downloaded => 3,
        EnforcementState::Installing => 2,
        EnforcementState::PendingRestart => 1,
        EnforcementState::Installed => 0,
    };
    if rank(b) > rank(a) { b } else { a }
}

#[cfg(test)]
mod tests;
