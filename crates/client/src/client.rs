//! The machine: what a client knows, what it does next, and what it makes of what came of it.
//!
//! Owns the order of things. Everything depends on `now` and on what was told; asking twice gives
//! the same work only once. Nothing here fails: what cannot be done is tried again later and said.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use model::{
    ClientId, EnforcementState, GivenUpVersion, RefusedServer, SetAside, Sha256, SiteCode,
    StateReport, Timestamp, UpdateId,
};
use recurrence::Calendar;
use trust::Anchor;
use update_metadata::Applicability;

use crate::fallback::Search;
use crate::ledger::{Knowledge, Record};
use crate::plan::{Plan, Run, Situation, decide};
use crate::policy::{Accepted, Policy};
use crate::restart;
use crate::rules::Rules;
use crate::scan::Scan;
use crate::triggers::Trigger;
use crate::turn::{Chance, Turn};
use crate::work::{Event, Keep, Lane, Notes, Outcome, Surroundings, Work, WriteFilter};

mod acting;
mod commands;
mod expiring;
mod fetching;
mod giving_up;
mod obeying;
mod planning;
mod reporting;
mod scanning;
mod view;

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
    /// As it was kept last, and as it is.
    kept: Record,
    record: Record,
    notes: Notes,
    said: Knowledge,
    outbox: VecDeque<Arc<StateReport>>,
    runs: BTreeMap<UpdateId, Run>,
    /// None until documents were judged since the start.
    scan: Option<Arc<Scan>>,
    plan: Plan,
    restart: restart::Decision,
    /// Files that policy names and somebody has looked for, and those that are here.
    inspected: BTreeSet<Sha256>,
    present: BTreeSet<Sha256>,
    troubles: BTreeMap<Sha256, (EnforcementState, i32)>,
    /// Files that no distribution point has given.
    searches: Search<Sha256>,
    untold: VecDeque<RefusedServer>,
    /// Versions of the agent that the site does not know to be given up.
    given_up: VecDeque<GivenUpVersion>,
    /// What was set aside here, and the site does not know.
    set_aside: VecDeque<SetAside>,
    busy: BTreeSet<Lane>,
    keeps: Vec<Keep>,
    polls: Turn,
    scans: Turn,
    fetches: Turn,
    sends: Turn,
    describes: Turn,
    restarts: Turn,
    register_at: Timestamp,
    /// Scans that something asks for, the strongest first.
    wanted: BTreeSet<Trigger>,
    /// What the scan that failed was made for.
    repeats: Option<Trigger>,
    /// The scan that is going on.
    scanning: Option<Trigger>,
    /// When what is required was last looked at, and since when that has consequences.
    judged_at: Option<Timestamp>,
    fetch_since: Option<Timestamp>,
    install_since: Option<Timestamp>,
    /// Its installer runs, or is about to.
    running: Option<UpdateId>,
    /// Since when each update of policy could have been installed.
    ready_since: BTreeMap<UpdateId, Timestamp>,
    /// When this life began; a day before, if the system began with it.
    life_since: Timestamp,
    /// A file was lost that had been fetched whole.
    has_lost: bool,
    /// Found to be required; its installer is next.
    ready: Option<model::AssignedUpdate>,
    has_installed: bool,
    /// No installer of an earlier life runs.
    is_settled: bool,
    /// When the installer that runs was started.
    begun: Timestamp,
    is_restart_wished: bool,
    /// The write filter waits for the next start.
    is_filter_set: bool,
    wants_everything: bool,
    /// The site has asked for everything, and got it then.
    resent_at: Option<Timestamp>,
    /// Since when the system itself asks for a restart.
    asked_since: Option<Timestamp>,
    missed_until: Timestamp,
    seen: Timestamp,
    /// The version of policy that is known to have expired.
    expired: u64,
    /// When a management point last answered what the newest policy is.
    answered_at: Option<Timestamp>,
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
            kept: record.clone(),
            record,
            notes,
            said,
            outbox: unsent.into_iter().map(Arc::new).collect(),
            runs,
            scan: None,
            plan: Plan::default(),
            restart: restart::Decision::none(),
            inspected: BTreeSet::new(),
            present: BTreeSet::new(),
            troubles: BTreeMap::new(),
            searches: Search::default(),
            untold: VecDeque::new(),
            given_up: VecDeque::new(),
            set_aside: VecDeque::new(),
            busy: BTreeSet::new(),
            keeps: Vec::new(),
            polls: Turn::at(Some(now)),
            scans: Turn::at(None),
            fetches: Turn::at(Some(now)),
            sends: Turn::at(Some(now)),
            describes: Turn::at(None),
            restarts: Turn::at(Some(now)),
            register_at: now,
            wanted: BTreeSet::new(),
            repeats: None,
            scanning: None,
            judged_at: None,
            fetch_since: None,
            install_since: None,
            ready: None,
            running: None,
            ready_since: BTreeMap::new(),
            life_since: now,
            has_lost: false,
            has_installed: false,
            is_settled: false,
            begun: now,
            is_restart_wished: false,
            is_filter_set: false,
            wants_everything: has_damaged,
            resent_at: None,
            asked_since: None,
            missed_until: Timestamp(i64::MIN),
            seen: now,
            expired: 0,
            answered_at: None,
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
                self.present.extend(asked.difference(&missing));
                self.present.retain(|file| !missing.contains(file));
                self.inspected.extend(asked);
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
                self.is_settled = true;
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
        self.asked_since = around.asks_for_restart.then(|| self.asked_since.unwrap_or(now));
        self.around = around;
    }

    /// When there may be more to do than now; none: not before something happens.
    #[must_use]
    pub fn wake_at(&self) -> Option<Timestamp> {
        let free = |lane| !self.busy.contains(&lane);
        let may_fetch = self.fetch_since.is_some_and(|since| self.judged_at >= Some(since));
        let fetches = self.fetches.due.filter(|_| may_fetch);
        let sends = self.sends.due.filter(|_| !self.outbox.is_empty());
        let talk = [self.polls.due, sends, self.describes.due]
            .into_iter()
            .flatten()
            .filter(|_| free(Lane::Talk));
        let scans = self.scans.due.filter(|_| self.policy.version > 0);
        let again = self.notes.reevaluate_at;
        let restarts = self.restarts.due.filter(|_| self.restart.is_due || self.is_filter_set);
        let act = [scans, again, self.restart.wake_at, restarts].into_iter().flatten();
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
            (self.fetch_since, self.install_since) = (None, None);
            self.restart = restart::Decision::none();
            return;
        };
        self.note_ready(&scan, now);
        self.plan = decide(&Situation {
            assignments: &self.policy.assignments,
            scan: &scan,
            runs: &self.runs,
            present: &self.present,
            troubles: &self.troubles,
            boot: &self.around.boot,
            calendar: &self.calendar,
            clock: &self.around.zone,
            client: self.profile.client,
            rules: &self.rules,
            wishes: &self.notes.wishes,
            hidden: &self.notes.hidden,
            is_server: self.around.is_server,
            is_filter_closed: self.around.filter == WriteFilter::Closed,
            running: self.running,
            ready_since: &self.ready_since,
            missed_until: self.missed_until,
            is_expired: self.expired_at(now).is_some(),
            now,
        });
        let since = |since: Option<Timestamp>, is: bool| is.then(|| since.unwrap_or(now));
        self.fetch_since = since(self.fetch_since, !self.plan.fetch.is_empty());
        self.install_since = since(self.install_since, !self.plan.install.is_empty());
        self.forget_wishes();
        self.forget_planned();
        self.replan_restart(now);
    }

    /// Since when each update of policy could have been installed: for the schedule (INT-06), what
    /// came while the computer was off counts from the day before.
    fn note_ready(&mut self, scan: &Scan, now: Timestamp) {
        let since = if self.ready_since.is_empty() { self.life_since.min(now) } else { now };
        let updates = self.policy.assignments.iter().flat_map(|a| &a.updates);
        let named: BTreeSet<UpdateId> = updates.map(|assigned| assigned.update.id).collect();
        self.ready_since.retain(|id, _| named.contains(id));
        for id in named {
            let judged = scan.updates.get(&id);
            if judged.is_some_and(|judged| judged.verdict == Applicability::Applicable) {
                self.ready_since.entry(id).or_insert(since);
            }
        }
    }

    fn uninspected(&self) -> impl Iterator<Item = &Sha256> {
        let updates = self.policy.assignments.iter().flat_map(|assigned| &assigned.updates);
        let files = updates.flat_map(|assigned| &assigned.files).map(|file| &file.sha256);
        files.filter(|file| !self.inspected.contains(file))
    }

    /// A clock that was set back must put nothing off; a new start of the system ends a restart.
    fn follow_clock(&mut self, now: Timestamp) {
        let back = self.seen.0.saturating_sub(now.0);
        if back > 0 {
            let turns = [&mut self.polls, &mut self.scans, &mut self.fetches, &mut self.sends];
            turns.into_iter().for_each(|turn| turn.shift(back));
            self.restarts.shift(back);
            self.describes.shift(back);
            self.register_at = self.register_at.plus_ms(-back);
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
                    self.wanted.extend(before.map(|_| Trigger::Reevaluation));
                    self.notes.reevaluate_at = Some(again);
                    self.keep_notes();
                }
            }
        }
    }

    /// What is remembered of later than now was written by a clock that was wrong.
    fn forget_the_future(&mut self, now: Timestamp) {
        self.missed_until = self.missed_until.min(now);
        self.life_since = self.life_since.min(now);
        let moments = [
            &mut self.install_since,
            &mut self.fetch_since,
            &mut self.judged_at,
            &mut self.asked_since,
            &mut self.notes.restart_told_at,
            &mut self.notes.refreshed_at,
            &mut self.notes.filter_failed_at,
        ];
        moments.into_iter().for_each(|at| *at = at.map(|at| at.min(now)));
        self.runs.values_mut().for_each(|run| run.at = run.at.min(now));
        self.notes.wishes.values_mut().for_each(|at| *at = (*at).min(now));
        self.ready_since.values_mut().for_each(|at| *at = (*at).min(now));
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
