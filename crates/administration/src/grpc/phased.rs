//! Phased deployments: made, shown, changed, paused. What starts when is decided and done by the
//! deployment manager of the site that owns one.

mod order;
mod show;

use deployment::{
    Evidence, PhaseCounts, PhaseStep, apply_step, is_reached, last_started, reason_to_pause,
    resume_rollout, step_message, stop_rollout,
};
use model::{Deployment, Group, Invalid, ObjectCode, Phased, PhasedState, Timestamp, UpdateGroup};
use rpc::pb::admin as pb;
use site_db::{Own, Reader};

use self::order::{check_texts, percent, read, read_phases};
use self::show::{evidence, phases, row, state_of, success};
use super::decline::check_deployable;
use super::noun::{GROUP, PHASED};
use super::{Answer, given};
use crate::Error;
use crate::admin::{Change, View};
use crate::audit::Deed;

/// As phases say their deadline.
pub(super) const MINUTES_OF_DAY: u32 = 24 * 60;

pub(super) fn list(v: &View<'_>, _: pb::ListPhasedRequest) -> Answer<Vec<pb::Phased>> {
    Ok(v.list()?.iter().map(|(owner, phased)| row(*owner, phased)).collect())
}

pub(super) fn show(v: &View<'_>, asked: pb::GetPhasedRequest) -> Answer<pb::GetPhasedResponse> {
    let (owner, phased) = PHASED.found(v, &asked.code)?;
    let phases = phases(v, (owner, &phased))?;
    Ok(pb::GetPhasedResponse { row: Some(row(owner, &phased)), phases })
}

pub(super) fn create(
    c: &Change<'_>,
    asked: pb::CreatePhasedRequest,
) -> Answer<pb::CreatePhasedResponse> {
    PHASED.check_place(c)?;
    // What is only shown takes no code.
    let code = match asked.preview {
        true => ObjectCode::numbered(c.identity().code(), 0)?,
        false => PHASED.new_code(c)?,
    };
    let (preview, phased) = (asked.preview, read(c, code.clone(), asked)?);
    let phases = phases(&view(c), (c.identity().owner, &phased))?;
    if preview {
        return Ok(pb::CreatePhasedResponse { code: String::new(), phases });
    }
    c.audit(Deed::Created, format!("phased deployment {code} ({})", phased.name))?;
    c.put_own(&phased)?;
    Ok(pb::CreatePhasedResponse { code: code.to_string(), phases })
}

pub(super) fn change(
    c: &Change<'_>,
    asked: pb::ChangePhasedRequest,
) -> Answer<pb::ChangePhasedResponse> {
    let pb::ChangePhasedRequest { code, name, description, phases: orders, pause_above } = asked;
    let mut phased = PHASED.owned(c, &code)?;
    if !orders.is_empty() {
        if phased.state == PhasedState::Completed {
            let reason = "have all been started; make a new phased deployment";
            return Err(Invalid::new("phases", reason).into());
        }
        let started = last_started(&phased).map_or(0, |at| at + 1);
        phased.phases = read_phases(c, &phased.phases[..started], orders)?;
    }
    phased.name = given(name).unwrap_or(phased.name);
    phased.description = description.unwrap_or(phased.description);
    check_texts(c, &phased.code, (&phased.name, &phased.description))?;
    let pause_above = percent("pause_above", 0, pause_above)?;
    phased.pause_above_failed_percent = pause_above.or(phased.pause_above_failed_percent);
    c.audit(Deed::Changed, format!("phased deployment {code}"))?;
    c.put_own(&phased)?;
    let phases = phases(&view(c), (c.identity().owner, &phased))?;
    Ok(pb::ChangePhasedResponse { row: Some(row(c.identity().owner, &phased)), phases })
}

pub(super) fn pause(c: &Change<'_>, asked: pb::PausePhasedRequest) -> Answer<pb::Phased> {
    let pb::PausePhasedRequest { code, reason } = asked;
    let mut phased = PHASED.owned(c, &code)?;
    if phased.state != PhasedState::Running {
        return Err(wrong_state(&phased, "paused"));
    }
    let reason = given(reason).unwrap_or_else(|| "no reason was given".to_owned());
    phased.state = PhasedState::Paused { reason, by: c.account.to_owned() };
    c.audit(Deed::Changed, format!("phased deployment {code}: paused"))?;
    write(c, &phased, stop_rollout)?;
    Ok(row(c.identity().owner, &phased))
}

pub(super) fn resume(c: &Change<'_>, asked: pb::ResumePhasedRequest) -> Answer<pb::Phased> {
    let mut phased = PHASED.owned(c, &asked.code)?;
    if !matches!(phased.state, PhasedState::Paused { .. }) {
        return Err(wrong_state(&phased, "resumed"));
    }
    if let Some(last) = last_started(&phased) {
        // It would be paused again at once.
        if let Some(reason) = reason_to_pause(&phased, last, of_phase(c, &phased, last)?) {
            return Err(Error::StillFailing { code: phased.code, reason });
        }
    }
    phased.state = PhasedState::Running;
    c.audit(Deed::Changed, format!("phased deployment {}: resumed", phased.code))?;
    write(c, &phased, resume_rollout)?;
    Ok(row(c.identity().owner, &phased))
}

fn wrong_state(phased: &Phased, verb: &'static str) -> Error {
    Error::PhasedState { code: phased.code.clone(), state: state_of(phased), verb }
}

/// What is known of one of this site's phases.
fn of_phase(c: &Change<'_>, phased: &Phased, at: usize) -> Answer<Evidence> {
    Ok(evidence(&view(c), c.identity().owner, phased)?[at])
}

fn view<'a>(c: &Change<'a>) -> View<'a> {
    View { admin: c.admin, reader: c.writer }
}

/// Writes it, with those deployments of its phases that change with it.
fn write(
    c: &Change<'_>,
    phased: &Phased,
    change: fn(&Deployment, Timestamp) -> Option<Deployment>,
) -> Result<(), Error> {
    let mut changes = vec![Own::put(phased)];
    for deployment in made(c, phased)? {
        changes.extend(change(&deployment, c.now()).as_ref().map(Own::put));
    }
    Ok(c.write_own(Group::Control, changes)?)
}

/// The deployments that its phases made, as far as nobody deleted them.
fn made(r: &Reader<'_>, phased: &Phased) -> Answer<Vec<Deployment>> {
    let ids = phased.phases.iter().filter_map(|phase| phase.deployment);
    let found = ids.map(|id| Ok(r.get::<Deployment>(id.as_bytes())?)).collect::<Answer<Vec<_>>>();
    Ok(found?.into_iter().flatten().collect())
}

pub(super) fn start_next(
    c: &Change<'_>,
    asked: pb::StartNextPhaseRequest,
) -> Answer<pb::StartNextPhaseResponse> {
    let mut phased = PHASED.owned(c, &asked.code)?;
    let last = last_started(&phased);
    let next = last.map_or(0, |at| at + 1);
    if phased.state != PhasedState::Running {
        return Err(wrong_state(&phased, "started further"));
    }
    if next == phased.phases.len() {
        let (code, state) = (phased.code, "in its last phase");
        return Err(Error::PhasedState { code, state, verb: "started further" });
    }
    let warning = last.map(|last| warning(c, &phased, last)).transpose()?;
    let group = group_to_start(c, &phased, next)?;
    let is_new = group.code != phased.group;
    phased.group = group.code.clone();
    let (id, step) = (c.new_deployment_id(), PhaseStep::Start(next));
    let deployment = apply_step(&mut phased, &step, (id, c.now()));
    c.audit(Deed::Changed, format!("phased deployment {}: phase {}", phased.code, next + 1))?;
    let group = is_new.then(|| Own::put(&group));
    let changes = [group, Some(Own::put(&phased)), deployment.as_ref().map(Own::put)];
    c.write_own(Group::Control, changes.into_iter().flatten().collect())?;
    if let Some(message) = step_message(&phased, &step, (c.identity().code(), c.now())) {
        c.append_status(&message)?;
    }
    Ok(pb::StartNextPhaseResponse {
        number: u32::try_from(next + 1).unwrap_or(u32::MAX),
        deployment: id.to_string(),
        warning: warning.unwrap_or_default(),
    })
}

/// What a phase that starts now deploys.
fn group_to_start(c: &Change<'_>, phased: &Phased, next: usize) -> Answer<UpdateGroup> {
    if let Some(group) = c.phase_group(phased, next)? {
        return Ok(group);
    }
    let (_, group) = GROUP.found(c, phased.group.as_str())?;
    let remedy = format!("delete it: `tierline phased delete {}`", phased.code);
    check_deployable(c, &group.updates, remedy)?;
    let reason = format!("{} is empty; add updates first", group.code);
    Err(Invalid::new("group", reason).into())
}

/// What speaks against starting the phase after `last`.
fn warning(c: &Change<'_>, phased: &Phased, last: usize) -> Answer<String> {
    let (phase, number) = (&phased.phases[last], last + 1);
    if phase.succeeded_at.is_some() {
        return Ok(String::new());
    }
    Ok(match of_phase(c, phased, last)? {
        Evidence::Counts(counts) if is_reached(phase.success, counts) => String::new(),
        Evidence::Counts(PhaseCounts { targeted, compliant, .. }) => {
            let needed = success(phase);
            format!(
                "phase {number} has not succeeded: {compliant} of {targeted} comply, {needed} is \
                 needed"
            )
        }
        Evidence::Unknown => format!("phase {number} cannot be counted yet"),
        Evidence::NoUpdates => {
            format!("phase {number}: none of its updates can be deployed any more")
        }
    })
}

/// Refuses to take away what phases that are to come deploy.
pub(super) fn check_unused(r: &Reader<'_>, group: &UpdateGroup) -> Result<(), Error> {
    let needs =
        |phased: &Phased| phased.group == group.code && phased.state != PhasedState::Completed;
    let Some((_, phased)) = r.list::<Phased>()?.into_iter().find(|(_, phased)| needs(phased))
    else {
        return Ok(());
    };
    let (what, by) = (format!("update group {}", group.code), phased.code);
    let remedy = "delete that first: `tierline phased delete`";
    Err(Error::InUse { what, by: format!("phased deployment {by}"), remedy })
}

pub(super) fn delete(c: &Change<'_>, asked: pb::DeletePhasedRequest) -> Answer<Vec<String>> {
    let phased = PHASED.owned(c, &asked.code)?;
    let made = made(c, &phased)?;
    c.audit(Deed::Removed, format!("phased deployment {}", phased.code))?;
    c.delete(&phased)?;
    // What it stopped, nobody could let grow again.
    for resumed in made.iter().filter_map(|made| resume_rollout(made, c.now())) {
        c.put_own(&resumed)?;
    }
    if asked.deployments {
        made.iter().try_for_each(|deployment| c.delete(deployment))?;
        return Ok(Vec::new());
    }
    Ok(made.iter().map(|deployment| deployment.id.to_string()).collect())
}
