//! What a synchronization does next. Pure: the step it stands at and what happened give the step
//! to record and the message to say.
//!
//! | step | event | next | message |
//! | --- | --- | --- | --- |
//! | – | begun | UpdatePoint | 6701, 6704 |
//! | UpdatePoint | Synchronized, top-level site | Database | 6705 |
//! | UpdatePoint | Complete, child site | Replicas | 6702 |
//! | Database | Complete | Replicas | 6702 |
//! | Replicas | Replica | Replicas | 6706 |
//! | Replicas | ReplicaDone, ReplicaFailed | Replicas | 6702, 6703 of that point |
//! | Replicas | Tried, without or with failures | Succeeded, Failed | |
//! | UpdatePoint, Database, Replicas | Failed | Failed | 6703 |
//! | UpdatePoint, Database, Replicas | Cancelled | Cancelled | 6703 |
//!
//! A step is recorded, with its message, in one transaction before its effect begins. Effects can
//! be repeated: orders to update points start over, unchanged items write nothing, and the request
//! to child sites is the completed version itself, told again after every start.

use site_db::{SyncRun, SyncStep};

use crate::Error;
use crate::messages::{Message, time_taken};

/// Where in the hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Top,
    Child,
}

/// What happened to a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The first update point has what its source has.
    Synchronized,
    /// Update point, items and catalog version agree; the run says at which version.
    Complete,
    /// Another update point is to follow.
    Replica {
        name: String,
        source: String,
    },
    ReplicaDone {
        name: String,
    },
    ReplicaFailed {
        name: String,
        cause: String,
    },
    /// Every other update point had its turn.
    Tried {
        failures: usize,
    },
    Failed {
        cause: String,
    },
    Cancelled {
        by: String,
    },
}

/// What to record before going on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) step: SyncStep,
    pub(crate) cause: String,
    pub(crate) message: Option<Message>,
}

/// What a run says when it begins. `point` is the first update point.
pub(crate) fn opening(run: &SyncRun, point: &str, source: &str) -> [Message; 2] {
    let kind = if run.is_full { "full" } else { "delta" };
    let started = vec![run.reason.clone(), kind.to_owned(), source.to_owned()];
    let progress = vec!["synchronizing categories".to_owned(), source.to_owned()];
    [Message::new(6701, point, started), Message::new(6704, point, progress)]
}

/// The next step of `run`, `elapsed_ms` after it began.
pub(crate) fn plan_next(
    (place, point): (Place, &str),
    run: &SyncRun,
    event: &Event,
    elapsed_ms: i64,
) -> Result<Next, Error> {
    use SyncStep::{Cancelled, Database, Failed, Replicas, Succeeded, UpdatePoint};
    let next = |step, message| Next { step, cause: String::new(), message };
    let say = |id, machine: &str, strings| Some(Message::new(id, machine, strings));
    let done = || {
        let (version, changed) = (run.version.to_string(), run.updates_changed.to_string());
        vec![version, changed, time_taken(elapsed_ms)]
    };
    let ended =
        |step, cause: String| Next { step, message: say(6703, point, vec![cause.clone()]), cause };
    Ok(match (run.step, place, event) {
        (UpdatePoint, Place::Top, Event::Synchronized) => {
            next(Database, say(6705, point, vec!["synchronizing updates".to_owned()]))
        }
        (UpdatePoint, Place::Child, Event::Complete) | (Database, Place::Top, Event::Complete) => {
            next(Replicas, say(6702, point, done()))
        }
        (Replicas, _, Event::Replica { name, source }) => {
            next(Replicas, say(6706, name, vec![source.clone()]))
        }
        (Replicas, _, Event::ReplicaDone { name }) => next(Replicas, say(6702, name, done())),
        (Replicas, _, Event::ReplicaFailed { name, cause }) => {
            next(Replicas, say(6703, name, vec![cause.clone()]))
        }
        (Replicas, _, Event::Tried { failures: 0 }) => next(Succeeded, None),
        (Replicas, _, Event::Tried { failures }) => {
            let cause = format!("{failures} other update points did not follow");
            Next { step: Failed, cause, message: None }
        }
        (UpdatePoint | Database | Replicas, _, Event::Failed { cause }) => {
            ended(Failed, cause.clone())
        }
        (UpdatePoint | Database | Replicas, _, Event::Cancelled { by }) => {
            ended(Cancelled, format!("cancelled by {by}"))
        }
        (step, _, event) => return Err(Error::transition(step, event)),
    })
}

#[cfg(test)]
mod tests;
