//! What a client does next about its deployments (DEP-16 … DEP-23).
//!
//! Content is fetched as soon as a required deployment is known, and of an available one when a
//! user starts it; installation waits for the deadline, and a deadline that has passed means now.
//! Then it waits for a maintenance window that has room for it, and what takes least time is first
//! (MW-03, MW-04). What a user starts waits for neither (MW-06). Only what policy names by digest
//! is ever fetched or installed.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    AssignedFile, AssignedUpdate, Assignment, ClientId, DeploymentId, EnforcementState, Intent,
    Notify, Sha256, TimeBasis, Timestamp, UpdateId, UpdateRef,
};
use recurrence::{Calendar, Room, Zone};
use update_metadata::Applicability;

use crate::digest::sha256;
use crate::ledger::Progress;
use crate::limits::{DAY_MS, HOUR_MS, MINUTE_MS};
use crate::restart::Need;
use crate::rules::Rules;
use crate::scan::{Judged, Scan};

/// What is remembered of the last installation of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub revision: u32,
    pub phase: Phase,
    /// How often its installer was started.
    pub attempts: u32,
    pub at: Timestamp,
    /// Which start of the system it was; another one fulfills a pending restart.
    pub boot: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Durable before the installer starts. Found after a crash: detection decides.
    Installing,
    Installed,
    PendingRestart,
    Failed(i32),
    /// Nothing is known that would matter: its content was lost, or the client was reset.
    Waiting,
}

impl Phase {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Installing => "installing",
            Phase::Installed => "installed",
            Phase::PendingRestart => "installed, a restart is pending",
            Phase::Failed(_) => "failed",
            Phase::Waiting => "waiting",
        }
    }
}

/// Everything the decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    pub assignments: &'a [Assignment],
    pub scan: &'a Scan,
    pub runs: &'a BTreeMap<UpdateId, Run>,
    /// Files that are here.
    pub present: &'a BTreeSet<Sha256>,
    /// What went wrong with files that are not.
    pub troubles: &'a BTreeMap<Sha256, (EnforcementState, i32)>,
    pub boot: &'a str,
    /// When something may be installed here.
    pub calendar: &'a Calendar,
    /// What shows the times of deployments that go by the client's clock.
    pub clock: &'a Zone,
    pub client: ClientId,
    pub rules: &'a Rules,
    /// What users have started.
    pub wishes: &'a BTreeMap<UpdateId, Timestamp>,
    /// Available updates that are offered to nobody here.
    pub hidden: &'a BTreeSet<UpdateId>,
    /// Restarts of servers and of workstations are suppressed apart.
    pub is_server: bool,
    /// What is written is gone after the next start (DEP-27).
    pub is_filter_closed: bool,
    /// Its installer runs, or is about to.
    pub running: Option<UpdateId>,
    /// Since when each update could have been installed here.
    pub ready_since: &'a BTreeMap<UpdateId, Timestamp>,
    /// After a restart, what was missed waits until then (INT-09).
    pub missed_until: Timestamp,
    /// Policy holds no more: nothing new is begun upon it.
    pub is_expired: bool,
    pub now: Timestamp,
}

/// A file that is to be here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub file: AssignedFile,
    /// The update whose it is.
    pub update: UpdateRef,
    /// A deployment that wants it takes it from its publisher, too, where no point has it (DEP-05).
    pub is_public: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Files to fetch, each once.
    pub fetch: Vec<Wanted>,
    /// What to install now, in this order: what takes least time first.
    pub install: Vec<AssignedUpdate>,
    /// Where every required update of a required deployment stands.
    pub progress: Progress,
    /// Why a restart is needed, as far as installations ask for one.
    pub restarts: Vec<Need>,
    /// The write filter has to be opened before something that is due can be installed.
    pub opens_filter: bool,
    /// Something that is due is to be kept, so that it must not be closed yet.
    pub keeps_filter_open: bool,
    /// Updates that users may start.
    pub offered: BTreeSet<UpdateId>,
    /// What each deployment waits for with each update that is to be installed.
    pub dues: BTreeMap<(DeploymentId, UpdateId), Dated>,
    /// When there may be more to do.
    pub wake_at: Option<Timestamp>,
    /// Where so many minutes find room, worked out once for all updates.
    rooms: BTreeMap<u16, Room>,
    /// What `fetch` has, with its place there, and what `install` names.
    fetched: BTreeMap<Sha256, usize>,
    installed: BTreeSet<UpdateId>,
}

/// When an update of a deployment is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dated {
    /// None: not before a user starts it.
    pub at: Option<Timestamp>,
    /// Without chance and grace.
    pub deadline: Option<Timestamp>,
}

/// Why a catalog does not do for what policy names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Its document is not the one that policy names by digest.
    Altered(UpdateRef),
    /// It is not there yet, or only an older revision of it.
    Missing(UpdateRef),
}

/// The first doubt about a catalog; an altered document outweighs all missing ones.
pub fn doubt(assignments: &[Assignment], scan: &Scan) -> Option<Doubt> {
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

#[must_use]
pub fn decide(situation: &Situation<'_>) -> Plan {
    let mut plan = Plan::default();
    let deadlines = match situation.rules.gather_ms {
        0 => BTreeSet::new(),
        _ => deadlines(situation),
    };
    for assignment in situation.assignments.iter().filter(|a| a.intent != Intent::Uninstall) {
        let named: BTreeMap<UpdateId, &AssignedUpdate> =
            assignment.updates.iter().map(|assigned| (assigned.update.id, assigned)).collect();
        for assigned in &assignment.updates {
            let Some(root) = situation.scan.updates.get(&assigned.update.id) else { continue };
            if !root.is_visible || root.verdict != Applicability::Applicable {
                continue;
            }
            let due = due(situation, assignment, root, &deadlines, &mut plan);
            let Some(due) = due else { continue };
            let dated = Dated { at: due.at, deadline: due.deadline };
            plan.dues.insert((assignment.deployment, root.update.id), dated);
            for leaf in leaves(situation.scan, root) {
                let standing = match named.get(&leaf.update.id) {
                    Some(assigned) => advance(situation, leaf, assigned, &due, &mut plan),
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

/// When an update of an assignment is to be carried out.
#[derive(Clone, Copy, Debug)]
struct Due<'a> {
    /// None: not before a user starts it.
    at: Option<Timestamp>,
    /// Without chance and grace, which a restart does not wait for.
    deadline: Option<Timestamp>,
    is_bound_to_windows: bool,
    wished_at: Option<Timestamp>,
    assignment: &'a Assignment,
}

/// When it is due for this update; none if nothing is to be done for it at all.
fn due<'a>(
    situation: &Situation<'_>,
    assignment: &'a Assignment,
    root: &Judged,
    deadlines: &BTreeSet<Timestamp>,
    plan: &mut Plan,
) -> Option<Due<'a>> {
    let Situation { now, rules, .. } = *situation;
    let id = root.update.id;
    let available = moment(situation, assignment, assignment.available_at);
    let wished_at = situation.wishes.get(&id).copied().filter(|_| available <= now);
    if available <= now && !situation.hidden.contains(&id) {
        plan.offered.insert(id);
    }
    let is_required = assignment.intent == Intent::Required;
    let deadline = is_required.then_some(assignment.deadline).flatten();
    let deadline = deadline.map(|at| moment(situation, assignment, at).max(available));
    if wished_at.is_some() {
        let at = Some(available);
        return Some(Due { at, deadline, is_bound_to_windows: false, wished_at, assignment });
    }
    if !is_required {
        plan.wake_later(available, now);
        return None;
    }
    let at = match deadline {
        Some(deadline) => Some(act_at(situation, assignment, deadline, available, deadlines)),
        None if rules.schedule.is_immediate && !root.may_restart => Some(available),
        None => situation.scheduled(root, available),
    };
    let at = match &rules.agent_schedule {
        Some(schedule) if root.is_agent => {
            schedule.after(situation.since(root, available).plus_ms(-1))
        }
        _ => at,
    };
    // Other software starts it, as a user would (CSET-15).
    let at = at.filter(|_| !rules.is_orchestrated);
    let is_bound_to_windows = !assignment.experience.install_outside_window;
    Some(Due { at, deadline, is_bound_to_windows, wished_at, assignment })
}

/// The deadline as this client takes it: with its share of the spread (CSET-10) and with grace
/// (CSET-11), and with the first deadline that gathers it (CSET-05).
fn act_at(
    situation: &Situation<'_>,
    assignment: &Assignment,
    deadline: Timestamp,
    available: Timestamp,
    deadlines: &BTreeSet<Timestamp>,
) -> Timestamp {
    let Situation { rules, client, now, missed_until, .. } = *situation;
    let grace = if assignment.experience.soft_deadline { rules.grace_ms } else { 0 };
    let first = deadlines.range(deadline.plus_ms(-rules.gather_ms)..=deadline).next();
    let carried_out = first.copied().unwrap_or(deadline).max(available);
    let at = carried_out.plus_ms(delay_ms(client, assignment)).plus_ms(grace);
    if at <= now { at.max(missed_until) } else { at }
}

/// The deadlines of policy, in order.
fn deadlines(situation: &Situation<'_>) -> BTreeSet<Timestamp> {
    let required = situation.assignments.iter().filter(|a| a.intent == Intent::Required);
    let of = |assignment: &Assignment| {
        let available = moment(situation, assignment, assignment.available_at);
        assignment.deadline.map(|at| moment(situation, assignment, at).max(available))
    };
    required.filter_map(of).collect()
}

/// A time of a deployment, by the clock that it goes by.
fn moment(situation: &Situation<'_>, assignment: &Assignment, at: Timestamp) -> Timestamp {
    match assignment.basis {
        TimeBasis::Utc => at,
        TimeBasis::ClientLocal => situation.clock.moment(at),
    }
}

impl Situation<'_> {
    /// From when scheduled times count.
    fn since(&self, root: &Judged, available: Timestamp) -> Timestamp {
        let run = self.runs.get(&root.update.id).filter(|run| run.revision == root.update.revision);
        let ready = self.ready_since.get(&root.update.id).copied().unwrap_or(self.now);
        run.map_or(ready, |run| run.at).max(available)
    }

    /// The first scheduled time since it could have been installed (INT-06); what failed waits
    /// for the next one, and what was missed while the computer was off for a while (INT-09).
    fn scheduled(&self, root: &Judged, available: Timestamp) -> Option<Timestamp> {
        let at = self.rules.schedule.next(self.since(root, available))?;
        Some(if at <= self.now { at.max(self.missed_until) } else { at })
    }
}

/// Where within the spread of a deployment this client is: always the same, and different from
/// others, so that not all of them begin at once (CSET-10).
fn delay_ms(client: ClientId, assignment: &Assignment) -> i64 {
    let spread_ms = i64::from(assignment.spread_minutes) * MINUTE_MS;
    let [a, b, c, d, ..] =
        sha256(&[client.as_bytes().as_slice(), assignment.deployment.as_bytes()].concat()).0;
    i64::from(u32::from_le_bytes([a, b, c, d])) % spread_ms.max(1)
}

/// What is installed for an update: itself, or the required members of a bundle.
pub(crate) fn leaves<'a>(scan: &'a Scan, root: &'a Judged) -> Vec<&'a Judged> {
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
    due: &Due<'_>,
    plan: &mut Plan,
) -> Standing {
    let run = situation.runs.get(&leaf.update.id);
    if let Some(run) = run.filter(|run| run.revision == leaf.update.revision) {
        match run.phase {
            Phase::PendingRestart if run.boot == situation.boot => {
                let is_told = !leaf.is_agent || situation.rules.prompts_for_agent;
                let need = need(situation, run, due);
                plan.restarts.push(Need { is_told: need.is_told && is_told, ..need });
                return (EnforcementState::PendingRestart, 0);
            }
            // Its installer goes on, or is about to begin.
            Phase::Installing if situation.running == Some(leaf.update.id) => {}
            // Nobody saw the end of it. Once it is begun anew at once; whatever ends the client or
            // the system with it each time must not do so without pause.
            Phase::Installing if run.attempts < 2 => {}
            Phase::Failed(code) if waits(situation, run, due, plan) => return failed(code),
            // The restart did not make it effective, or nobody saw its end: it has failed.
            Phase::PendingRestart | Phase::Installing if waits(situation, run, due, plan) => {
                return (EnforcementState::Failed, NOT_DETECTED);
            }
            // It is gone again. Two updates that remove each other must not do so without pause.
            // That a restart has dropped it, behind a write filter, is another thing (DEP-27).
            Phase::Installed
                if run.attempts > 0
                    && run.boot == situation.boot
                    && waits(situation, run, due, plan) =>
            {
                return (EnforcementState::PendingInstallation, 0);
            }
            Phase::Failed(_)
            | Phase::PendingRestart
            | Phase::Installing
            | Phase::Installed
            | Phase::Waiting => {}
        }
    }
    let is_due = due.at.is_some_and(|at| at <= situation.now.max(situation.missed_until));
    plan.keeps_filter_open |= is_due && due.assignment.experience.commit_write_filter;
    let is_named = (assigned.update, assigned.document) == (leaf.update, leaf.document);
    if !is_named || (leaf.has_files && assigned.files.is_empty()) {
        return (EnforcementState::WaitingForContent, 0);
    }
    if let Some(standing) = lacking(situation, assigned, due, plan) {
        return standing;
    }
    let Some(at) = due.at else { return (EnforcementState::PendingInstallation, 0) };
    if at > situation.now {
        plan.wake(at);
        return (EnforcementState::Downloaded, 0);
    }
    if situation.is_expired {
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
    if situation.is_filter_closed && due.assignment.experience.commit_write_filter {
        plan.opens_filter = true;
        return (EnforcementState::RestartFirst, 0);
    }
    if plan.installed.insert(assigned.update.id) {
        plan.install.push(assigned.clone());
    }
    (EnforcementState::Installing, 0)
}

/// Where an update stands whose files are not all here, which are wanted then.
fn lacking(
    situation: &Situation<'_>,
    assigned: &AssignedUpdate,
    due: &Due<'_>,
    plan: &mut Plan,
) -> Option<Standing> {
    let missing = assigned.files.iter().filter(|file| !situation.present.contains(&file.sha256));
    let mut missing = missing.peekable();
    missing.peek()?;
    if situation.is_expired {
        return Some((EnforcementState::WaitingForContent, 0));
    }
    let mut standing = (EnforcementState::Downloading, 0);
    for file in missing {
        standing = situation.troubles.get(&file.sha256).copied().unwrap_or(standing);
        plan.want(file, assigned.update, due.assignment);
    }
    Some(standing)
}

/// The installer succeeded and detection does not see it (0x87D00324).
pub(crate) const NOT_DETECTED: i32 = 0x87D0_0324_u32.cast_signed();

/// Failures are repeated after an hour, four hours, a day, and then with each evaluation.
const RETRIES_MS: [i64; 3] = [HOUR_MS, 4 * HOUR_MS, DAY_MS];

/// Another installation is in progress (ERROR_INSTALL_ALREADY_RUNNING); it ends in minutes.
pub const BUSY: i32 = 1618;

const BUSY_MS: i64 = 10 * MINUTE_MS;

/// How long after its end what failed is tried again.
pub(crate) fn retry_ms(run: &Run, rules: &Rules) -> i64 {
    let tries = usize::try_from(run.attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    match run.phase {
        Phase::Failed(BUSY) => BUSY_MS,
        _ => RETRIES_MS.get(tries).copied().unwrap_or(rules.reevaluate_ms),
    }
}

/// Whether what failed is not tried again yet. A user who starts it again does not wait.
fn waits(situation: &Situation<'_>, run: &Run, due: &Due<'_>, plan: &mut Plan) -> bool {
    if due.wished_at.is_some_and(|wished| run.at < wished) {
        return false;
    }
    let retry = retry_ms(run, situation.rules);
    // A clock that stepped back must not put it off for ever.
    let waits = (0..retry).contains(&run.age(situation.now));
    if waits {
        plan.wake(run.at.plus_ms(retry));
    }
    waits
}

fn failed(code: i32) -> Standing {
    match code {
        BUSY => (EnforcementState::WaitingForInstallation, code),
        code => (EnforcementState::Failed, code),
    }
}

/// A restart for what was installed early waits for the deadline (DEP-23).
fn need(situation: &Situation<'_>, run: &Run, due: &Due<'_>) -> Need {
    let Assignment { experience, intent, .. } = due.assignment;
    let is_required = *intent == Intent::Required;
    // A clock that was set back must not put it off.
    let since = run.at.min(situation.now);
    Need {
        since,
        not_before: is_required.then(|| due.deadline.map_or(since, |at| at.max(since))),
        is_suppressed: match situation.is_server {
            true => experience.suppress_restart_servers,
            false => experience.suppress_restart_workstations,
        },
        is_outside_window: experience.restart_outside_window,
        is_told: experience.notify != Notify::Hidden,
    }
}

impl Plan {
    fn want(&mut self, file: &AssignedFile, update: UpdateRef, assignment: &Assignment) {
        let place = *self.fetched.entry(file.sha256).or_insert_with(|| {
            self.fetch.push(Wanted { file: file.clone(), update, is_public: false });
            self.fetch.len() - 1
        });
        if let Some(wanted) = self.fetch.get_mut(place) {
            wanted.is_public |= assignment.download.microsoft_update;
        }
    }

    /// Nothing can be decided now: nothing is begun, and what was known stays known.
    pub(crate) fn rest(&mut self) {
        (self.fetch, self.install) = (Vec::new(), Vec::new());
        (self.restarts, self.opens_filter) = (Vec::new(), false);
        self.wake_at = None;
    }

    fn wake_later(&mut self, at: Timestamp, now: Timestamp) {
        if at > now {
            self.wake(at);
        }
    }

    fn room(&mut self, situation: &Situation<'_>, minutes: u16) -> Room {
        let room = || situation.calendar.room(situation.now, minutes.into());
        *self.rooms.entry(minutes).or_insert_with(room)
    }

    /// Where so many minutes find room, if something waits for that.
    pub(crate) fn room_for(&self, minutes: u16) -> Option<Room> {
        self.rooms.get(&minutes).copied()
    }

    fn wake(&mut self, at: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(at, |earlier| earlier.min(at)));
    }
}

impl Run {
    /// Its installer was started, and its end is not known here.
    pub(crate) fn is_going_on(&self, assigned: &AssignedUpdate) -> bool {
        self.phase == Phase::Installing && self.revision == assigned.update.revision
    }

    fn age(&self, now: Timestamp) -> i64 {
        now.0.saturating_sub(self.at.0)
    }
}

type Standing = (EnforcementState, i32);

/// A bundle stands where its least finished member stands, and a failure outweighs all.
fn worse(a: Standing, b: Standing) -> Standing {
    let rank = |standing: Standing| match standing.0 {
        EnforcementState::Failed | EnforcementState::GeneralFailure => 8,
        EnforcementState::DownloadFailed => 7,
        EnforcementState::WaitingForContent => 6,
        EnforcementState::Downloading => 5,
        EnforcementState::Started
        | EnforcementState::Downloaded
        | EnforcementState::PendingInstallation => 4,
        EnforcementState::WaitingForWindow
        | EnforcementState::WaitingForInstallation
        | EnforcementState::RestartFirst => 3,
        EnforcementState::Installing => 2,
        EnforcementState::PendingRestart => 1,
        EnforcementState::Installed => 0,
    };
    if rank(b) > rank(a) { b } else { a }
}

#[cfg(test)]
mod tests;
