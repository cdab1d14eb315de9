//! Where deployments and the last scan stand, in the documented states of topics 300, 301, 302 and
//! 501, and how much of that is said (STATE-03 … STATE-05, STATE-10, STATE-18).
//!
//! Pure: owns what the states of single updates mean for a deployment. Refuses to know how anything
//! is installed and reported.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    AssignedUpdate, Assignment, AssignmentCompliance, AssignmentEnforcement, AssignmentEvaluation,
    DeploymentChange, DeploymentId, DeploymentState, DetailLevel, EnforcementState, Intent,
    LastScan, SourceScan, Timestamp, UpdateId,
};
use update_metadata::Applicability;

use crate::ledger::Progress;
use crate::scan::Scan;
use crate::work::Scanned;

/// Where each deployment stands, as far as it is said.
pub type Deployments = BTreeMap<DeploymentId, DeploymentState>;

/// What the states of deployments depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) assignments: &'a [Assignment],
    /// None before the first, or after its documents were not believed.
    pub(crate) scan: Option<&'a Scan>,
    pub(crate) last_scan: Option<&'a LastScan>,
    pub(crate) progress: &'a Progress,
    /// Other software starts installations (CSET-15).
    pub(crate) is_orchestrated: bool,
    /// What was said before.
    pub(crate) said: &'a Deployments,
    pub(crate) now: Timestamp,
}

/// Where each deployment stands, as far as its detail level wants it said.
pub(crate) fn deployments(scene: &Scene<'_>) -> Deployments {
    let removed = updates_of(scene, |intent| intent == Intent::Uninstall);
    let installed = updates_of(scene, |intent| intent == Intent::Required);
    let contested: BTreeSet<UpdateId> = removed.intersection(&installed).copied().collect();
    let stands = scene.assignments.iter().filter_map(|assignment| {
        let before = scene.said.get(&assignment.deployment);
        let is = told(assignment.detail, state(scene, assignment, &contested), before)?;
        let same = before.filter(|before| DeploymentState { at: is.at, ..**before } == is);
        Some((assignment.deployment, same.copied().unwrap_or(is)))
    });
    stands.collect()
}

/// What turns `said` into `holds`.
pub(crate) fn deployment_changes(said: &Deployments, holds: &Deployments) -> Vec<DeploymentChange> {
    let gone = said.keys().filter(|id| !holds.contains_key(id));
    let gone = gone.map(|id| DeploymentChange { deployment: *id, state: None });
    let changed = holds.iter().filter(|(id, state)| said.get(id) != Some(state));
    let changed =
        changed.map(|(id, state)| DeploymentChange { deployment: *id, state: Some(*state) });
    gone.chain(changed).collect()
}

/// The progress of updates, as far as the most talkative of their deployments wants it said.
pub(crate) fn told_progress(progress: &Progress, assignments: &[Assignment]) -> Progress {
    let talkative = assignments.iter().filter(|assignment| assignment.detail == DetailLevel::All);
    let all: BTreeSet<UpdateId> =
        talkative.flat_map(|assignment| &assignment.updates).map(|a| a.update.id).collect();
    let is_told = |(id, (state, _)): &(&UpdateId, &(EnforcementState, i32))| {
        all.contains(id) || state.is_failure()
    };
    progress.iter().filter(is_told).map(|(id, standing)| (*id, *standing)).collect()
}

/// The scan that has just ended.
pub(crate) fn last_scan(scanned: &Scanned, retry: Retry, now: Timestamp) -> LastScan {
    let asked = scanned.attempts.last().map_or("", |attempt| attempt.url.as_str());
    let (state, source, code) = match &scanned.end {
        Ok(found) => {
            let state = match found.missing {
                None => SourceScan::Complete,
                Some(_) => SourceScan::CompletedWithErrors,
            };
            (state, found.from.as_ref(), 0)
        }
        // Nobody knows where a catalog is.
        Err(failure) if scanned.attempts.is_empty() => {
            (SourceScan::WaitingForCatalog, None, failure.code)
        }
        Err(failure) => {
            let state = match retry {
                Retry::Soon => SourceScan::PendingRetry,
                Retry::InTime => SourceScan::Failed,
            };
            (state, None, failure.code)
        }
    };
    let server = source.map_or(asked, |source| source.url.as_str());
    LastScan {
        state,
        server: cut(server).to_owned(),
        at: now,
        duration_ms: u64::try_from(now.0.saturating_sub(scanned.begun.0)).unwrap_or(0),
        bytes: source.map_or(0, |source| source.bytes),
        code,
    }
}

/// When a scan that failed is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    Soon,
    /// With the next regular one.
    InTime,
}

/// As much of an address as a report holds.
fn cut(address: &str) -> &str {
    let fits = rpc::limits::SCAN_SERVER_BYTES_MAX.min(address.len());
    let end = (0..=fits).rev().find(|end| address.is_char_boundary(*end)).unwrap_or(0);
    &address[..end]
}

fn updates_of(scene: &Scene<'_>, wanted: fn(Intent) -> bool) -> BTreeSet<UpdateId> {
    let assignments = scene.assignments.iter().filter(|assignment| wanted(assignment.intent));
    assignments.flat_map(|assignment| &assignment.updates).map(|a| a.update.id).collect()
}

/// How an update stands against what a deployment asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meets {
    Yes,
    No,
    /// It does not concern this computer.
    NoMatter,
    Unknown,
    /// Another deployment asks for the opposite.
    Contested,
}

fn state(
    scene: &Scene<'_>,
    assignment: &Assignment,
    contested: &BTreeSet<UpdateId>,
) -> DeploymentState {
    let meets: Vec<Meets> = assignment
        .updates
        .iter()
        .map(|a| meets(scene.scan, assignment.intent, a, contested))
        .collect();
    let has = |wanted| meets.contains(&wanted);
    let compliance = match () {
        () if has(Meets::Contested) => AssignmentCompliance::Conflict,
        () if has(Meets::No) => AssignmentCompliance::NonCompliant,
        () if has(Meets::Unknown) || scene.scan.is_none() => AssignmentCompliance::Unknown,
        () => AssignmentCompliance::Compliant,
    };
    let evaluation = match scene.scan {
        Some(_) if has(Meets::Unknown) => AssignmentEvaluation::Failed,
        Some(_) => AssignmentEvaluation::Succeeded,
        None if scene.last_scan.is_some_and(has_failed) => AssignmentEvaluation::Failed,
        None => AssignmentEvaluation::Activated,
    };
    let steps = assignment.updates.iter().filter_map(|a| scene.progress.get(&a.update.id));
    let steps = steps.map(|(step, code)| (enforcement(*step, scene.is_orchestrated), *code));
    let worst = steps.max_by_key(|(step, _)| rank(*step));
    let is_done = compliance == AssignmentCompliance::Compliant && has(Meets::Yes);
    let done = (is_done && assignment.intent != Intent::Uninstall)
        .then_some((AssignmentEnforcement::Installed, 0));
    let enforced = worst.or(done);
    let scan_code = scene.last_scan.map_or(0, |scan| scan.code);
    let code = match (enforced, evaluation) {
        (Some((_, code)), _) if code != 0 => code,
        (_, AssignmentEvaluation::Failed) => scan_code,
        _ => 0,
    };
    let enforcement = enforced.map(|(step, _)| step);
    DeploymentState { compliance, enforcement, evaluation, code, at: scene.now }
}

fn has_failed(scan: &LastScan) -> bool {
    match scan.state {
        SourceScan::PendingRetry | SourceScan::Failed => true,
        SourceScan::WaitingForCatalog
        | SourceScan::Running
        | SourceScan::Complete
        | SourceScan::CompletedWithErrors => false,
    }
}

fn meets(
    scan: Option<&Scan>,
    intent: Intent,
    assigned: &AssignedUpdate,
    contested: &BTreeSet<UpdateId>,
) -> Meets {
    let Some(scan) = scan else { return Meets::Unknown };
    let found = scan.updates.get(&assigned.update.id);
    let Some(found) = found.filter(|found| found.update.revision >= assigned.update.revision)
    else {
        return Meets::Unknown;
    };
    // What comes along with a bundle is judged with it.
    if !found.is_visible {
        return Meets::NoMatter;
    }
    match (&found.verdict, intent == Intent::Uninstall) {
        (Applicability::Unknown(_), _) => Meets::Unknown,
        (Applicability::NotApplicable, _) => Meets::NoMatter,
        _ if contested.contains(&assigned.update.id) => Meets::Contested,
        (Applicability::Installed, false) | (Applicability::Applicable, true) => Meets::Yes,
        (Applicability::Applicable, false) | (Applicability::Installed, true) => Meets::No,
    }
}

/// What a step of one update (topic 402) is for its deployment (topic 301).
fn enforcement(step: EnforcementState, is_orchestrated: bool) -> AssignmentEnforcement {
    use AssignmentEnforcement as Of;
    match step {
        EnforcementState::Started | EnforcementState::Installing => Of::Installing,
        EnforcementState::WaitingForContent | EnforcementState::Downloading => Of::Downloading,
        EnforcementState::WaitingForInstallation => Of::WaitingForInstallation,
        EnforcementState::WaitingForWindow => Of::WaitingForWindow,
        EnforcementState::RestartFirst => Of::WaitingForRestart,
        EnforcementState::PendingInstallation if is_orchestrated => Of::WaitingForOrchestration,
        EnforcementState::PendingInstallation | EnforcementState::Downloaded => Of::Downloaded,
        EnforcementState::PendingRestart => Of::PendingRestart,
        EnforcementState::Installed => Of::Installed,
        EnforcementState::GeneralFailure | EnforcementState::Failed => Of::Failed,
        EnforcementState::DownloadFailed => Of::DownloadFailed,
    }
}

/// A deployment stands where its least finished update stands, and a failure outweighs all.
fn rank(step: AssignmentEnforcement) -> u8 {
    match step {
        AssignmentEnforcement::Failed => 11,
        AssignmentEnforcement::DownloadFailed => 10,
        AssignmentEnforcement::WaitingForRestart => 9,
        AssignmentEnforcement::Downloading => 8,
        AssignmentEnforcement::Downloaded => 7,
        AssignmentEnforcement::WaitingForOrchestration => 6,
        AssignmentEnforcement::WaitingForSuperseding => 5,
        AssignmentEnforcement::WaitingForWindow => 4,
        AssignmentEnforcement::WaitingForInstallation => 3,
        AssignmentEnforcement::Installing => 2,
        AssignmentEnforcement::PendingRestart => 1,
        AssignmentEnforcement::Installed => 0,
    }
}

/// How much a deployment wants to hear: everything; how it ended, until it ends otherwise; or only
/// that it failed, for as long as it has.
fn told(
    level: DetailLevel,
    is: DeploymentState,
    before: Option<&DeploymentState>,
) -> Option<DeploymentState> {
    let is_error = is.compliance == AssignmentCompliance::Conflict
        || is.evaluation == AssignmentEvaluation::Failed
        || is.enforcement.is_some_and(AssignmentEnforcement::is_failure);
    let is_success = is.compliance == AssignmentCompliance::Compliant;
    match level {
        DetailLevel::All => Some(is),
        DetailLevel::SuccessAndErrors if is_error || is_success => Some(is),
        DetailLevel::SuccessAndErrors => before.copied(),
        DetailLevel::Errors => is_error.then_some(is),
    }
}

#[cfg(test)]
mod tests;
