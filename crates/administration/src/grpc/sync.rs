//! Synchronization of updates.

use std::collections::BTreeMap;

use model::{Invalid, RoleKind, RoleRecord, SiteCode, StatusMessage, SupersedenceRule};
use rpc::convert::{read_time, wire_time};
use rpc::pb::admin as pb;
use site_db::{Reader, StatusFilter, SyncRequest, SyncRun, SyncSchedule};

use super::Answer;
use crate::Error;
use crate::admin::{Change, View};
use crate::audit::Deed;

const RUNS: usize = 20;
const RUNS_MAX: usize = 1_000;

/// Messages looked through for the last word on each update point: several per synchronization of
/// the largest hierarchy.
const MESSAGES: usize = 10_000;

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
    let last = r.sync_run()?.map(|run| run.started_at);
    Ok(r.sync_schedule()?.map_or_else(pb::SyncSchedule::default, |schedule| pb::SyncSchedule {
        start: Some(wire_time(schedule.start())),
        every_seconds: u64::try_from(schedule.every_ms() / 1_000).unwrap_or(0),
        next_due: Some(wire_time(schedule.due(last))),
    }))
}

pub(super) fn schedule(v: &View<'_>, _: pb::GetSyncScheduleRequest) -> Answer<pb::SyncSchedule> {
    schedule_row(v)
}

pub(super) fn set_schedule(
    c: &Change<'_>,
    asked: pb::SetSyncScheduleRequest,
) -> Answer<pb::SyncSchedule> {
    let now = c.now();
    let start = asked.start.map(read_time).transpose()?.unwrap_or(now);
    let every_ms = i64::try_from(asked.every_seconds).unwrap_or(i64::MAX).saturating_mul(1_000);
    let schedule = (every_ms > 0).then(|| SyncSchedule::new(start, every_ms, now)).transpose()?;
    c.set_sync_schedule(schedule)?;
    c.audit(Deed::Changed, "synchronization schedule")?;
    schedule_row(c)
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

pub(super) fn source(v: &View<'_>, _: pb::GetSyncSourceRequest) -> Answer<String> {
    Ok(v.sync_source()?)
}

pub(super) fn set_source(c: &Change<'_>, asked: pb::SetSyncSourceRequest) -> Answer<String> {
    let url = asked.url;
    let is_url = url.is_empty() || url.starts_with("http://") || url.starts_with("https://");
    if !is_url {
        let reason = format!("\"{url}\" is not of the form http://host:8530; none: \"\"");
        return Err(Invalid::new("source", reason).into());
    }
    c.set_sync_source(&url)?;
    c.audit(Deed::Changed, format!("synchronization source to \"{url}\""))?;
    Ok(url)
}
