//! Installations that somebody here has set a time for (DEP-07).
//!
//! Owns the times: bounded, durable, and seen in what each update waits for. When one comes, the
//! user has started the installation; whatever comes before it, a deadline above all, is not put
//! off by it. One that comes while policy has expired is over, and said to be.

use model::{Timestamp, UpdateId};
use update_metadata::Applicability;

use super::{Client, NotDone};
use crate::limits::PLANNED_AHEAD_MS;
use crate::work::{Event, EventKind};

impl Client {
    pub(super) fn plan_for(
        &mut self,
        wished: Option<&[UpdateId]>,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<(), NotDone> {
        if at <= now {
            return Err(NotDone::Past(at));
        }
        if at > now.plus_ms(PLANNED_AHEAD_MS) {
            return Err(NotDone::TooFar(at));
        }
        let ids = self.meant(wished, now)?;
        let mut deadlines = self.plan.dues.iter().filter_map(|((_, id), dated)| {
            dated.deadline.filter(|deadline| ids.contains(id) && *deadline < at).map(|at| (*id, at))
        });
        if let Some((id, deadline)) = deadlines.next() {
            return Err(NotDone::AfterDeadline(id, deadline));
        }
        for id in ids {
            self.notes.wishes.remove(&id);
            self.notes.hidden.remove(&id);
            self.notes.planned.insert(id, at);
        }
        self.keep_notes();
        Ok(())
    }

    pub(super) fn unplan(&mut self, planned: Option<&[UpdateId]>) -> Result<(), NotDone> {
        if self.notes.planned.is_empty() && planned.is_none() {
            return Err(NotDone::NothingPlanned);
        }
        let is_open = |id: &&UpdateId| !self.notes.planned.contains_key(id);
        if let Some(id) = planned.unwrap_or_default().iter().find(is_open) {
            return Err(NotDone::NotPlanned(*id));
        }
        match planned {
            Some(ids) => self.notes.planned.retain(|id, _| !ids.contains(id)),
            None => self.notes.planned.clear(),
        }
        self.keep_notes();
        Ok(())
    }

    /// Those whose time has come are started now, or never.
    pub(super) fn start_planned(&mut self, now: Timestamp) {
        let is_due = |(_, at): &(&UpdateId, &Timestamp)| **at <= now;
        let due: Vec<UpdateId> =
            self.notes.planned.iter().filter(is_due).map(|(id, _)| *id).collect();
        if due.is_empty() {
            return;
        }
        let has_expired = self.expired_at(now).is_some();
        let text = match has_expired {
            false => "installation started at the time that was set for it",
            true => "not started at the time that was set for it: the policy here has expired",
        };
        for id in due {
            self.notes.planned.remove(&id);
            if !has_expired {
                self.notes.wishes.insert(id, now);
            }
            let judged = self.scan.as_ref().and_then(|scan| scan.updates.get(&id));
            let update = judged.map(|judged| judged.update);
            self.event(Event { update, ..Event::new(EventKind::User, now, text) });
        }
        self.content.troubles.clear();
        self.content.turn.until(now);
        self.keep_notes();
    }

    /// What is installed, not needed or not deployed any more has no time.
    pub(super) fn forget_planned(&mut self) {
        let before = self.notes.planned.len();
        let Some(scan) = self.scan.as_ref().filter(|_| before > 0) else { return };
        let assignments = &self.policy.assignments;
        self.notes.planned.retain(|id, _| {
            let verdict = scan.updates.get(id).map(|judged| &judged.verdict);
            let mut named = assignments.iter().flat_map(|assignment| &assignment.updates);
            verdict == Some(&Applicability::Applicable)
                && named.any(|assigned| assigned.update.id == *id)
        });
        if self.notes.planned.len() < before {
            self.keep_notes();
        }
    }

    /// When somebody here has it installed.
    #[must_use]
    pub fn planned_at(&self, update: UpdateId) -> Option<Timestamp> {
        self.notes.planned.get(&update).copied()
    }
}
