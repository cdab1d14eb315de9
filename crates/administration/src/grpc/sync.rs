//! Synchronization of updates.

use std::collections::BTreeMap;

use model::{RoleKind, RoleRecord, SiteCode, StatusMessage, Timestamp};
use rpc::convert::{read_time, wire_time};
use rpc::pb::admin as pb;
use site_db::{Reader, StatusFilter, SyncRequest, SyncRun, SyncSchedule};

use crate::admin::Call;
use crate::audit::{Deed, audit};
use crate::{Admin, Error};

const RUNS: usize = 20;
const RUNS_MAX: usize = 1_000;

/// Messages looked through for the last word on each update point: several per synchronization of
/// the largest hierarchy.
const MESSAGES: usize = 10_000;

const COMPONENT: &str = "SMS_WSUS_SYNC_MANAGER";

pub(super) async fn start(
    admin: &Admin,
    call: Call<pb::StartSyncRequest>,
) -> Result<pb::StartSyncResponse, Error> {
    let (account, is_full) = (call.account(), call.message.full);
    let start = move |w: &site_db::Writer<'_>| {
        w.request_sync(&SyncRequest { is_full, reason: account.clone() })?;
        audit(w, &account, Deed::Ran, "synchronization")?;
        Ok::<_, Error>(w.sync_run()?.map_or(0, |last| last.number))
    };
    Ok(pb::StartSyncResponse { after: admin.db.write(start).await? })
}

pub(super) async fn status(
    admin: &Admin,
    _: Call<pb::GetSyncStatusRequest>,
) -> Result<pb::GetSyncStatusResponse, Error> {
    let read = |r: &Reader<'_>| {
        let last = r.sync_run()?;
        let due = r.sync_schedule()?.map(|s| s.due(last.as_ref().map(|last| last.started_at)));
        Ok(pb::GetSyncStatusResponse {
            complete_version: r.complete_version()?,
            next_due: due.map(wire_time),
            update_points: update_points(r)?,
            row: Some(last.map_or_else(pb::SyncRun::default, run_row)),
        })
    };
    admin.db.read(read).await
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

pub(super) async fn history(
    admin: &Admin,
    call: Call<pb::ListSyncRunsRequest>,
) -> Result<pb::ListSyncRunsResponse, Error> {
    let limit = match usize::try_from(call.message.limit).unwrap_or(RUNS_MAX) {
        0 => RUNS,
        limit => limit.min(RUNS_MAX),
    };
    let runs = admin.db.read(move |r| r.sync_history(limit)).await?;
    Ok(pb::ListSyncRunsResponse { rows: runs.into_iter().map(run_row).collect() })
}

pub(super) async fn cancel(
    admin: &Admin,
    call: Call<pb::CancelSyncRequest>,
) -> Result<pb::CancelSyncResponse, Error> {
    let account = call.account();
    let cancel = move |w: &site_db::Writer<'_>| {
        w.request_sync_cancel(&account)?;
        audit(w, &account, Deed::Ran, "cancellation of the synchronization")?;
        Ok::<_, Error>(w.sync_run()?.map_or(0, |run| run.number))
    };
    Ok(pb::CancelSyncResponse { number: admin.db.write(cancel).await? })
}

fn schedule_row(r: &Reader<'_>) -> Result<pb::SyncSchedule, Error> {
    let last = r.sync_run()?.map(|run| run.started_at);
    Ok(r.sync_schedule()?.map_or_else(pb::SyncSchedule::default, |schedule| pb::SyncSchedule {
        start: Some(wire_time(schedule.start())),
        every_seconds: u64::try_from(schedule.every_ms() / 1_000).unwrap_or(0),
        next_due: Some(wire_time(schedule.due(last))),
    }))
}

pub(super) async fn schedule(
    admin: &Admin,
    _: Call<pb::GetSyncScheduleRequest>,
) -> Result<pb::GetSyncScheduleResponse, Error> {
    let row = admin.db.read(schedule_row).await?;
    Ok(pb::GetSyncScheduleResponse { row: Some(row) })
}

pub(super) async fn set_schedule(
    admin: &Admin,
    call: Call<pb::SetSyncScheduleRequest>,
) -> Result<pb::SetSyncScheduleResponse, Error> {
    let account = call.account();
    let pb::SetSyncScheduleRequest { start, every_seconds } = call.message;
    let now = Timestamp(admin.db.ambient().now_ms());
    let start = start.map(read_time).transpose()?.unwrap_or(now);
    let every_ms = i64::try_from(every_seconds).unwrap_or(i64::MAX).saturating_mul(1_000);
    let schedule = (every_ms > 0).then(|| SyncSchedule::new(start, every_ms, now)).transpose()?;
    let set = move |w: &site_db::Writer<'_>| {
        w.set_sync_schedule(schedule)?;
        audit(w, &account, Deed::Changed, "synchronization schedule")?;
        schedule_row(w)
    };
    Ok(pb::SetSyncScheduleResponse { row: Some(admin.db.write(set).await?) })
}

pub(super) async fn source(
    admin: &Admin,
    _: Call<pb::GetSyncSourceRequest>,
) -> Result<pb::GetSyncSourceResponse, Error> {
    Ok(pb::GetSyncSourceResponse { url: admin.db.read(|r| r.sync_source()).await? })
}

pub(super) async fn set_source(
    admin: &Admin,
    call: Call<pb::SetSyncSourceRequest>,
) -> Result<pb::SetSyncSourceResponse, Error> {
    let (account, url) = (call.account(), call.message.url);
    let is_url = url.is_empty() || url.starts_with("http://") || url.starts_with("https://");
    if !is_url {
        let reason = format!("\"{url}\" is not of the form http://host:8530; none: \"\"");
        return Err(model::Invalid::new("source", reason).into());
    }
    let set = {
        let url = url.clone();
        move |w: &site_db::Writer<'_>| {
            w.set_sync_source(&url)?;
            audit(w, &account, Deed::Changed, format!("synchronization source to \"{url}\""))
        }
    };
    admin.db.write(set).await?;
    Ok(pb::SetSyncSourceResponse { url })
}
