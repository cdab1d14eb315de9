//! What people at the computer, and its administrators, ask of a client.

use model::{Timestamp, UpdateId};
use update_metadata::Applicability;

use super::Client;
use crate::limits::{MINUTE_MS, SCAN_AGAIN_MS};
use crate::restart::Standing;
use crate::triggers::{Reach, Trigger};
use crate::update_point::UpdatePoint;
use crate::work::{Event, EventKind};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    AskPolicy,
    Scan,
    /// All deployments are evaluated again (SCAN-13).
    Evaluate,
    /// Install these, or all that is offered, now (DEP-07, DEP-18, MW-06).
    Install(Option<Vec<UpdateId>>),
    /// Install these, or all that is offered, at that time (DEP-07).
    InstallAt(Option<Vec<UpdateId>>, Timestamp),
    /// Not at the time that was set for these, or for any.
    Unplan(Option<Vec<UpdateId>>),
    Hide(UpdateId),
    Show(UpdateId),
    /// Put the restart off for so many minutes.
    Defer(u32),
    Restart,
    /// Tell the site everything.
    SendAll,
    /// Forget what was found and what failed; policy and what was said stay.
    Reset,
}

/// Why a command is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    #[error("update {0} is not offered here: no deployment offers it yet, or it is not applicable")]
    NotOffered(UpdateId),
    #[error("update {0} is required; only available updates can be hidden")]
    Required(UpdateId),
    #[error("nothing is offered to be installed")]
    NothingOffered,
    #[error("the policy here expired at {0}; nothing is begun before there is a newer one")]
    PolicyExpired(Timestamp),
    #[error("update {0} is not hidden here")]
    NotHidden(UpdateId),
    #[error("{0} has passed")]
    Past(Timestamp),
    #[error("{0} is more than a year away")]
    TooFar(Timestamp),
    #[error("update {0} is installed at its deadline, {1}, at the latest")]
    AfterDeadline(UpdateId, Timestamp),
    #[error("no time is set for update {0}")]
    NotPlanned(UpdateId),
    #[error("no time is set for any update")]
    NothingPlanned,
    #[error("no restart is pending")]
    NoRestart,
    #[error("the restart cannot be put off beyond {0}")]
    TooLate(Timestamp),
}

impl Client {
    pub fn command(&mut self, command: &Command, now: Timestamp) -> Result<(), NotDone> {
        match command {
            Command::AskPolicy => self.polls.turn.until(now),
            Command::Scan => self.want_scan(Trigger::Asked),
            Command::Evaluate => {
                self.want_scan(Trigger::EvaluationAsked);
                self.content.turn.until(now);
            }
            Command::Install(wished) => return self.wish(wished.as_deref(), now),
            Command::InstallAt(wished, at) => return self.plan_for(wished.as_deref(), *at, now),
            Command::Unplan(planned) => return self.unplan(planned.as_deref()),
            Command::Hide(update) => return self.hide(*update),
            Command::Show(update) => {
                if !self.notes.hidden.remove(update) {
                    return Err(NotDone::NotHidden(*update));
                }
                self.keep_notes();
            }
            Command::Defer(minutes) => return self.defer(*minutes, now),
            Command::Restart if self.restarting.decision.standing == Standing::None => {
                return Err(NotDone::NoRestart);
            }
            Command::Restart => self.restarting.is_wished = true,
            Command::SendAll => self.telling.wants_everything = true,
            Command::Reset => self.reset(now),
        }
        Ok(())
    }

    /// A scan goes on or is about to, or ended within the last minute: another one would find the
    /// same.
    #[must_use]
    pub fn has_scanned_lately(&self, now: Timestamp) -> bool {
        let is_wanted = self.scans.wanted.iter().any(|trigger| trigger.reach() > Reach::Offline);
        let age = self.scans.judged_at.map(|at| now.0.saturating_sub(at.0));
        self.scans.going_on.is_some()
            || is_wanted
            || age.is_some_and(|age| (0..SCAN_AGAIN_MS).contains(&age))
    }

    /// Those that are meant, if all of them are offered.
    pub(super) fn meant(
        &self,
        wished: Option<&[UpdateId]>,
        now: Timestamp,
    ) -> Result<Vec<UpdateId>, NotDone> {
        if let Some(at) = self.expired_at(now) {
            return Err(NotDone::PolicyExpired(at));
        }
        let offered = &self.plan.offered;
        let ids: Vec<UpdateId> = match wished {
            Some(ids) => ids.to_vec(),
            None => offered.iter().copied().collect(),
        };
        if let Some(missing) = ids.iter().find(|id| !offered.contains(id)) {
            return Err(NotDone::NotOffered(*missing));
        }
        if ids.is_empty() {
            return Err(NotDone::NothingOffered);
        }
        Ok(ids)
    }

    fn wish(&mut self, wished: Option<&[UpdateId]>, now: Timestamp) -> Result<(), NotDone> {
        for id in self.meant(wished, now)? {
            let is_new = self.notes.wishes.insert(id, now).is_none();
            self.notes.planned.remove(&id);
            self.notes.hidden.remove(&id);
            if !is_new {
                continue;
            }
            let scan = self.scan.as_ref();
            let update = scan.and_then(|scan| scan.updates.get(&id)).map(|judged| judged.update);
            self.event(Event {
                update,
                ..Event::new(EventKind::User, now, "installation started")
            });
        }
        // What could not be had before is tried again.
        self.content.troubles.clear();
        self.content.turn.until(now);
        self.keep_notes();
        Ok(())
    }

    fn hide(&mut self, update: UpdateId) -> Result<(), NotDone> {
        let assignments = self.policy.assignments.iter();
        let mut required = assignments.filter(|a| a.intent == model::Intent::Required);
        if required.any(|a| a.updates.iter().any(|assigned| assigned.update.id == update)) {
            return Err(NotDone::Required(update));
        }
        let judged = self.scan.as_ref().and_then(|scan| scan.updates.get(&update));
        if judged.is_none_or(|judged| judged.verdict == Applicability::NotApplicable) {
            return Err(NotDone::NotOffered(update));
        }
        self.notes.hidden.insert(update);
        self.notes.wishes.remove(&update);
        self.notes.planned.remove(&update);
        self.keep_notes();
        Ok(())
    }

    fn defer(&mut self, minutes: u32, now: Timestamp) -> Result<(), NotDone> {
        let until = now.plus_ms(i64::from(minutes) * MINUTE_MS);
        match self.restarting.decision.standing {
            Standing::At(_, Some(latest)) if until <= latest => {
                self.notes.restart_deferred_to = Some(until);
                self.notes.restart_told_at = Some(now);
                self.keep_notes();
                Ok(())
            }
            Standing::At(at, latest) => Err(NotDone::TooLate(latest.unwrap_or(at))),
            Standing::None | Standing::Suppressed | Standing::Asked | Standing::NoWindow => {
                Err(NotDone::NoRestart)
            }
        }
    }

    fn reset(&mut self, now: Timestamp) {
        (self.scan, self.record.catalog, self.notes.refreshed_at) = (None, None, None);
        self.notes.update_point = UpdatePoint::default();
        let failed = |run: &crate::plan::Run| matches!(run.phase, crate::plan::Phase::Failed(_));
        let failed: Vec<UpdateId> =
            self.runs.iter().filter(|(_, run)| failed(run)).map(|(id, _)| *id).collect();
        for id in failed {
            if let Some(run) = self.runs.get_mut(&id) {
                // As if it were new: what fails next is repeated soon.
                (run.phase, run.attempts) = (crate::plan::Phase::Waiting, 0);
                self.keeps.push(crate::work::Keep::Run(id, run.clone()));
            }
        }
        self.content.troubles.clear();
        self.content.inspected.clear();
        self.telling.wants_everything = true;
        self.scans.turn.until(now);
        self.content.turn.until(now);
        self.polls.turn.until(now);
        self.keep_notes();
    }
}
