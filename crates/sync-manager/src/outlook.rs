//! Whether a synchronization is due. Pure: what the site knows and the time give the answer.

use model::Timestamp;
use site_db::{SyncRequest, SyncRun, SyncSchedule};

use crate::machine::Place;

/// Everything the answer depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outlook {
    pub(crate) place: Place,
    pub(crate) request: Option<SyncRequest>,
    pub(crate) schedule: Option<SyncSchedule>,
    pub(crate) last: Option<SyncRun>,
    /// The version clients of this site are told of.
    pub(crate) complete: u64,
    /// Of the catalog as replicated here.
    pub(crate) catalog: u64,
    /// The version the first update point completed, while it is connected.
    pub(crate) first: Option<u64>,
    pub(crate) has_points: bool,
    /// The version the parent site asks for.
    pub(crate) hinted: u64,
    /// Nothing but a request begins before.
    pub(crate) hold_until: Option<Timestamp>,
    /// Whether to compare with the replicated catalog now.
    pub(crate) is_looking: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Now(SyncRequest),
    At(Timestamp),
    Never,
}

pub(crate) fn plan_due(outlook: &Outlook, now: Timestamp) -> Due {
    if let Some(request) = &outlook.request {
        return Due::Now(request.clone());
    }
    let delta = |reason: String| Due::Now(SyncRequest { is_full: false, reason });
    if let Some(hold) = outlook.hold_until {
        let failed = outlook.last.as_ref().filter(|last| last.step == site_db::SyncStep::Failed);
        return match failed {
            _ if now < hold => Due::At(hold),
            Some(last) => {
                Due::Now(SyncRequest { is_full: last.is_full, reason: "retry".to_owned() })
            }
            None => plan_due(&Outlook { hold_until: None, ..outlook.clone() }, now),
        };
    }
    if outlook.first.is_some_and(|version| version < outlook.complete) {
        return delta("the update point is behind its site".to_owned());
    }
    match outlook.place {
        Place::Top => plan_schedule(outlook, now),
        Place::Child if outlook.has_points && outlook.hinted > outlook.complete => {
            delta(format!("the parent site has catalog version {}", outlook.hinted))
        }
        Place::Child
            if outlook.is_looking
                && outlook.first.is_some()
                && outlook.catalog > outlook.complete =>
        {
            delta(format!("catalog version {} is here", outlook.catalog))
        }
        Place::Child => Due::Never,
    }
}

fn plan_schedule(outlook: &Outlook, now: Timestamp) -> Due {
    let last = outlook.last.as_ref().map(|last| last.started_at);
    let due = outlook.schedule.as_ref().and_then(|schedule| schedule.due(last));
    let Some(due) = due else { return Due::Never };
    if due > now {
        return Due::At(due);
    }
    Due::Now(SyncRequest { is_full: false, reason: "schedule".to_owned() })
}

#[cfg(test)]
mod tests;
