//! Carries phased deployments out: counts the computers of a phase, starts the next one, pauses.
//!
//! Owns when a phased deployment of this site is looked at and what is written then: the step, the
//! deployment it makes and its status message in one transaction, and only if nobody changed the
//! phased deployment meanwhile. What is due is a pure decision. While the board is warming up, or
//! deployments or the catalog are still arriving, nothing is counted and so no phase follows
//! another. A look that fails is logged and made again.

use compliance::LiveItem;
use deployment::{
    Census, Evidence, PhaseStep, apply_step, last_started, nothing_left, phase_evidence,
    plan_phases, step_message, stop_rollout,
};
use model::{Deployment, DeploymentId, Group, Phased, PhasedState, Timestamp};
use site_db::{Own, Reader, Writer};
use tokio_util::sync::CancellationToken;

use crate::census::read_census;
use crate::{DeploymentManager, Error};

/// A phased deployment that is under way here, with the updates that count.
struct Running {
    phased: Phased,
    /// None: not everything that says so is here.
    items: Option<Vec<LiveItem>>,
}

impl DeploymentManager {
    /// Looks after the phased deployments of this site, until `shutdown`.
    pub(crate) async fn run_phases(&self, shutdown: &CancellationToken) {
        self.look_after("phases", shutdown, || self.step_phases()).await;
    }

    /// Looks at each of them once; says how many steps were made.
    pub async fn step_phases(&self) -> Result<usize, Error> {
        let db = &self.deps.db;
        let read = |r: &Reader<'_>| {
            let running = running(r)?;
            // Mostly none is under way, and the rest need not be read.
            if running.is_empty() {
                Ok(None)
            } else {
                read_census(r).map(|all| Some((running, all)))
            }
        };
        let Some((running, census)) = db.read(read).await.map_err(Error::ReadWorld)? else {
            return Ok(0);
        };
        let mut made = 0;
        for Running { phased, items } in running {
            // Neither is anything counted nor begun over what may not be here whole.
            let Some(items) = items else { continue };
            let evidence = self.evidence(&phased, &items, &census);
            let steps = plan_phases(&phased, evidence, Timestamp(db.ambient().now_ms()));
            if !steps.is_empty() {
                let id = DeploymentId(db.ambient().ordered_id());
                let advanced = db.write(move |w| advance(w, &phased, (&steps, id)));
                made += advanced.await.map_err(Error::KeepPlan)?;
            }
        }
        Ok(made)
    }

    fn evidence(&self, phased: &Phased, items: &[LiveItem], census: &Census) -> Evidence {
        let Some(last) = last_started(phased) else { return Evidence::Unknown };
        let counted = self
            .deps
            .board
            .read(|board| phase_evidence((phased, last), (board, &census.on(board)), items));
        counted.unwrap_or(Evidence::Unknown)
    }
}

/// The phased deployments of this site that are under way.
fn running(r: &Reader<'_>) -> Result<Vec<Running>, site_db::Error> {
    let own = r.identity().owner;
    let all = r.list::<Phased>()?.into_iter();
    let running =
        all.filter(|(owner, phased)| *owner == own && phased.state == PhasedState::Running);
    let with_items = running.map(|(_, phased)| {
        let items = r.deployable_group(&phased.group)?;
        Ok(Running { phased, items })
    });
    with_items.collect()
}

/// Writes steps with what they make; none if somebody changed the phased deployment meanwhile.
fn advance(
    w: &Writer<'_>,
    before: &Phased,
    (steps, id): (&[PhaseStep], DeploymentId),
) -> Result<usize, site_db::Error> {
    let current: Option<Phased> = w.get(before.code.as_str().as_bytes())?;
    if current.as_ref() != Some(before) {
        return Ok(0);
    }
    let (mut phased, now, site) = (before.clone(), w.now(), w.identity().code());
    let mut changes = Vec::new();
    for step in steps {
        let step = &ready(w, &mut phased, step, &mut changes)?;
        let made = apply_step(&mut phased, step, (id, now));
        changes.extend(made.as_ref().map(Own::put));
        if matches!(step, PhaseStep::Pause(_)) {
            changes.extend(stopped(w, &phased)?.iter().map(Own::put));
        }
        if let Some(message) = step_message(&phased, step, (site, now)) {
            w.append_status(&message)?;
        }
    }
    changes.push(Own::put(&phased));
    w.write_own(Group::Control, changes)?;
    Ok(steps.len())
}

/// A step as it can be made now: a phase starts with what may still be deployed, or not at all.
fn ready(
    w: &Writer<'_>,
    phased: &mut Phased,
    step: &PhaseStep,
    changes: &mut Vec<Own>,
) -> Result<PhaseStep, site_db::Error> {
    let PhaseStep::Start(at) = step else { return Ok(step.clone()) };
    let Some(group) = w.phase_group(phased, *at)? else {
        return Ok(PhaseStep::Pause(nothing_left(*at)));
    };
    if group.code != phased.group {
        phased.group = group.code.clone();
        changes.push(Own::put(&group));
    }
    Ok(step.clone())
}

/// The deployments of its phases that grew and grow no more.
fn stopped(r: &Reader<'_>, phased: &Phased) -> Result<Vec<Deployment>, site_db::Error> {
    let mut stopped = Vec::new();
    for id in phased.phases.iter().filter_map(|phase| phase.deployment) {
        let deployment: Option<Deployment> = r.get(id.as_bytes())?;
        stopped.extend(deployment.and_then(|deployment| stop_rollout(&deployment, r.now())));
    }
    Ok(stopped)
}
