//! The deletion of what expired, at the top-level site.

use model::Invalid;
use rpc::convert::wire_time;
use rpc::pb::admin as pb;
use site_db::{CLEANUP_EVERY_MS, CleanupRun};

use super::Answer;
use crate::admin::{Change, View};
use crate::audit::Deed;

/// Ten years; whoever wants to delete nothing need not wait for longer.
const AGE_DAYS_MAX: u32 = 3_650;

pub(super) fn show(v: &View<'_>, _: pb::GetCleanupRequest) -> Answer<pb::GetCleanupResponse> {
    let last = v.cleanup_run()?;
    let next_due = last.as_ref().map(|run| wire_time(run.started_at.plus_ms(CLEANUP_EVERY_MS)));
    Ok(pb::GetCleanupResponse {
        age_days: v.cleanup_age_days()?,
        next_due: next_due.filter(|_| v.identity().is_top()),
        expired: v.expired_count()?,
        row: Some(last.map_or_else(pb::CleanupRun::default, row)),
    })
}

fn row(run: CleanupRun) -> pb::CleanupRun {
    let CleanupRun { number, reason, total, done, deleted, started_at, ended_at } = run;
    let (started_at, ended_at) = (Some(wire_time(started_at)), ended_at.map(wire_time));
    pb::CleanupRun { number, reason, total, done, deleted, started_at, ended_at }
}

pub(super) fn run(c: &Change<'_>, _: pb::RunCleanupRequest) -> Answer<u64> {
    c.request_cleanup(c.account)?;
    c.audit(Deed::Ran, "cleanup of expired updates")?;
    Ok(c.cleanup_run()?.map_or(0, |run| run.number))
}

pub(super) fn set(c: &Change<'_>, asked: pb::SetCleanupRequest) -> Answer<u32> {
    let days = asked.age_days;
    if days > AGE_DAYS_MAX {
        let reason = format!("is {days}; at most {AGE_DAYS_MAX}");
        return Err(Invalid::new("age_days", reason).into());
    }
    c.set_cleanup_age_days(days)?;
    c.audit(Deed::Changed, format!("age of expired updates at cleanup to {days} days"))?;
    Ok(days)
}
