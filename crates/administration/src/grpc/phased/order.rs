//! What an administrator says a phased deployment shall be, read and checked.
//!
//! Owns the ranges and defaults of phases. Refuses what could never work: a phase over a collection
//! that is not there, or over one whose computers an earlier phase has already.

use std::ops::RangeInclusive;

use deployment::default_template;
use model::{
    Due, Intent, Invalid, Next, ObjectCode, Origin, Phase, Phased, PhasedState, RuleDeployment,
    Success, UpdateGroup,
};
use rpc::pb::admin as pb;
use site_db::Reader;

use super::MINUTES_OF_DAY;
use crate::Error;
use crate::grpc::decline::check_deployable;
use crate::grpc::deployment::{check_content, check_count};
use crate::grpc::naming::{check_description, check_origin, check_text};
use crate::grpc::noun::{GROUP, RULE};
use crate::grpc::standing::Standings;
use crate::grpc::{Answer, collection};

/// Two by default and up to ten more (DEPX-24).
const PHASES: RangeInclusive<usize> = 2..=12;

/// Days over which computers get a phase (DEPX-23).
const GRADUAL_DAYS_MAX: u32 = 30;

/// Days that a phase waits or that its deadline is away: a year is more than anybody plans.
const DAYS_MAX: u32 = 365;

/// So that the name of a phase's deployment, which has both, is no longer than one may be.
const NAME_MAX: usize = 200;
const PHASE_NAME_MAX: usize = 40;

pub(super) fn read(
    r: &Reader<'_>,
    code: ObjectCode,
    asked: pb::CreatePhasedRequest,
) -> Answer<Phased> {
    let pb::CreatePhasedRequest {
        name,
        description,
        group,
        phases,
        pause_above,
        template,
        preview: _,
    } = asked;
    check_texts(r, &code, (&name, &description))?;
    let (_, group) = GROUP.found(r, &group)?;
    check_group(r, &group)?;
    let phased = Phased {
        code,
        name,
        description,
        group: group.code,
        phases: read_phases(r, &[], phases)?,
        state: PhasedState::Running,
        pause_above_failed_percent: percent("pause_above", 0, pause_above)?,
        template: read_template(r, &template)?,
        created_at: r.now(),
    };
    Ok(phased)
}

pub(super) fn check_texts(
    r: &Reader<'_>,
    code: &ObjectCode,
    (name, description): (&str, &str),
) -> Result<(), Error> {
    check_text("name", name, NAME_MAX)?;
    check_description(description)?;
    let mut all = r.list::<Phased>()?.into_iter();
    if all.any(|(_, other)| other.name == name && other.code != *code) {
        let (what, see) = ("phased deployment", "tierline phased list");
        return Err(Error::NameTaken { what, name: name.to_owned(), see });
    }
    Ok(())
}

/// A rule fills its group again and again, so that phases would never be of the same updates
/// (PHASE-02).
fn check_group(r: &Reader<'_>, group: &UpdateGroup) -> Result<(), Error> {
    if let Origin::Rule(rule) = &group.origin {
        return Err(Error::RuledGroup { group: group.code.clone(), rule: rule.clone() });
    }
    if group.updates.is_empty() {
        let reason = format!("{} is empty; add updates first", group.code);
        return Err(Invalid::new("group", reason).into());
    }
    check_origin(&group.origin, || format!("update group {}", group.code))?;
    let remedy = format!("take them out first: `tierline group remove {} ID...`", group.code);
    check_deployable(r, &group.updates, remedy)?;
    check_count(r, group.updates.len())?;
    let standings = Standings::read(r, group.updates.iter().copied())?;
    check_content(r, &standings, &group.updates)
}

/// The options that a rule or a saved template lends.
fn read_template(r: &Reader<'_>, code: &str) -> Answer<RuleDeployment> {
    if code.is_empty() {
        return Ok(default_template());
    }
    let (_, rule) = RULE.found(r, code)?;
    let first = rule.deployments.into_iter().next();
    let reason = || format!("{code} has no deployment whose options could be taken");
    let lent = first.ok_or_else(|| Invalid::new("template", reason()))?;
    Ok(RuleDeployment { intent: Intent::Required, ..lent })
}

/// All phases: those that have started, and what comes after them from now on.
pub(super) fn read_phases(
    r: &Reader<'_>,
    started: &[Phase],
    orders: Vec<pb::PhaseOrder>,
) -> Answer<Vec<Phase>> {
    let count = started.len() + orders.len();
    if !PHASES.contains(&count) {
        let (least, most) = (PHASES.start(), PHASES.end());
        let reason = format!("are {count}; a phased deployment has {least} to {most}");
        return Err(Invalid::new("phases", reason).into());
    }
    let mut phases = started.to_vec();
    for order in orders {
        let number = phases.len() + 1;
        let phase = read_phase(r, number, order)?;
        if let Some(at) = phases.iter().position(|other| other.collection == phase.collection) {
            let reason = format!(
                "phase {number} is for {}, which phase {} is for already: nobody would be left",
                phase.collection,
                at + 1
            );
            return Err(Invalid::new("phases", reason).into());
        }
        phases.push(phase);
    }
    Ok(phases)
}

fn read_phase(r: &Reader<'_>, number: usize, order: pb::PhaseOrder) -> Answer<Phase> {
    let pb::PhaseOrder {
        name,
        collection: code,
        success_percent,
        success_count,
        after_days,
        manual,
        gradual_days,
        deadline_days,
    } = order;
    let (_, collection) = collection::find(r, &code)?;
    let name = if name.is_empty() { format!("Phase {number}") } else { name };
    check_text("phases.name", &name, PHASE_NAME_MAX)?;
    let success = match (percent("phases.success_percent", 1, success_percent)?, success_count) {
        (Some(_), Some(_)) => {
            let reason = "stands beside success_count; name one of them";
            return Err(Invalid::new("phases.success_percent", reason).into());
        }
        (None, Some(0)) => {
            let reason = "is 0; at least one computer has to comply";
            return Err(Invalid::new("phases.success_count", reason).into());
        }
        (None, Some(count)) => Success::Count(count),
        (percent, None) => Success::Percent(percent.unwrap_or(95)),
    };
    if manual && after_days.is_some() {
        let reason = "stands beside a next phase that is started by hand; leave one out";
        return Err(Invalid::new("phases.after_days", reason).into());
    }
    let after_days = days("phases.after_days", after_days.unwrap_or(1), DAYS_MAX)?;
    let gradual_days = days("phases.gradual_days", gradual_days, GRADUAL_DAYS_MAX)?;
    let deadline = match days("phases.deadline_days", deadline_days.unwrap_or(7), DAYS_MAX)? {
        0 => Due::Asap,
        days => Due::After { minutes: u32::from(days) * MINUTES_OF_DAY },
    };
    Ok(Phase {
        name,
        collection: collection.code,
        success,
        next: if manual { Next::Manual } else { Next::Automatic { after_days } },
        gradual_days: u8::try_from(gradual_days).unwrap_or(u8::MAX),
        deadline,
        started_at: None,
        succeeded_at: None,
        deployment: None,
    })
}

fn days(field: &'static str, days: u32, max: u32) -> Result<u16, Invalid> {
    let fits = u16::try_from(days).ok().filter(|_| days <= max);
    fits.ok_or_else(|| Invalid::new(field, format!("is {days}; 0 to {max} are possible")))
}

pub(super) fn percent(
    field: &'static str,
    least: u8,
    given: Option<u32>,
) -> Result<Option<u8>, Invalid> {
    let Some(given) = given else { return Ok(None) };
    let fits = u8::try_from(given).ok().filter(|percent| (least..=100).contains(percent));
    let reason = || format!("is {given}; {least} to 100 are possible");
    fits.map(Some).ok_or_else(|| Invalid::new(field, reason()))
}
