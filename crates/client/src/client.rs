//! The machine: what a client knows, what it does next, and what it makes of what came of it.
//!
//! Owns the order of things. Everything depends on `now` and on what was told; asking twice gives
//! the same work only once. Nothing here fails: what cannot be done is tried again later and said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{ClientId, Sha256, SiteCode, StateReport, Timestamp, UpdateId};
use recurrence::Calendar;
use trust::Anchor;

use crate::ledger::{Knowledge, Record};
use crate::plan::{Plan, Run, Situation, decide};
use crate::policy::{Accepted, Policy};
use crate::restart::Decision;
use crate::rules::Rules;
use crate::scan::Scan;
use crate::triggers::Trigger;
use crate::turn::Chance;
use crate::work::{Event, Keep, Lane, Notes, Outcome, Surroundings, Work, WriteFilter};

mod acting;
mod commands;
mod expiring;
mod fetching;
mod giving_up;
mod obeying;
mod planning;
mod reporting;
mod restarting;
mod scanning;
mod view;

use acting::Installing;
use fetching::Content;
use obeying::Polls;
use reporting::Telling;
use restarting::Restarting;
use scanning::Scans;

pub use commands::{Command, NotDone};
pub use view::{Stand, Wait};

/// Who a client is.
#[derive(Clone, Debug)]
pub struct Profile {
    pub client: ClientId,
    pub site: SiteCode,
    pub anchor: Arc<Anchor>,
    /// A scan that nobody waits for starts at a random moment within this time (SCAN-02).
    pub scan_spread_ms: i64,
}

/// What a client remembers from before.
#[derive(Debug)]
pub struct Memory {
    pub record: Record,
    pub said: Knowledge,
    pub runs: BTreeMap<UpdateId, Run>,
    pub policy: Option<Accepted>,
    /// The oldest first.
    pub unsent: Vec<StateReport>,
    /// Some could not be read; the site is told everything.
    pub has_damaged: bool,
    pub notes: Notes,
}

#[derive(Debug)]
pub struct Client {
    profile: Arc<Profile>,
    chance: Chance,
    around: Surroundings,
    policy: Arc<Policy>,
    rules: Rules,
    calendar: Calendar,
    record: Record,
    notes: Notes,
    runs: BTreeMap<UpdateId, Run>,
    /// None until documents were judged since the start.
    scan: Option<Arc<Scan>>,
    plan: Plan,
    polls: Polls,
    scans: Scans,
    content: Content,
    installing: Installing,
    restarting: Restarting,
    telling: Telling,
    busy: BTreeSet<Lane>,
    keeps: Vec<Keep>,
    /// The last moment that was heard of.
    seen: Timestamp,
}

impl Client {
    #[must_use]
    pub fn new(
        profile: Profile,
        memory: Memory,
        around: Surroundings,
        seed: u64,
        now: Timestamp,
    ) -> Client {
        let Memory { record, said, runs, policy, unsent, has_damaged, notes } = memory;
        let none = Policy::default();
        let rules = Rules::of(&none.options, &around.zone);
        let mut client = Client {
            profile: Arc::new(profile),
            chance: Chance::new(seed),
            rules,
            calendar: Calendar::default(),
            policy: Arc::new(none),
            around,
            telling: Telling::new((record.clone(), said), (unsent, has_damaged), now),
            record,
            notes,
            runs,
            scan: None,
            plan: Plan::default(),
            polls: Polls::new(now),
            scans: Scans::new(),
            content: Content::new(now),
            installing: Installing::new(now),
            restarting: Restarting::new(now),
            busy: BTreeSet::new(),
            keeps: Vec::new(),
            seen: now,
        };
        client.recall(policy, now);
        client.forget_the_future(now);
        client
    }

    /// Work that is due now; of a lane whose last work has not ended, nothing.
    pub fn next(&mut self, now: Timestamp) -> Vec<Work> {
        self.follow_clock(now);
        self.replan(now);
        self.say(now);
        let mut works = Vec::new();
        // Content before acts: what is to be fetched may ask for a scan first (SCAN-15).
        for lane in [Lane::Talk, Lane::Look, Lane::Content, Lane::Act] {
            if self.busy.contains(&lane) {
                continue;
            }
            let work = match lane {
                Lane::Talk => self.talk(now),
                Lane::Act => self.act(now),
                Lane::Look => self.inspect(),
                Lane::Content => self.fetch(now),
            };
            if let Some(work) = work {
                self.busy.insert(lane);
                works.push(work);
            }
        }
        works
    }

    /// Says what is to be said, and begins nothing: the driver ends.
    pub fn flush(&mut self, now: Timestamp) {
        self.replan(now);
        self.say(now);
    }

    /// What must be durable before the work of the last [`Client::next`] begins.
    pub fn take_keeps(&mut self) -> Vec<Keep> {
        std::mem::take(&mut self.keeps)
    }

    /// What came of work.
    pub fn tell(&mut self, outcome: Outcome, now: Timestamp) {
        match outcome {
            Outcome::Policy(answered) => {
                self.busy.remove(&Lane::Talk);
                self.answered(answered, now);
            }
            Outcome::Sent(serial, taken) => {
                self.busy.remove(&Lane::Talk);
                self.sent(serial, taken, now);
            }
            Outcome::Described(is_taken) => {
                self.busy.remove(&Lane::Talk);
                self.described(is_taken, now);
            }
            Outcome::Scanned(scanned) => {
                self.busy.remove(&Lane::Act);
                self.scanned(*scanned, now);
            }
            Outcome::Inspected { asked, missing } => {
                self.busy.remove(&Lane::Look);
                self.content.present.extend(asked.difference(&missing));
                self.content.present.retain(|file| !missing.contains(file));
                self.content.inspected.extend(asked);
            }
            Outcome::Fetched { files, troubles } => {
                self.busy.remove(&Lane::Content);
                self.fetched(files, troubles, now);
            }
            Outcome::Detected(assigned, verdict) => {
                self.busy.remove(&Lane::Act);
                self.detected(assigned, verdict, now);
            }
            Outcome::Installed(assigned, ended, detected) => {
                self.busy.remove(&Lane::Act);
                self.installed(&assigned, ended, detected, now);
            }
            Outcome::Settled(ended) => {
                self.busy.remove(&Lane::Act);
                self.installing.is_settled = true;
                if let Some((assigned, ended, detected)) = ended {
                    self.ended_unattended(&assigned, ended, detected, now);
                }
            }
            Outcome::Notified => {
                self.busy.remove(&Lane::Act);
            }
            Outcome::FilterSet { is_open, result } => {
                self.busy.remove(&Lane::Act);
                self.filter_set(is_open, result, now);
            }
            Outcome::Restarting(result) => {
                self.busy.remove(&Lane::Act);
                self.restarting(result, now);
            }
            Outcome::Refused(refused) => self.refused(refused, now),
            Outcome::SetAside(set_aside) => self.set_aside(set_aside, now),
        }
    }

    /// The computer has changed: it was restarted, somebody has come or gone.
    pub fn observe(&mut self, around: Surroundings, now: Timestamp) {
        if around.zone != self.around.zone {
            self.rules = Rules::of(&self.policy.options, &around.zone);
            self.calendar = self.policy.calendar(&around.zone).0;
        }
        self.restarting.asked_since =
            around.asks_for_restart.then(|| self.restarting.asked_since.unwrap_or(now));
        self.around = around;
    }

    /// When there may be more to do than now; none: not before something happens.
    #[must_use]
    pub fn wake_at(&self) -> Option<Timestamp> {
        let free = |lane| !self.busy.contains(&lane);
        let may_fetch = self.content.since.is_some_and(|since| self.scans.judged_at >= Some(since));
        let fetches = self.content.turn.due.filter(|_| may_fetch);
        let sends = self.telling.turn.due.filter(|_| !self.telling.outbox.is_empty());
        let talk = [self.polls.turn.due, sends, self.telling.describes.due]
            .into_iter()
            .flatten()
            .filter(|_| free(Lane::Talk));
        let scans = self.scans.turn.due.filter(|_| self.policy.version > 0);
        let again = self.notes.reevaluate_at;
        let Restarting { decision, turn, is_filter_set, .. } = &self.restarting;
        let restarts = turn.due.filter(|_| decision.is_due || *is_filter_set);
        let act = [scans, again, decision.wake_at, restarts].into_iter().flatten();
        let act = act.filter(|_| free(Lane::Act));
        let content = fetches.filter(|_| free(Lane::Content));
        let planned = self.notes.planned.values().copied().min();
        let others = [self.plan.wake_at, self.expires_at(), planned].into_iter().flatten();
        talk.chain(act).chain(content).chain(others).min()
    }

    /// What policy names and nobody has looked for comes first; until then the last plan holds.
    fn replan(&mut self, now: Timestamp) {
        let scan = self.scan.clone().filter(|_| self.uninspected().next().is_none());
        let Some(scan) = scan else {
            self.plan.rest();
            (self.content.since, self.installing.since) = (None, None);
            self.restarting.decision = Decision::none();
            return;
        };
        self.installing.note_ready(&self.policy, &scan, now);
        self.plan = decide(&Situation {
            assignments: &self.policy.assignments,
            scan: &scan,
            runs: &self.runs,
            present: &self.content.present,
            troubles: &self.content.troubles,
            boot: &self.around.boot,
            calendar: &self.calendar,
            clock: &self.around.zone,
            client: self.profile.client,
            rules: &self.rules,
            wishes: &self.notes.wishes,
            hidden: &self.notes.hidden,
            is_server: self.around.is_server,
            is_filter_closed: self.around.filter == WriteFilter::Closed,
            running: self.installing.running,
            ready_since: &self.installing.ready_since,
            missed_until: self.restarting.missed_until,
            is_expired: self.expired_at(now).is_some(),
            now,
        });
        let since = |since: Option<Timestamp>, is: bool| is.then(|| since.unwrap_or(now));
        self.content.since = since(self.content.since, !self.plan.fetch.is_empty());
        self.installing.since = since(self.installing.since, !self.plan.install.is_empty());
        self.forget_wishes();
        self.forget_planned();
        self.replan_restart(now);
    }

    fn uninspected(&self) -> impl Iterator<Item = &Sha256> {
        let updates = self.policy.assignments.iter().flat_map(|assigned| &assigned.updates);
        let files = updates.flat_map(|assigned| &assigned.files).map(|file| &file.sha256);
        files.filter(|file| !self.content.inspected.contains(file))
    }

    /// A clock that was set back must put nothing off; a new start of the system ends a restart.
    fn follow_clock(&mut self, now: Timestamp) {
        let back = self.seen.0.saturating_sub(now.0);
        if back > 0 {
            self.polls.shift(back);
            let Client { scans, content, restarting, telling, .. } = self;
            let turns = [&mut scans.turn, &mut content.turn, &mut restarting.turn];
            let telling = [&mut telling.turn, &mut telling.describes];
            turns.into_iter().chain(telling).for_each(|turn| turn.shift(back));
            self.forget_the_future(now);
        }
        self.seen = now;
        self.note_expiry(now);
        self.start_planned(now);
        if self.notes.boot != self.around.boot {
            self.restarted(now);
        }
        if self.policy.version > 0 {
            let again = now.plus_ms(self.rules.reevaluate_ms);
            match self.notes.reevaluate_at {
                Some(at) if at > now && at <= again => {}
                before => {
                    self.scans.wanted.extend(before.map(|_| Trigger::Reevaluation));
                    self.notes.reevaluate_at = Some(again);
                    self.keep_notes();
                }
            }
        }
    }

    /// What is remembered of later than now was written by a clock that was wrong.
    fn forget_the_future(&mut self, now: Timestamp) {
        self.installing.forget_the_future(now);
        self.restarting.forget_the_future(now);
        let moments = [
            &mut self.content.since,
            &mut self.scans.judged_at,
            &mut self.notes.restart_told_at,
            &mut self.notes.refreshed_at,
            &mut self.notes.filter_failed_at,
        ];
        moments.into_iter().for_each(|at| *at = at.map(|at| at.min(now)));
        self.runs.values_mut().for_each(|run| run.at = run.at.min(now));
        self.notes.wishes.values_mut().for_each(|at| *at = (*at).min(now));
    }

    fn keep_notes(&mut self) {
        self.keeps.push(Keep::Notes(self.notes.clone()));
    }

    fn event(&mut self, event: Event) {
        self.keeps.push(Keep::Event(event));
    }
}

#[cfg(test)]
mod tests;
