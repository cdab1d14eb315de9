//! When the phases of a phased deployment start, succeed and stop (PHASE-01, DEPX-23, DEPX-24).
//!
//! Owns the order of phases, what success and failure mean, and what a phase deploys. Refuses to
//! know how its computers are counted and where it is kept. Nothing here fails: what is not known
//! makes a phase wait, and never lets the next one start.

use compliance::{Board, ClientSet, DeploymentCounts, LiveItem};
use model::{
    ALL_SYSTEMS, Deployment, DeploymentId, Due, Next, ObjectCode, Origin, Phase, Phased,
    PhasedState, Rollout, RuleDeployment, Severity, SiteCode, StatusMessage, Success, Timestamp,
};

use crate::{Memberships, blank_deployment, resolve};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

const COMPONENT: &str = "SMS_RULE_ENGINE";

/// How far the computers of a phase are: those of its collection that are in no earlier phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhaseCounts {
    pub targeted: u64,
    pub compliant: u64,
    pub failed: u64,
}

/// What is known of the phase that was started last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// It cannot be counted yet: the board is warming up, or something is not here.
    Unknown,
    /// None of its updates can be deployed any more.
    NoUpdates,
    Counts(PhaseCounts),
}

/// What happens next. Phases are counted from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhaseStep {
    Start(usize),
    Succeed(usize),
    /// With the reason.
    Pause(String),
    Complete,
}

/// The phase that was started last.
#[must_use]
pub fn last_started(phased: &Phased) -> Option<usize> {
    phased.phases.iter().rposition(|phase| phase.started_at.is_some())
}

/// What is due now. After a start nothing more is, since nobody has counted the new phase.
#[must_use]
pub fn plan_phases(phased: &Phased, evidence: Evidence, now: Timestamp) -> Vec<PhaseStep> {
    if phased.state != PhasedState::Running {
        return Vec::new();
    }
    let Some(last) = last_started(phased) else { return vec![PhaseStep::Start(0)] };
    if let Some(reason) = reason_to_pause(phased, last, evidence) {
        return vec![PhaseStep::Pause(reason)];
    }
    let phase = &phased.phases[last];
    let mut steps = Vec::new();
    let succeeded_at = phase.succeeded_at.or_else(|| {
        let Evidence::Counts(counts) = evidence else { return None };
        is_reached(phase.success, counts).then(|| {
            steps.push(PhaseStep::Succeed(last));
            now
        })
    });
    let Some(succeeded_at) = succeeded_at else { return steps };
    if last + 1 == phased.phases.len() {
        steps.push(PhaseStep::Complete);
    } else if after(phase, succeeded_at).is_some_and(|due| due <= now) {
        steps.push(PhaseStep::Start(last + 1));
    }
    steps
}

/// Why the phased deployment must not go on; also asked before it is resumed.
#[must_use]
pub fn reason_to_pause(phased: &Phased, last: usize, evidence: Evidence) -> Option<String> {
    let number = last + 1;
    match (evidence, phased.pause_above_failed_percent) {
        (Evidence::NoUpdates, _) => Some(nothing_left(last)),
        (Evidence::Counts(PhaseCounts { targeted, failed, .. }), Some(limit))
            if failed * 100 > u64::from(limit) * targeted =>
        {
            Some(format!(
                "phase {number}: {failed} of {targeted} computers failed, above {limit} %"
            ))
        }
        _ => None,
    }
}

/// Why a phase does not start, or does not go on, whose updates are all out.
#[must_use]
pub fn nothing_left(at: usize) -> String {
    format!("phase {}: none of its updates can be deployed any more", at + 1)
}

/// Whether so many are enough; of nobody, no percentage is.
#[must_use]
pub fn is_reached(success: Success, counts: PhaseCounts) -> bool {
    let PhaseCounts { targeted, compliant, .. } = counts;
    match success {
        Success::Percent(percent) => {
            targeted > 0 && compliant * 100 >= u64::from(percent) * targeted
        }
        Success::Count(count) => compliant >= u64::from(count),
    }
}

/// When the phase after one that succeeded starts; none: by hand.
fn after(phase: &Phase, succeeded_at: Timestamp) -> Option<Timestamp> {
    match phase.next {
        Next::Automatic { after_days } => {
            Some(succeeded_at.plus_ms(i64::from(after_days) * DAY_MS))
        }
        Next::Manual => None,
    }
}

/// When each phase starts if every one before it succeeds at once; none: it has started, or by
/// hand.
#[must_use]
pub fn earliest_starts(phases: &[Phase], now: Timestamp) -> Vec<Option<Timestamp>> {
    let mut at = Some(now);
    let start = |phase: &Phase| {
        let start = at.filter(|_| phase.started_at.is_none());
        let succeeded = match phase.started_at {
            Some(_) => Some(phase.succeeded_at.unwrap_or(now)),
            None => at,
        };
        at = succeeded.and_then(|succeeded| after(phase, succeeded)).map(|at| at.max(now));
        start
    };
    phases.iter().map(start).collect()
}

/// Makes a step part of the phased deployment; a start gives the deployment that does it.
#[must_use]
pub fn apply_step(
    phased: &mut Phased,
    step: &PhaseStep,
    (id, now): (DeploymentId, Timestamp),
) -> Option<Deployment> {
    match step {
        PhaseStep::Start(at) => {
            let deployment = phase_deployment(phased, *at, (id, now));
            let phase = &mut phased.phases[*at];
            (phase.started_at, phase.deployment) = (Some(now), Some(id));
            return Some(deployment);
        }
        PhaseStep::Succeed(at) => phased.phases[*at].succeeded_at = Some(now),
        PhaseStep::Pause(reason) => {
            phased.state = PhasedState::Paused { reason: reason.clone(), by: String::new() };
        }
        PhaseStep::Complete => phased.state = PhasedState::Completed,
    }
    None
}

/// What a phase deploys when it starts. With a gradual one, a deadline of some days counts from
/// when the last of its computers get it, so that nobody has less time than was promised.
fn phase_deployment(
    phased: &Phased,
    at: usize,
    (id, now): (DeploymentId, Timestamp),
) -> Deployment {
    let (phase, number) = (&phased.phases[at], at + 1);
    let RuleDeployment { intent, basis, experience, download, alert, detail, wakes, .. } =
        phased.template.clone();
    let plain = Deployment::plain(id, phased.group.clone(), phase.collection.clone(), now);
    Deployment {
        name: format!("{} (phase {number}: {})", phased.name, phase.name),
        intent,
        deadline: Some(deadline(phase, now)),
        basis,
        experience,
        download,
        alert,
        detail,
        wakes,
        rollout: rollout(phase, now),
        origin: Origin::Phase {
            plan: phased.code.clone(),
            number: u8::try_from(number).unwrap_or(u8::MAX),
        },
        ..plain
    }
}

/// The options of phases that take them from no rule.
#[must_use]
pub fn default_template() -> RuleDeployment {
    blank_deployment(ObjectCode::new(ALL_SYSTEMS).expect("the built-in code is one"))
}

fn deadline(phase: &Phase, start: Timestamp) -> Timestamp {
    match phase.deadline {
        Due::Asap => start,
        due => resolve(&due, start.plus_ms(i64::from(phase.gradual_days) * DAY_MS)),
    }
}

fn rollout(phase: &Phase, from: Timestamp) -> Option<Rollout> {
    let days = Some(phase.gradual_days).filter(|days| *days > 0)?;
    Some(Rollout { from, days, stopped_at: None })
}

/// The deployment of a phase that grows no more while it is paused; none: nothing to stop.
#[must_use]
pub fn stop_rollout(deployment: &Deployment, now: Timestamp) -> Option<Deployment> {
    let rollout = deployment.rollout.filter(|rollout| rollout.stopped_at.is_none())?;
    let ends = rollout.from.plus_ms(i64::from(rollout.days) * DAY_MS);
    let stopped = Rollout { stopped_at: Some(now), ..rollout };
    (now < ends).then(|| Deployment { rollout: Some(stopped), ..deployment.clone() })
}

/// The same deployment, growing on from where it stopped; its deadline moves by as much, so that
/// nobody has less time than was promised.
#[must_use]
pub fn resume_rollout(deployment: &Deployment, now: Timestamp) -> Option<Deployment> {
    let rollout = deployment.rollout?;
    let stopped_at = rollout.stopped_at?;
    let paused_ms = now.0.saturating_sub(stopped_at.0);
    let from = rollout.from.plus_ms(paused_ms);
    let resumed = Rollout { from, stopped_at: None, ..rollout };
    let deadline = deployment.deadline.map(|deadline| deadline.plus_ms(paused_ms));
    Some(Deployment { rollout: Some(resumed), deadline, ..deployment.clone() })
}

/// What a step says to administrators; that a phase succeeded is said by what comes next.
#[must_use]
pub fn step_message(
    phased: &Phased,
    step: &PhaseStep,
    (site, at): (SiteCode, Timestamp),
) -> Option<StatusMessage> {
    let name = || vec![phased.name.clone(), phased.code.to_string()];
    let (id, severity, more) = match step {
        PhaseStep::Start(number) => {
            let phase = &phased.phases[*number];
            let strings = vec![(number + 1).to_string(), phase.collection.to_string()];
            (60_143, Severity::Information, strings)
        }
        PhaseStep::Pause(reason) => (60_144, Severity::Warning, vec![reason.clone()]),
        PhaseStep::Complete => (60_145, Severity::Information, Vec::new()),
        PhaseStep::Succeed(_) => return None,
    };
    let strings = [name(), more].concat();
    let (component, machine) = (COMPONENT.to_owned(), site.to_string());
    Some(StatusMessage { id, severity, component, site, machine, at, strings })
}

/// The computers of a phase: the members of its collection that are in no earlier phase. None
/// while one of these collections is not here.
fn phase_targets(phased: &Phased, at: usize, members: &Memberships) -> Option<ClientSet> {
    let of = |phase: &Phase| members.of(&phase.collection).ok();
    let mut targets = of(&phased.phases[at])?.clone();
    for earlier in &phased.phases[..at] {
        targets = targets.minus(of(earlier)?);
    }
    Some(targets)
}

/// Counts a phase on a board, whose clients `members` are of.
#[must_use]
pub fn phase_evidence(
    (phased, at): (&Phased, usize),
    (board, members): (&Board, &Memberships),
    items: &[LiveItem],
) -> Evidence {
    if items.is_empty() {
        return Evidence::NoUpdates;
    }
    let Some(targets) = phase_targets(phased, at, members) else { return Evidence::Unknown };
    let DeploymentCounts { targeted, compliant, failed, .. } =
        board.deployment_sets(items, &targets).counts();
    Evidence::Counts(PhaseCounts { targeted, compliant, failed })
}

#[cfg(test)]
mod tests;
