//! When a computer that needs a restart is restarted, and what its users are told before.
//!
//! Owns the documented order: never before the deadline of what was installed (DEP-23), not where
//! it is suppressed (DEP-24) or forbidden (CSET-17), only where a window has room (MW-05), and with
//! users at the computer not without delay, countdown and reminders (CSET-16, INT-08, INT-10,
//! INT-13). A restart for any other reason fulfills all of it. Refuses to know how a computer is
//! restarted and how users are told.

use model::Timestamp;
use recurrence::{Calendar, Room};

use crate::limits::MINUTE_MS;

/// What settings say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// From the deadline to the restart, where users may put it off.
    pub delay_ms: i64,
    /// Users are told for the last time.
    pub countdown_ms: i64,
    /// They are reminded this often.
    pub remind_ms: i64,
    /// And this often after they have put it off.
    pub prompt_ms: i64,
    /// From the deadline to the restart, where users are only told.
    pub scheduled_delay_ms: i64,
    pub is_forced: bool,
    /// Users may put it off.
    pub is_deferrable: bool,
}

/// One reason for a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Installed, or noticed.
    pub since: Timestamp,
    /// No restart by itself before it; none: only users restart for it.
    pub not_before: Option<Timestamp>,
    pub is_suppressed: bool,
    pub is_outside_window: bool,
    /// Users are told.
    pub is_told: bool,
}

/// Everything the decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    pub needs: &'a [Need],
    pub rules: &'a Rules,
    pub calendar: &'a Calendar,
    /// Somebody is at the computer.
    pub has_users: bool,
    /// Users have put it off until then.
    pub deferred_to: Option<Timestamp>,
    /// Users have asked for it now.
    pub is_wished: bool,
    /// When they were told last.
    pub told_at: Option<Timestamp>,
    pub now: Timestamp,
}

/// Why a computer is restarted when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No restart is needed.
    None,
    /// All who need it forbid it; it waits for a restart for another reason.
    Suppressed,
    /// Only users start it.
    Asked,
    /// At this moment; users may put it off until the second one.
    At(Timestamp, Option<Timestamp>),
    /// No window has room for it within a year.
    NoWindow,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    pub standing: Standing,
    pub is_due: bool,
    /// Users are to be told now: how long it still is; none if only they start it.
    pub notice: Option<Option<i64>>,
    /// When there is more to decide.
    pub wake_at: Option<Timestamp>,
}

impl Decision {
    pub(crate) fn none() -> Decision {
        Decision { standing: Standing::None, is_due: false, notice: None, wake_at: None }
    }
}

/// A restart, and what was being written, are over in this time; a window must have room for it.
const RESTART_MINUTES: u32 = 10;

#[must_use]
pub fn decide(scene: &Scene<'_>) -> Decision {
    let idle = |standing| Decision { standing, is_due: false, notice: None, wake_at: None };
    if scene.needs.is_empty() {
        return idle(Standing::None);
    }
    if scene.is_wished {
        let standing = Standing::At(scene.now, None);
        return Decision { is_due: true, ..idle(standing) };
    }
    let standing = standing(scene);
    let at = match standing {
        Standing::At(at, _) => at,
        Standing::Asked => return remind(scene, idle(standing), None),
        Standing::None | Standing::Suppressed | Standing::NoWindow => return idle(standing),
    };
    if at <= scene.now {
        return Decision { is_due: true, ..idle(standing) };
    }
    let planned = Decision { wake_at: Some(at), ..idle(standing) };
    remind(scene, planned, Some(at))
}

fn standing(scene: &Scene<'_>) -> Standing {
    let willing = scene.needs.iter().filter(|need| !need.is_suppressed);
    let timed = willing.clone().filter_map(|need| Some((need.not_before?, *need)));
    // The first deadline brings the restart for all of them.
    let Some((since, _)) = timed.clone().min_by_key(|(since, _)| *since) else {
        return if willing.count() == 0 { Standing::Suppressed } else { Standing::Asked };
    };
    if !scene.rules.is_forced {
        return Standing::Asked;
    }
    let Scene { rules, has_users, deferred_to, .. } = *scene;
    let latest = since.plus_ms(rules.delay_ms);
    let wanted = match (has_users, rules.is_deferrable) {
        (false, _) => since,
        (true, false) => since.plus_ms(rules.scheduled_delay_ms),
        // Put off, but not for ever.
        (true, true) => deferred_to.map_or(latest, |until| until.min(latest)).max(since),
    };
    let wanted = wanted.max(last_word(scene, wanted));
    let is_free = timed
        .clone()
        .any(|(not_before, need)| need.is_outside_window && not_before <= wanted.max(scene.now));
    let at = match scene.calendar.room(wanted.max(scene.now), RESTART_MINUTES) {
        _ if is_free => wanted,
        Room::Now => wanted,
        Room::From(at) => at,
        Room::Never => return Standing::NoWindow,
    };
    let last_word = at.max(latest).plus_ms(-rules.countdown_ms);
    let is_deferrable = has_users && rules.is_deferrable && last_word > scene.now;
    Standing::At(at, is_deferrable.then_some(latest.max(at)))
}

/// Users at the computer are told for the last time before it restarts, also if it slept through
/// the moment at which they were to be told.
fn last_word(scene: &Scene<'_>, at: Timestamp) -> Timestamp {
    let Scene { rules, now, told_at, .. } = *scene;
    if !scene.has_users || !scene.needs.iter().any(|need| need.is_told) {
        return at;
    }
    let countdown = rules.countdown_ms.clamp(0, rules.delay_ms.max(0));
    match told_at.filter(|told| *told >= at.plus_ms(-countdown)) {
        Some(told) => told.plus_ms(countdown),
        None if at.plus_ms(-countdown) <= now => now.plus_ms(countdown),
        None => at,
    }
}

/// Tells users at once, then from time to time, and for the last time at the countdown.
fn remind(scene: &Scene<'_>, decision: Decision, at: Option<Timestamp>) -> Decision {
    let Scene { rules, now, told_at, .. } = *scene;
    if !scene.has_users || !scene.needs.iter().any(|need| need.is_told) {
        return decision;
    }
    let every = if scene.deferred_to.is_some() { rules.prompt_ms } else { rules.remind_ms };
    let countdown = at.map(|at| at.plus_ms(-rules.countdown_ms));
    let next = match told_at {
        None => now,
        Some(told) => {
            let reminder = told.plus_ms(every.max(MINUTE_MS));
            // A reminder within the countdown would say nothing new (CSET-16).
            match countdown {
                Some(last) if told < last => reminder.min(last),
                Some(_) => return decision,
                None => reminder,
            }
        }
    };
    if next <= now {
        return Decision { notice: Some(at.map(|at| at.0 - now.0)), ..decision };
    }
    let wake_at = decision.wake_at.map_or(next, |at| at.min(next));
    Decision { wake_at: Some(wake_at), ..decision }
}

#[cfg(test)]
mod tests;
