//! Work of clients: carried out at once, later in virtual time, or by a server.

use std::sync::Arc;

use client::fallback::Fetching;
use client::plan::{Doubt, doubt};
use client::update_point::Ended as Attempted;
use client::{
    Answered, Arrived, Asking, Attempt, Ended, Failure, Found, Outcome, Reach, Scanned, Scanning,
    Source, Taken, Work,
};
use model::{AssignedUpdate, ReportOutcome, StateReport};
use rpc::pb::metadata::FollowDocumentsRequest;
use update_metadata::Applicability;

use super::asking::Question;
use super::schedule::What;
use super::{Fleet, Link};
use crate::limits::RESTART_MS;
use crate::tally::Kind;

/// ERROR_INSTALL_FAILURE, as installers that fail say.
const FAILED: i32 = 1603;

/// WU_E_NO_SERVICE: no update point has what policy asks for.
const NO_CATALOG: i32 = 0x8024_0010_u32.cast_signed();

impl Fleet {
    /// What came of it, if that is known at once.
    pub(super) fn carry(&mut self, number: u32, work: Work) -> Option<Outcome> {
        let now = self.now;
        match work {
            Work::AskPolicy(asking) => self.ask_policy(number, asking),
            Work::Send(report) => self.send(number, report),
            Work::Scan(scanning) => self.scan_or_follow(number, scanning),
            Work::Settle(..) => Some(Outcome::Settled(None)),
            // A pretended computer is not made of anything.
            Work::Describe(_) => Some(Outcome::Described(true)),
            Work::Notify(_) => Some(Outcome::Notified),
            Work::SetFilter { is_open } => Some(Outcome::FilterSet { is_open, result: Ok(()) }),
            Work::Inspect(asked) => Some(Outcome::Inspected { missing: asked.clone(), asked }),
            Work::Detect(assigned) => {
                let has = self.seats[number as usize].computer.has(assigned.update.id);
                let verdict =
                    if has { Applicability::Installed } else { Applicability::Applicable };
                Some(Outcome::Detected(assigned, Ok(verdict)))
            }
            Work::Fetch(files) => {
                let arrived = |Fetching { file, .. }| Arrived { file, from: None };
                let files = files.into_iter().map(arrived).collect();
                let minutes = self.config.manner.fetch_minutes;
                let at = self.seats[number as usize].computer.within(minutes, now);
                let fetched = Outcome::Fetched { files, troubles: Vec::new() };
                self.schedule.add(at, number, What::Ended(Box::new(fetched)));
                None
            }
            Work::Install(assigned) => {
                self.install(number, assigned);
                None
            }
            Work::Restart => {
                if self.seats[number as usize].computer.shut_down() {
                    self.tally.restarts += 1;
                    self.schedule.add(now.plus_ms(RESTART_MS), number, What::Started);
                }
                Some(Outcome::Restarting(Ok(())))
            }
        }
    }

    fn ask_policy(&mut self, number: u32, asking: Asking) -> Option<Outcome> {
        let Link::Short(short) = &self.link else {
            self.ask(number, Question::Policy(asking));
            return None;
        };
        let answer = short.answer(self.seats[number as usize].id, &asking, self.now);
        self.tally.count(Kind::Poll);
        let has_introduced = asking.is_introduced;
        Some(Outcome::Policy(Some(Answered { has_introduced, answer })))
    }

    fn send(&mut self, number: u32, report: Arc<StateReport>) -> Option<Outcome> {
        let Link::Short(_) = &self.link else {
            self.ask(number, Question::Report(report));
            return None;
        };
        self.tally.count(Kind::Report);
        let taken = Taken::BySite(ReportOutcome::Applied);
        Some(Outcome::Sent(report.serial_to, Some(taken)))
    }

    fn install(&mut self, number: u32, assigned: AssignedUpdate) {
        let manner = self.config.manner;
        let computer = &mut self.seats[number as usize].computer;
        let at = computer.within(manner.install_minutes, self.now);
        self.tally.installations += 1;
        let (ended, detected) = if computer.chance.hits(manner.failing) {
            self.tally.failures += 1;
            (Ended::Failed(FAILED), Applicability::Applicable)
        } else {
            let needs_restart = computer.chance.hits(manner.restarting);
            computer.install(assigned.update.id, needs_restart);
            let detected =
                if needs_restart { Applicability::Applicable } else { Applicability::Installed };
            (Ended::Succeeded { needs_restart }, detected)
        };
        let outcome = Outcome::Installed(assigned, ended, detected);
        self.schedule.add(at, number, What::Ended(Box::new(outcome)));
    }

    /// One client fetches what is new for all of them.
    fn scan_or_follow(&mut self, number: u32, scanning: Scanning) -> Option<Outcome> {
        let is_behind = self.catalog.version == 0 || self.catalog.version < scanning.wanted;
        let is_online = scanning.reach > Reach::Offline && matches!(self.link, Link::Wire(_));
        if !is_behind || !is_online {
            return Some(self.scan(number, &scanning));
        }
        if self.waiting.is_empty() {
            let server_id = match self.catalog.version {
                0 => Vec::new(),
                _ => self.catalog.server.as_bytes().to_vec(),
            };
            let anchor = self.catalog.anchor;
            self.ask(number, Question::Documents(FollowDocumentsRequest { server_id, anchor }));
        }
        self.waiting.push_back((number, scanning));
        None
    }

    /// Judges with the documents that are here.
    pub(super) fn scan(&mut self, number: u32, scanning: &Scanning) -> Outcome {
        self.tally.scans += 1;
        let computer = &self.seats[number as usize].computer;
        let scan = self.catalog.judge(&self.config.models, computer);
        let (wanted, covered) = (scanning.wanted, self.catalog.version);
        let asked = scanning.servers.first().filter(|_| scanning.reach > Reach::Offline);
        let missing = match doubt(&scanning.policy.assignments, &scan) {
            Some(Doubt::Missing(update) | Doubt::Altered(update)) => {
                Some(format!("the catalog does not have update {} of policy", update.id))
            }
            None => None,
        };
        let is_behind = covered < wanted && scanning.reach > Reach::Offline;
        let ended = if is_behind { Attempted::Behind } else { Attempted::Succeeded };
        let attempt =
            asked.map(|server| Attempt { url: server.url.clone(), ended, reason: String::new() });
        let source = asked.map(|server| Source { url: server.url.clone(), bytes: 0 });
        let end = match is_behind {
            true => Err(Failure {
                reason: format!("waiting for catalog {wanted}: {covered} is the newest"),
                code: NO_CATALOG,
                is_distrusted: false,
            }),
            false => {
                let catalog = self.catalog.server;
                Ok(Found { scan, catalog, covered, from: source, missing })
            }
        };
        let attempts = attempt.into_iter().collect();
        Outcome::Scanned(Box::new(Scanned { begun: self.now, attempts, end }))
    }
}
