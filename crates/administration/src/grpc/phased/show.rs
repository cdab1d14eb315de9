//! How a phased deployment and its phases are told.

use deployment::{Evidence, PhaseCounts, earliest_starts, last_started, phase_evidence};
use model::{Due, Next, Owner, Phase, Phased, PhasedState, Success, Timestamp};
use rpc::convert::wire_time;
use rpc::pb::admin as pb;

use super::MINUTES_OF_DAY;
use crate::admin::View;
use crate::grpc::Answer;
use crate::grpc::collection::census;

pub(super) fn row(owner: Owner, phased: &Phased) -> pb::Phased {
    let reason = match &phased.state {
        PhasedState::Paused { reason, by } if by.is_empty() => reason.clone(),
        PhasedState::Paused { reason, by } => format!("{reason} (by {by})"),
        PhasedState::Running | PhasedState::Completed => String::new(),
    };
    let started = last_started(phased).map_or(0, |at| at + 1);
    let number = |at| u32::try_from(at).unwrap_or(u32::MAX);
    pb::Phased {
        code: phased.code.to_string(),
        name: phased.name.clone(),
        description: phased.description.clone(),
        owner: owner.code.to_string(),
        group: phased.group.to_string(),
        state: state_of(phased).to_owned(),
        reason,
        phase: number(started),
        phases: number(phased.phases.len()),
        pause_above: phased.pause_above_failed_percent.map(u32::from),
    }
}

pub(super) fn state_of(phased: &Phased) -> &'static str {
    match phased.state {
        PhasedState::Running => "running",
        PhasedState::Paused { .. } => "paused",
        PhasedState::Completed => "completed",
    }
}

/// The phases, with their counts as far as they can be counted here and now.
pub(super) fn phases(v: &View<'_>, (owner, phased): (Owner, &Phased)) -> Answer<Vec<pb::Phase>> {
    let starts = earliest_starts(&phased.phases, v.now());
    let (last, known) = (last_started(phased), evidence(v, owner, phased)?);
    let all = phased.phases.iter().zip(starts).zip(known).enumerate();
    let row = |(at, ((phase, start), evidence)): (usize, ((&Phase, _), Evidence))| {
        let state = match (phase.started_at, phase.succeeded_at) {
            (None, _) => "waiting",
            (Some(_), Some(_)) => "succeeded",
            (Some(_), None) if last > Some(at) => "passed",
            (Some(_), None) => "running",
        };
        let counts = match evidence {
            Evidence::Counts(counts) => Some(counts),
            Evidence::Unknown | Evidence::NoUpdates => None,
        };
        phase_row((at, state), phase, start, counts)
    };
    Ok(all.map(row).collect())
}

/// What is known of each phase: nothing while the board is not there, and of another site's only
/// where it acts on all clients.
pub(super) fn evidence(v: &View<'_>, owner: Owner, phased: &Phased) -> Answer<Vec<Evidence>> {
    let identity = v.identity();
    let acts_here = owner == identity.owner || identity.parent == Some(owner.code);
    let items = if acts_here { v.deployable_group(&phased.group)? } else { None };
    let known = match (items, &v.admin.clients) {
        (Some(items), Some(clients)) => {
            let census = census(v)?;
            clients.board.read(|board| {
                let members = census.on(board);
                let count = |at| phase_evidence((phased, at), (board, &members), &items);
                (0..phased.phases.len()).map(count).collect()
            })
        }
        _ => None,
    };
    Ok(known.unwrap_or_else(|| vec![Evidence::Unknown; phased.phases.len()]))
}

pub(super) fn success(phase: &Phase) -> String {
    match phase.success {
        Success::Percent(percent) => format!("{percent} %"),
        Success::Count(count) => format!("{count} computers"),
    }
}

fn phase_row(
    (at, state): (usize, &str),
    phase: &Phase,
    earliest: Option<Timestamp>,
    counts: Option<PhaseCounts>,
) -> pb::Phase {
    pb::Phase {
        number: u32::try_from(at + 1).unwrap_or(u32::MAX),
        name: phase.name.clone(),
        collection: phase.collection.to_string(),
        state: state.to_owned(),
        success: success(phase),
        next: match phase.next {
            Next::Automatic { after_days } => format!("after {after_days} days"),
            Next::Manual => "manually".to_owned(),
        },
        gradual_days: phase.gradual_days.into(),
        deadline: match phase.deadline {
            Due::Asap => "asap".to_owned(),
            Due::After { minutes } => format!("{} days", minutes / MINUTES_OF_DAY),
            Due::At { days, minute_of_day } => {
                format!("{days} days, at {:02}:{:02}", minute_of_day / 60, minute_of_day % 60)
            }
        },
        started_at: phase.started_at.map(wire_time),
        succeeded_at: phase.succeeded_at.map(wire_time),
        deployment: phase.deployment.map(|id| id.to_string()).unwrap_or_default(),
        targeted: counts.map(|counts| counts.targeted),
        compliant: counts.map(|counts| counts.compliant),
        failed: counts.map(|counts| counts.failed),
        earliest: earliest.map(wire_time),
    }
}
