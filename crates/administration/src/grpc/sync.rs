//! Synchronization of updates.

use std::collections::BTreeMap;

use model::{
    Invalid, RoleKind, RoleRecord, SiteCode, StatusMessage, SupersedenceRule, Timestamp,
    error_chain,
};
use rpc::convert::{read_time, wire_time};
use rpc::pb::admin as pb;
use site_db::{Reader, StatusFilter, SyncRequest, SyncRhythm, SyncRun, SyncSchedule, SyncSource};

use super::Answer;
use crate::Error;
use crate::admin::{Change, View};
use crate::audit::Deed;

const RUNS: usize = 20;
const RUNS_MAX: usize = 1_000;

/// Enough to see what a recurrence means.
const OCCURRENCES: usize = 5;

/// Messages looked through for the last word on each update point: several per synchronization of
/// the largest hierarchy.
const MESSAGES: usize = 10_000;

/// Certificates that a source is believed by: a handful; whole collections belong into a file of
/// the update point.
const ROOTS_BYTES_MAX: usize = 64 << 10;

const COMPONENT: &str = "SMS_WSUS_SYNC_MANAGER";

pub(super) fn start(c: &Change<'_>, asked: pb::StartSyncRequest) -> Answer<u64> {
    c.request_sync(&SyncRequest { is_full: asked.full, reason: c.account.to_owned() })?;
    c.audit(Deed::Ran, "synchronization")?;
    Ok(c.sync_run()?.map_or(0, |last| last.number))
}

pub(super) fn status(
    v: &View<'_>,
    _: pb::GetSyncStatusRequest,
) -> Answer<pb::GetSyncStatusResponse> {
    Ok(pb::GetSyncStatusResponse {
        complete_version: v.complete_version()?,
        next_due: schedule_row(v)?.next_due,
        update_points: update_points(v)?,
        row: Some(v.sync_run()?.map_or_else(pb::SyncRun::default, run_row)),
    })
}

/// One row per update point of the hierarchy, from what its site said last (SYNC-31).
fn update_points(r: &Reader<'_>) -> Result<Vec<pb::UpdatePointStatus>, Error> {
    let filter = StatusFilter { component: Some(COMPONENT.to_owned()), ..Default::default() };
    let mut said: BTreeMap<(SiteCode, String), Vec<StatusMessage>> = BTreeMap::new();
    for (_, message) in r.status_messages(&filter, MESSAGES)? {
        said.entry((message.site, message.machine.clone())).or_default().push(message);
    }
    let points = r.list::<RoleRecord>()?.into_iter().map(|(_, role)| role);
    let points = points.filter(|role| role.kind == RoleKind::SoftwareUpdatePoint);
    Ok(points
        .map(|point| {
            let said = said.remove(&(point.site, point.name.clone())).unwrap_or_default();
            point_row(point, &said)
        })
        .collect())
}

fn point_row(point: RoleRecord, said: &[StatusMessage]) -> pb::UpdatePointStatus {
    let last = said.last();
    let newest = |ids: &[u32]| said.iter().rev().find(|message| ids.contains(&message.id));
    let string = |message: Option<&StatusMessage>, at: usize| {
        message.and_then(|message| message.strings.get(at)).cloned().unwrap_or_default()
    };
    let done = newest(&[6702]);
    let source = match newest(&[6701, 6706]) {
        Some(started) if started.id == 6701 => string(Some(started), 2),
        started => string(started, 0),
    };
    pb::UpdatePointStatus {
        site: point.site.to_string(),
        name: point.name,
        source,
        catalog_version: string(done, 0).parse().unwrap_or(0),
        last_state: last.map_or(0, |message| message.id),
        last_state_at: last.map(|message| wire_time(message.at)),
        last_success_at: done.map(|message| wire_time(message.at)),
        last_error: string(last.filter(|message| message.id == 6703), 0),
    }
}

fn run_row(run: SyncRun) -> pb::SyncRun {
    pb::SyncRun {
        number: run.number,
        step: run.step.as_str().to_owned(),
        reason: run.reason,
        full: run.is_full,
        phase: run.phase,
        done: run.done,
        total: run.total,
        catalog_version: run.version,
        updates_changed: run.updates_changed,
        started_at: Some(wire_time(run.started_at)),
        ended_at: run.ended_at.map(wire_time),
        cause: run.cause,
    }
}

pub(super) fn history(v: &View<'_>, asked: pb::ListSyncRunsRequest) -> Answer<Vec<pb::SyncRun>> {
    let limit = match usize::try_from(asked.limit).unwrap_or(RUNS_MAX) {
        0 => RUNS,
        limit => limit.min(RUNS_MAX),
    };
    Ok(v.sync_history(limit)?.into_iter().map(run_row).collect())
}

pub(super) fn cancel(c: &Change<'_>, _: pb::CancelSyncRequest) -> Answer<u64> {
    c.request_sync_cancel(c.account)?;
    c.audit(Deed::Ran, "cancellation of the synchronization")?;
    Ok(c.sync_run()?.map_or(0, |run| run.number))
}

fn schedule_row(r: &Reader<'_>) -> Result<pb::SyncSchedule, Error> {
    let schedule = r.sync_schedule()?;
    schedule.map_or_else(|| Ok(pb::SyncSchedule::default()), |schedule| shown(r, &schedule))
}

fn shown(r: &Reader<'_>, schedule: &SyncSchedule) -> Result<pb::SyncSchedule, Error> {
    let due = schedule.due(r.sync_run()?.map(|run| run.started_at));
    let row = pb::SyncSchedule { next_due: due.map(wire_time), ..pb::SyncSchedule::default() };
    Ok(match schedule.rhythm() {
        SyncRhythm::Every { start, every_ms } => pb::SyncSchedule {
            start: Some(wire_time(*start)),
            every_seconds: u64::try_from(every_ms / 1_000).unwrap_or(0),
            ..row
        },
        SyncRhythm::Recurring(recurrence) => {
            let next = std::iter::successors(due, |last| recurrence.after(*last));
            pb::SyncSchedule {
                recurrence: recurrence.to_string(),
                next: next.take(OCCURRENCES).map(|at| recurrence.show(at)).collect(),
                ..row
            }
        }
    })
}

pub(super) fn schedule(v: &View<'_>, _: pb::GetSyncScheduleRequest) -> Answer<pb::SyncSchedule> {
    schedule_row(v)
}

pub(super) fn set_schedule(
    c: &Change<'_>,
    asked: pb::SetSyncScheduleRequest,
) -> Answer<pb::SyncSchedule> {
    let schedule = rhythm(&asked, c.now())?;
    let schedule = schedule.map(|rhythm| SyncSchedule::new(rhythm, c.now())).transpose()?;
    if asked.preview {
        let none = || Ok(pb::SyncSchedule::default());
        return schedule.map_or_else(none, |schedule| shown(c, &schedule));
    }
    c.set_sync_schedule(schedule.as_ref())?;
    c.audit(Deed::Changed, "synchronization schedule")?;
    schedule_row(c)
}

fn rhythm(
    asked: &pb::SetSyncScheduleRequest,
    now: Timestamp,
) -> Result<Option<SyncRhythm>, Invalid> {
    let every_ms = i64::try_from(asked.every_seconds).unwrap_or(i64::MAX).saturating_mul(1_000);
    match (every_ms, asked.recurrence.as_str()) {
        (0, "") => Ok(None),
        (0, text) => {
            let invalid =
                |error: recurrence::Error| Invalid::new("recurrence", error_chain(&error));
            Ok(Some(SyncRhythm::Recurring(Box::new(text.parse().map_err(invalid)?))))
        }
        (_, "") => {
            let start = asked.start.map(read_time).transpose()?.unwrap_or(now);
            Ok(Some(SyncRhythm::Every { start, every_ms }))
        }
        _ => Err(Invalid::new("schedule", "is an interval or a recurrence, not both")),
    }
}

/// Longer than any update is of use.
const SUPERSEDENCE_MONTHS_MAX: u32 = 99;

fn rule_row(r: &Reader<'_>) -> Result<pb::SupersedenceRule, Error> {
    let SupersedenceRule { months, feature_months } = r.supersedence_rule()?;
    Ok(pb::SupersedenceRule { months, feature_months })
}

pub(super) fn supersedence(
    v: &View<'_>,
    _: pb::GetSupersedenceRuleRequest,
) -> Answer<pb::SupersedenceRule> {
    rule_row(v)
}

pub(super) fn set_supersedence(
    c: &Change<'_>,
    asked: pb::SetSupersedenceRuleRequest,
) -> Answer<pb::SupersedenceRule> {
    let pb::SupersedenceRule { months, feature_months } = asked.rule.unwrap_or_default();
    for (field, months) in [("months", months), ("feature_months", feature_months)] {
        if months.is_some_and(|months| months > SUPERSEDENCE_MONTHS_MAX) {
            let reason = format!("is at most {SUPERSEDENCE_MONTHS_MAX}; leave it out for never");
            return Err(Invalid::new(field, reason).into());
        }
    }
    c.set_supersedence_rule(SupersedenceRule { months, feature_months })?;
    c.audit(Deed::Changed, "supersedence rule")?;
    rule_row(c)
}

pub(super) fn source(v: &View<'_>, _: pb::GetSyncSourceRequest) -> Answer<pb::SyncSource> {
    source_row(v)
}

pub(super) fn set_source(
    c: &Change<'_>,
    asked: pb::SetSyncSourceRequest,
) -> Answer<pb::SyncSource> {
    let source = read_source(asked)?;
    c.set_sync_source(&source)?;
    c.audit(Deed::Changed, format!("synchronization source to \"{}\"", source.url))?;
    source_row(c)
}

fn source_row(r: &Reader<'_>) -> Answer<pb::SyncSource> {
    let SyncSource { url, pin, roots } = r.sync_source()?;
    let pin = pin.map_or_else(String::new, |pin| pin.to_string());
    Ok(pb::SyncSource { url, pin, roots })
}

fn read_source(asked: pb::SetSyncSourceRequest) -> Answer<SyncSource> {
    let pb::SetSyncSourceRequest { url, pin, roots } = asked;
    let refuse = |reason: String| Error::from(Invalid::new("source", reason));
    if !(url.is_empty() || url.starts_with("http://") || url.starts_with("https://")) {
        let reason = format!("\"{url}\" is not of the form http://host:8530; none: \"\"");
        return Err(refuse(reason));
    }
    let is_believed = !pin.is_empty() || !roots.is_empty();
    if is_believed && !url.starts_with("https://") {
        return Err(refuse("only an https address has a pin or roots".to_owned()));
    }
    if !pin.is_empty() && !roots.is_empty() {
        return Err(refuse("give a pin or roots, not both".to_owned()));
    }
    if !roots.is_empty() && !roots.contains("-----BEGIN CERTIFICATE-----") {
        return Err(refuse("the roots are no certificates as PEM".to_owned()));
    }
    if roots.len() > ROOTS_BYTES_MAX {
        return Err(refuse(format!("the roots are larger than {ROOTS_BYTES_MAX} bytes")));
    }
    let bare: String = pin.chars().filter(|c| *c != ':').collect();
    let pin = (!bare.is_empty()).then(|| bare.to_ascii_lowercase().parse()).transpose()?;
    Ok(SyncSource { url, pin, roots })
}
