//! What a client does next about its deployments (DEP-16 … DEP-21).
//!
//! Content is fetched as soon as a required deployment is known; installation waits for the
//! deadline, and a deadline that has passed means now. Then it waits for a maintenance window that
//! has room for it, and what takes least time is first (MW-03, MW-04). Only what policy names by
//! digest is ever fetched or installed.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    AssignedFile, AssignedUpdate, Assignment, ClientId, EnforcementState, Intent, Sha256,
    TimeBasis, Timestamp, UpdateId, UpdateRef,
};
use recurrence::{Calendar, Room, Zone};
use update_metadata::Applicability;

use crate::client::ledger::Progress;
use crate::client::scan::{Judged, Scan};
use crate::digest::sha256;

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
    /// When something may be installed here.
    pub(crate) calendar: &'a Calendar,
    /// What shows the times of deployments that go by the client's clock.
    pub(crate) clock: &'a Zone,
    pub(crate) client: ClientId,
    /// After this time what failed is tried again.
    pub(crate) retry_ms: i64,
    pub(crate) now: Timestamp,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Files to fetch, each once.
    pub(crate) fetch: Vec<AssignedFile>,
    /// What to install now, in this order: what takes least time first.
    pub(crate) install: Vec<AssignedUpdate>,
    /// Where every required update of a required deployment stands.
    pub(crate) progress: Progress,
    /// When there may be more to do.
    pub(crate) wake_at: Option<Timestamp>,
    /// Where so many minutes find room, worked out once for all updates.
    rooms: BTreeMap<u16, Room>,
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
        let due = due(situation, assignment);
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
    plan.install.sort_by_key(|assigned| assigned.max_run_minutes);
    plan
}

/// When an assignment is to be carried out.
#[derive(Clone, Copy, Debug)]
struct Due {
    at: Timestamp,
    is_bound_to_windows: bool,
}

fn due(situation: &Situation<'_>, assignment: &Assignment) -> Due {
    let moment = |at| match assignment.basis {
        TimeBasis::Utc => at,
        TimeBasis::ClientLocal => situation.clock.moment(at),
    };
    let available = moment(assignment.available_at);
    let deadline = assignment.deadline.map_or(available, moment).max(available);
    Due {
        at: deadline.plus_ms(delay_ms(situation.client, assignment)),
        is_bound_to_windows: !assignment.experience.install_outside_window,
    }
}

/// Where within the spread of a deployment this client is: always the same, and different from
/// others, so that not all of them begin at once (CSET-10).
fn delay_ms(client: ClientId, assignment: &Assignment) -> i64 {
    let spread_ms = i64::from(assignment.spread_minutes) * 60_000;
    let [a, b, c, d, ..] =
        sha256(&[client.as_bytes().as_slice(), assignment.deployment.as_bytes()].concat()).0;
    i64::from(u32::from_le_bytes([a, b, c, d])) % spread_ms.max(1)
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
    due: Due,
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
    if due.at > situation.now {
        plan.wake(due.at);
        return (EnforcementState::Downloaded, 0);
    }
    if due.is_bound_to_windows {
        match plan.room(situation, assigned.max_run_minutes) {
            Room::Now => {}
            Room::From(at) => {
                plan.wake(at);
                return (EnforcementState::WaitingForWindow, 0);
            }
            Room::Never => return (EnforcementState::WaitingForWindow, 0),
        }
    }
    if !plan.install.iter().any(|planned| planned.update == assigned.update) {
        plan.install.push(assigned.clone());
    }
    (EnforcementState::Installing, 0)
}

impl Plan {
    fn room(&mut self, situation: &Situation<'_>, minutes: u16) -> Room {
        let room = || situation.calendar.room(situation.now, minutes.into());
        *self.rooms.entry(minutes).or_insert_with(room)
    }

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
        EnforcementState::Failed => 8,
        EnforcementState::DownloadFailed => 7,
        EnforcementState::WaitingForContent => 6,
        EnforcementState::Downloading => 5,
        EnforcementState::Downloaded => 4,
        EnforcementState::WaitingForWindow => 3,
        EnforcementState::Installing => 2,
        EnforcementState::PendingRestart => 1,
        EnforcementState::Installed => 0,
    };
    if rank(b) > rank(a) { b } else { a }
}

#[cfg(test)]
mod tests;
