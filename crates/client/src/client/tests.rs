//! The machine alone, with a driver in memory that carries everything out at once and writes down
//! what could be seen from outside.

use std::collections::VecDeque;
use std::fmt::Write as _;

use expect_test::expect;
use model::{
    AssignedUpdate, Assignment, ClientOptions, ClientSettings, Intent, RoleKind, ServerList,
    ServerRef,
};
use recurrence::Zone;
use rpc::convert::Part;
use update_metadata::{Applicability, Document, Facts, LinuxFacts, System};
use uuid::Uuid;

use super::*;
use crate::EventKind;
use crate::digest::sha256;
use crate::fallback::{Fetching, Public};
use crate::limits::{DAY_MS, MINUTE_MS};
use crate::plan::{Doubt, doubt};
use crate::scan::Scanning as Judging;
use crate::testing::{HOUR_MS, NOW, World, assignment, pr1, software, update_id};
use crate::triggers::Reach;
use crate::update_point;
use crate::work::{
    Answer, Answered, Arrived, Attempt, Ended, Failure, Found, Scanned, Source, Taken,
};

mod asking;
mod damaged;
mod deploying;
mod describing;
mod enduring;
mod expiring;
mod hurrying;
mod planning;
mod restarting;
mod settling;
mod talking;
mod triggering;
mod viewing;

/// One computer, its servers and its administrators.
struct Scene {
    world: World,
    client: Client,
    around: Surroundings,
    now: Timestamp,
    log: String,
    version: u64,
    offer: Option<Accepted>,
    /// What the update point has, and what this computer has installed.
    documents: Vec<Document>,
    installed: BTreeSet<UpdateId>,
    is_update_point_away: bool,
    is_management_point_deaf: bool,
    /// The last serial that the site has of a life that was taken back.
    known: u64,
    /// How the next installers end; then they succeed.
    endings: VecDeque<Ended>,
    /// Installers end the process of the client with them.
    is_deadly: bool,
    /// How an installer ended that took the client with it, if anybody saw it.
    seen: Option<Ended>,
    /// What needs a restart is found by detection before it.
    is_seen_at_once: bool,
    /// Installers that do nothing although they say so.
    is_ineffective: bool,
    /// When the computer was described, in minutes.
    described: Vec<i64>,
    /// What the history says of policy, after minutes.
    policy_events: String,
    /// When the site signs.
    sign_at: Timestamp,
    memory: MemoryKept,
}

/// As a database would keep it.
#[derive(Default)]
struct MemoryKept {
    record: Option<Record>,
    runs: BTreeMap<UpdateId, Run>,
    policy: Option<Accepted>,
    unsent: Vec<StateReport>,
    said: Knowledge,
    notes: Notes,
}

const DAY_SETTINGS: ClientSettings = ClientSettings {
    policy_poll_ms: 3_600_000,
    state_batch_ms: 900_000,
    scan_interval_ms: 7 * 86_400_000,
    catalog_version: 1,
};

fn surroundings() -> Surroundings {
    Surroundings {
        boot: "first".to_owned(),
        zone: Zone::utc(),
        is_server: true,
        has_users: false,
        asks_for_restart: false,
        filter: WriteFilter::Absent,
    }
}

fn record() -> Record {
    Record {
        incarnation: 7,
        serial: 0,
        covered: 0,
        scanned_at: Timestamp(0),
        scan_error: None,
        scan: None,
        updates: 0,
        catalog: None,
    }
}

/// An update with one file.
fn with_file(number: u128) -> Document {
    let mut document = software(number);
    document.files = vec![model::ItemFile {
        name: format!("{number}.deb"),
        size: 10,
        sha1: model::Sha1([0; 20]),
        sha256: Some(sha256(&number.to_le_bytes())),
    }];
    document
}

impl Scene {
    fn new(documents: Vec<Document>) -> Scene {
        Scene::with(documents, 0)
    }

    fn with(documents: Vec<Document>, scan_spread_ms: i64) -> Scene {
        let world = World::new();
        let memory = MemoryKept { record: Some(record()), ..MemoryKept::default() };
        let client = start(&world, &memory, surroundings(), scan_spread_ms, NOW);
        Scene {
            world,
            client,
            around: surroundings(),
            now: NOW,
            log: String::new(),
            version: 0,
            offer: None,
            documents,
            installed: BTreeSet::new(),
            is_update_point_away: false,
            is_management_point_deaf: false,
            known: 0,
            endings: VecDeque::new(),
            is_deadly: false,
            seen: None,
            is_seen_at_once: false,
            is_ineffective: false,
            described: Vec::new(),
            policy_events: String::new(),
            sign_at: NOW,
            memory,
        }
    }

    /// A required deployment of all documents.
    fn assignment(&self, deadline: i64) -> Assignment {
        assignment(&self.documents, NOW.plus_ms(deadline))
    }

    /// Publishes policy; the client is woken.
    fn publish(&mut self, assignments: Vec<Assignment>, options: &[(&str, &str)]) {
        self.offer_policy(assignments, options);
        self.run();
    }

    fn offer_policy(&mut self, assignments: Vec<Assignment>, options: &[(&str, &str)]) {
        self.version += 1;
        let own = |text: &&str| (*text).to_owned();
        let values = options.iter().map(|(name, value)| (own(name), own(value))).collect();
        let update_point = ServerRef {
            kind: RoleKind::SoftwareUpdatePoint,
            site: pr1(),
            url: "https://sup".to_owned(),
            http_url: String::new(),
            after_minutes: 0,
        };
        let mut parts = vec![
            Part::Settings(DAY_SETTINGS),
            Part::Servers(ServerList { servers: vec![update_point] }),
            Part::Options(ClientOptions { values }),
        ];
        parts.extend(assignments.into_iter().map(Part::Assignment));
        let mut head = self.world.head(7, self.version, &parts);
        let age = self.sign_at.0 - head.signed_at.0;
        (head.signed_at, head.expires) = (self.sign_at, head.expires.plus_ms(age));
        let offer = self.world.sign(&head, &parts);
        self.client.want_policy(self.now);
        let held = self.client.policy.clone();
        let profile = &self.client.profile;
        let standing = crate::policy::Standing {
            anchor: &profile.anchor,
            site: profile.site,
            client: profile.client,
            incarnation: 7,
        };
        let accepted = crate::policy::accept(&offer, &held, &standing, self.now);
        self.offer = Some(accepted.expect("good policy"));
    }

    /// Everything that is due now.
    fn run(&mut self) {
        for _ in 0..1_000 {
            let works = self.client.next(self.now);
            self.keep();
            if works.is_empty() {
                return;
            }
            for work in works {
                if self.is_deadly && matches!(work, Work::Install(_)) {
                    return self.say("install 1");
                }
                let outcome = self.carry_out(work);
                self.client.tell(outcome, self.now);
            }
        }
        panic!("it never comes to rest:\n{}", self.log);
    }

    /// Whatever happens until then.
    fn wait(&mut self, ms: i64) {
        let end = self.now.plus_ms(ms);
        for _ in 0..100_000 {
            match self.client.wake_at() {
                Some(at) if at <= end => self.now = at.max(self.now.plus_ms(1)),
                _ => break,
            }
            self.run();
        }
        self.now = self.now.max(end);
        self.run();
    }

    /// The process ends without a word and starts again.
    fn crash(&mut self) {
        let spread_ms = self.client.profile.scan_spread_ms;
        self.client = start(&self.world, &self.memory, self.around.clone(), spread_ms, self.now);
        self.log += "crash\n";
        self.run();
    }

    fn restart(&mut self, boot: &str) {
        self.around.boot = boot.to_owned();
        self.say("the system restarts");
        let spread_ms = self.client.profile.scan_spread_ms;
        self.client = start(&self.world, &self.memory, self.around.clone(), spread_ms, self.now);
        self.run();
    }

    fn say(&mut self, what: &str) {
        let minutes = (self.now.0 - NOW.0) / MINUTE_MS;
        let _ = writeln!(self.log, "{minutes} {what}");
    }

    fn take_log(&mut self) -> String {
        std::mem::take(&mut self.log)
    }

    fn keep(&mut self) {
        for keep in self.client.take_keeps() {
            match keep {
                Keep::Policy(accepted) => self.memory.policy = Some(*accepted),
                Keep::Said { record, reports, extent } => {
                    if extent == crate::ledger::Extent::Everything {
                        self.memory.unsent.clear();
                    }
                    self.memory.record = Some(record);
                    self.memory.unsent.extend(reports.iter().map(|report| (**report).clone()));
                    self.memory.said = self.client.telling.said.clone();
                }
                Keep::Acknowledged(serial) => {
                    self.memory.unsent.retain(|report| report.serial_to != serial);
                }
                Keep::Run(update, run) => drop(self.memory.runs.insert(update, run)),
                Keep::Notes(notes) => self.memory.notes = notes,
                Keep::Event(Event { kind: EventKind::Policy, text, .. }) => {
                    let minutes = (self.now.0 - NOW.0) / MINUTE_MS;
                    let _ = writeln!(self.policy_events, "{minutes} {text}");
                }
                Keep::Event(_) => {}
            }
        }
    }

    fn carry_out(&mut self, work: Work) -> Outcome {
        match work {
            Work::AskPolicy(asking) => {
                let offer = self.offer.clone();
                let newer = offer.filter(|offer| offer.head.version > asking.version());
                let answer = match newer {
                    Some(accepted) => {
                        self.say(&format!("policy {}", accepted.head.version));
                        Answer::New(Box::new(accepted))
                    }
                    None if asking.version() == 0 => Answer::Nothing,
                    None => Answer::Same,
                };
                let has_introduced = asking.is_introduced;
                Outcome::Policy(Some(Answered { has_introduced, answer }))
            }
            Work::Describe(_) => {
                self.described.push((self.now.0 - NOW.0) / MINUTE_MS);
                Outcome::Described(!self.is_management_point_deaf)
            }
            Work::Send(report) => self.take_report(&report),
            Work::Scan(scanning) => Outcome::Scanned(Box::new(self.scan(&scanning))),
            Work::Settle(updates, _) => Outcome::Settled(self.settled(updates)),
            Work::Inspect(asked) => Outcome::Inspected { missing: asked.clone(), asked },
            Work::Fetch(files) => {
                for Fetching { file, public, .. } in &files {
                    let public = match public {
                        Public::Never => "",
                        Public::Last => ", also from its publisher",
                        Public::Always => " from its publisher",
                    };
                    self.say(&format!("fetch {}{public}", file.name));
                }
                let arrived = |Fetching { file, .. }| Arrived { file, from: None };
                let files = files.into_iter().map(arrived).collect();
                Outcome::Fetched { files, troubles: Vec::new() }
            }
            Work::Detect(assigned) => {
                let verdict = self.verdict(assigned.update.id);
                Outcome::Detected(assigned, Ok(verdict))
            }
            Work::Install(assigned) => self.install(assigned),
            Work::Notify(remaining) => {
                let remaining = remaining.map(|ms| ms / MINUTE_MS);
                self.say(&format!("tell users: restart in {remaining:?} minutes"));
                Outcome::Notified
            }
            Work::SetFilter { is_open } => {
                self.say(if is_open { "open the write filter" } else { "close the write filter" });
                Outcome::FilterSet { is_open, result: Ok(()) }
            }
            Work::Restart => {
                self.say("restart");
                Outcome::Restarting(Ok(()))
            }
        }
    }

    fn take_report(&mut self, report: &StateReport) -> Outcome {
        if self.is_management_point_deaf {
            return Outcome::Sent(report.serial_to, None);
        }
        let mut text = format!("report {}-{}", report.serial_from, report.serial_to);
        for change in &report.changes {
            let number = change.update.id.0.as_u128();
            let enforcement = change.state.enforcement.map(|(state, code)| (state as u8, code));
            let _ = write!(text, " {number}:{}", change.state.state.as_str());
            if let Some((state, code)) = enforcement {
                let _ = write!(text, "/{state}({code})");
            }
        }
        if let Some(error) = &report.scan_error {
            let _ = write!(text, " {error}");
        }
        self.say(&text);
        let outcome = match report.serial_to <= self.known {
            true => model::ReportOutcome::Behind(self.known),
            false => model::ReportOutcome::Applied,
        };
        Outcome::Sent(report.serial_to, Some(Taken::BySite(outcome)))
    }

    fn verdict(&self, update: UpdateId) -> Applicability {
        match self.installed.contains(&update) {
            true => Applicability::Installed,
            false => Applicability::Applicable,
        }
    }

    fn install(&mut self, assigned: AssignedUpdate) -> Outcome {
        let id = assigned.update.id;
        self.say(&format!("install {}", id.0.as_u128()));
        let ended = self.endings.pop_front();
        let ended = ended.unwrap_or(Ended::Succeeded { needs_restart: false });
        let is_effective = match ended {
            Ended::Succeeded { needs_restart } => !needs_restart || self.is_seen_at_once,
            Ended::Failed(_) | Ended::NotRun { .. } | Ended::Unseen | Ended::ContentLost(_) => {
                false
            }
        };
        if is_effective && !self.is_ineffective {
            self.installed.insert(id);
        }
        let verdict = self.verdict(id);
        Outcome::Installed(assigned, ended, verdict)
    }

    fn settled(
        &mut self,
        updates: Vec<AssignedUpdate>,
    ) -> Option<(AssignedUpdate, Ended, Applicability)> {
        let (assigned, ended) = (updates.into_iter().next()?, self.seen.take()?);
        self.say(&format!("install {} has ended", assigned.update.id.0.as_u128()));
        let verdict = self.verdict(assigned.update.id);
        Some((assigned, ended, verdict))
    }

    fn judge(&self) -> crate::scan::Scan {
        let system = System::Linux(LinuxFacts::default());
        let facts = Facts { architecture: None, files: BTreeMap::new(), system };
        let mut judging = Judging::default();
        for document in &self.documents {
            let mut document = document.clone();
            if self.installed.contains(&document.update.id) {
                document.rules.is_installed = Some(update_metadata::Rule::True);
            }
            // As it came; what was set above is what this computer has.
            let name = self.documents.iter().find(|d| d.update == document.update);
            let name = name.expect("itself").to_xml();
            judging.add(&document, sha256(name.as_bytes()), &facts);
        }
        judging.finish()
    }

    fn scan(&mut self, scanning: &crate::work::Scanning) -> Scanned {
        let is_local = match scanning.reach {
            Reach::Offline => true,
            Reach::Online => scanning.is_fresh,
            Reach::Forced => false,
        };
        let catalog = Uuid::from_u128(0xca7);
        let begun = self.now;
        let scan = self.judge();
        let scan = std::sync::Arc::new(scan);
        if is_local {
            self.say(&format!("scan with what is here ({:?})", scanning.reach));
            let found = Found { scan, catalog, covered: 1, from: None, missing: None };
            return Scanned { begun, attempts: Vec::new(), end: Ok(found) };
        }
        let url = scanning.servers.first().map(|server| server.url.clone());
        let Some(url) = url.filter(|_| !self.is_update_point_away) else {
            self.say(&format!("scan with nobody ({:?})", scanning.reach));
            let reason = "nobody answers".to_owned();
            let failure = Failure {
                reason: reason.clone(),
                code: 0x8007_2EFD_u32.cast_signed(),
                is_distrusted: false,
            };
            let ended = update_point::Ended::Failed;
            let attempts = scanning.servers.iter().map(|server| Attempt {
                url: server.url.clone(),
                ended,
                reason: reason.clone(),
            });
            return Scanned { begun, attempts: attempts.collect(), end: Err(failure) };
        };
        self.say(&format!("scan with {url} ({:?})", scanning.reach));
        let is_missing =
            matches!(doubt(&scanning.policy.assignments, &scan), Some(Doubt::Missing(_)));
        let missing = is_missing.then(|| "not there yet".to_owned());
        let ended = update_point::Ended::Succeeded;
        let attempts = vec![Attempt { url: url.clone(), ended, reason: String::new() }];
        let from = Some(Source { url, bytes: 100 });
        Scanned { begun, attempts, end: Ok(Found { scan, catalog, covered: 1, from, missing }) }
    }
}

fn start(
    world: &World,
    memory: &MemoryKept,
    around: Surroundings,
    scan_spread_ms: i64,
    now: Timestamp,
) -> Client {
    let profile = Profile {
        client: world.client(),
        site: pr1(),
        anchor: std::sync::Arc::new(world.pki().anchor().clone()),
        scan_spread_ms,
    };
    let memory = Memory {
        record: memory.record.clone().unwrap_or_else(record),
        said: memory.said.clone(),
        runs: memory.runs.clone(),
        policy: memory.policy.clone(),
        unsent: memory.unsent.clone(),
        has_damaged: false,
        notes: memory.notes.clone(),
    };
    Client::new(profile, memory, around, 42, now)
}

/// In which minutes an installer was started.
fn installs(log: &str) -> Vec<i64> {
    let lines = log.lines().filter(|line| line.contains("install "));
    lines.filter_map(|line| line.split(' ').next()?.parse().ok()).collect()
}
