//! When a rule runs by itself: not more than three times a day, and not more often than there is
//! something new (DEPX-08).

use deployment::next_run;
use model::{Invalid, Rule, Timestamp, error_chain};
use recurrence::Recurrence;
use site_db::{Reader, SyncRhythm, SyncSchedule};

use crate::Error;

/// Occurrences that are shown before something is saved.
const SHOWN: usize = 5;
/// In any 24 hours.
const PER_DAY_MAX: usize = 3;
/// Occurrences that are compared: a rule that keeps to its limit has them in some weeks.
const COMPARED: usize = 64;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// The canonical spelling of a recurrence that rules may have.
pub(in crate::grpc) fn read_schedule(r: &Reader<'_>, text: &str) -> Result<String, Error> {
    let invalid = |error: recurrence::Error| Invalid::new("evaluate", error_chain(&error));
    let recurrence: Recurrence = text.parse().map_err(invalid)?;
    let now = r.now();
    let times: Vec<Timestamp> = recurrence.all_after(now).take(COMPARED).collect();
    let is_crowded = |window: &[Timestamp]| window[PER_DAY_MAX].0 - window[0].0 < DAY_MS;
    if times.windows(PER_DAY_MAX + 1).any(is_crowded) {
        let reason = format!("\"{recurrence}\" comes more than {PER_DAY_MAX} times a day");
        return Err(Invalid::new("evaluate", reason).into());
    }
    match (r.sync_schedule()?, times.last()) {
        (Some(sync), Some(last)) if is_rarer(&sync, now, *last, times.len()) => {
            let reason = format!(
                "\"{recurrence}\" comes more often than the synchronization ({}): there would be \
                 nothing new; write on-change to follow it",
                spelled(&sync)
            );
            Err(Invalid::new("evaluate", reason).into())
        }
        _ => Ok(recurrence.to_string()),
    }
}

/// Whether synchronizations come less than `times` until `end`, give or take one at either end.
fn is_rarer(sync: &SyncSchedule, now: Timestamp, end: Timestamp, times: usize) -> bool {
    let all = std::iter::successors(sync.due(Some(now)), |last| sync.due(Some(*last)));
    let synchronizations = all.take_while(|at| *at <= end).take(times).count();
    synchronizations + 1 < times
}

fn spelled(sync: &SyncSchedule) -> String {
    match sync.rhythm() {
        SyncRhythm::Every { every_ms, .. } => format!("every {} minutes", every_ms / 60_000),
        SyncRhythm::Recurring(recurrence) => format!("\"{recurrence}\""),
    }
}

/// When a rule comes next.
pub(in crate::grpc) fn occurrences(rule: &Rule, now: Timestamp) -> Vec<Timestamp> {
    let all = std::iter::successors(next_run(rule, now), |last| next_run(rule, *last));
    all.take(SHOWN).collect()
}
