//! What is documented of scans, deployments and restarts, sentence by sentence: an agent between
//! servers that speak the real protocols, and one log of what they and its computer see.
//!
//! Each line begins with the minutes since the beginning, which is a Friday at 10:00.

use client::EventKind;
use model::{AssignedWindow, Assignment, ObjectCode, WindowKind, WindowZone};
use update_metadata::{CommandLine, Document, InstallResult, Installer, Outcome as Meaning};

use super::local::id;
use super::*;
use crate::control::{Cycle, Request, Standing};
use crate::store::Wanted as History;
use crate::world::{FakeDp, FakeSup, Log, assignment};

mod computer;
mod deploying;
mod hurrying;
mod publicly;
mod restarting;
mod scanning;
mod settings;

use computer::{Computer, Ending, path};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// How long a computer is down when it restarts.
const RESTART_MS: i64 = 2 * MINUTE_MS;

/// One computer, an update point and a distribution point, and whoever administers and uses them.
struct Scene {
    world: World,
    sup: Arc<FakeSup>,
    dp: Arc<FakeDp>,
    documents: Vec<Document>,
    computer: Arc<Computer>,
    /// None while the computer is off, and before there is policy.
    agent: Option<Agent>,
    version: u64,
    deployments: u128,
    /// Events of the history that the log has.
    told: usize,
}

/// An update with a file of its own and an installer, found installed by what that leaves.
fn update(number: u128) -> Document {
    let mut document = software(number);
    let content = content(number);
    document.rules.is_installed = Some(update_metadata::linux::file_exists(&path(number), None));
    document.files = vec![model::ItemFile {
        name: format!("{number}.sh"),
        size: content.len() as u64,
        sha1: model::Sha1([0; 20]),
        sha256: Some(client::digest::sha256(content.as_bytes())),
    }];
    let restart = Meaning { result: InstallResult::Succeeded, needs_restart: true };
    document.installer = Some(Installer::CommandLine(CommandLine {
        program: format!("{number}.sh"),
        arguments: String::new(),
        return_codes: [(3010, restart)].into(),
        default_outcome: Meaning::FAILED,
    }));
    document
}

/// Of 0.7 MB, so that a cache of 1 MB holds one of them.
fn content(number: u128) -> String {
    format!("{number:10}").repeat(70_000)
}

/// Open for two hours.
fn window(at: &str) -> AssignedWindow {
    AssignedWindow {
        code: ObjectCode::new("PR100001").expect("a code"),
        at: at.to_owned(),
        zone: WindowZone::Named("UTC".to_owned()),
        minutes: 120,
        kind: WindowKind::All,
    }
}

impl Scene {
    async fn new(numbers: &[u128]) -> Scene {
        Scene::of(1, numbers.iter().map(|number| update(*number)).collect()).await
    }

    async fn of(seed: u64, documents: Vec<Document>) -> Scene {
        let mut world = World::seeded(seed).await;
        world.settings.policy_poll_ms = 3_600_000;
        world.settings.state_batch_ms = 900_000;
        world.settings.scan_interval_ms = 7 * 86_400_000;
        let (sup, dp) = (world.add_sup(&documents).await, world.add_dp().await);
        for document in &documents {
            let content = content(document.update.id.0.as_u128());
            dp.put(&content, &content);
            for file in &document.files {
                world.log.call(&file.sha256.expect("named").to_string(), &file.name);
            }
        }
        let computer = Arc::new(Computer::new(world.log.clone(), world.clock.clone()));
        let (agent, version, deployments, told) = (None, 0, 0xd, 0);
        Scene { world, sup, dp, documents, computer, agent, version, deployments, told }
    }

    /// A required deployment of these updates, with its deadline from the beginning.
    fn required(&mut self, numbers: &[u128], deadline_ms: i64) -> Assignment {
        let named = |number| {
            let is = |document: &&Document| document.update.id == update_id(number);
            self.documents.iter().find(is).expect("known").clone()
        };
        let documents: Vec<Document> = numbers.iter().map(|number| named(*number)).collect();
        let mut required = assignment(&documents, NOW.plus_ms(deadline_ms));
        required.deployment = model::DeploymentId(uuid::Uuid::from_u128(self.deployments));
        self.deployments += 1;
        required
    }

    fn available(&mut self, numbers: &[u128]) -> Assignment {
        let required = self.required(numbers, 0);
        Assignment { intent: model::Intent::Available, deadline: None, ..required }
    }

    /// New policy, of which the agent is told.
    async fn publish(&mut self, assignments: Vec<Assignment>, options: &[(&str, &str)]) {
        self.start().await;
        self.version += 1;
        self.world.publish(self.version, assignments, options);
        self.agent().wakes.want_policy();
        self.run().await;
    }

    /// The agent starts, if it does not run.
    async fn start(&mut self) {
        if self.agent.is_none() {
            self.agent = Some(self.world.agent(self.computer.clone()).await);
        }
    }

    fn agent(&mut self) -> &mut Agent {
        self.agent.as_mut().expect("it runs")
    }

    /// Everything that is due now: what `Agent::step` does, with what the history tells between.
    async fn run(&mut self) {
        self.agent().observed = None;
        loop {
            let works = self.agent().begin().await.expect("the database works");
            self.tell_history().await;
            if works.is_empty() {
                return;
            }
            for work in works {
                let hands = self.agent().hands.clone();
                let outcomes = hands.carry_out(work).await.expect("goes on");
                self.agent().take(outcomes);
                if self.computer.is_down() {
                    return self.come_up().await;
                }
            }
        }
    }

    async fn tell_history(&mut self) {
        let store = self.agent().store.clone();
        let events = store.history(History::Kind(EventKind::Scan), 1_000).await.expect("readable");
        for event in events[..events.len() - self.told].iter().rev() {
            self.world.log.say(&format!("scan: {}", event.text));
        }
        self.told = events.len();
    }

    /// The system goes down, and the agent comes up with it again.
    async fn come_up(&mut self) {
        self.agent().begin().await.expect("the database works");
        self.agent = None;
        self.world.clock.advance_ms(RESTART_MS);
        self.computer.start();
        self.start().await;
        Box::pin(self.run()).await;
    }

    /// Somebody restarts the computer, for a reason of their own.
    async fn restart(&mut self) {
        self.world.log.say("alice restarts the system");
        self.come_up().await;
    }

    /// The computer is off for so long.
    async fn switch_off(&mut self, ms: i64) {
        self.world.log.say("the system is switched off");
        self.agent().begin().await.expect("the database works");
        self.agent = None;
        self.world.clock.advance_ms(ms);
        self.computer.start();
        self.start().await;
        self.run().await;
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.world.ambient.now_ms())
    }

    /// Whatever happens until so much later.
    async fn wait(&mut self, ms: i64) {
        let end = self.now().plus_ms(ms);
        loop {
            let next = self.agent().client.wake_at().filter(|at| *at < end);
            let at = next.unwrap_or(end);
            let wait = (at.0 - self.now().0).max(1);
            if self.now() >= end {
                return;
            }
            self.world.clock.advance_ms(wait);
            self.run().await;
        }
    }

    /// Somebody at the computer asks for something.
    async fn ask(&mut self, request: Request) {
        let what = match &request {
            Request::Install { .. } => "an installation",
            Request::InstallAt { .. } => "an installation at a time",
            Request::Scan { cycle: Cycle::Scan } => "a scan",
            Request::Scan { cycle: Cycle::Evaluation } => "an evaluation",
            Request::Reboot { defer_minutes: None } => "a restart",
            Request::Reboot { .. } => "a later restart",
            _ => "something else",
        };
        let answer = self.agent().ask_as(Standing::User, request).await;
        let refused = answer["refused"]["what"].as_str();
        let refused = refused.map_or(String::new(), |what| format!(": {what}"));
        self.world.log.say(&format!("alice asks for {what}{refused}"));
        self.run().await;
    }

    async fn ask_to_install(&mut self, number: u128) {
        self.ask(Request::Install { updates: vec![id(number)] }).await;
    }

    async fn ask_to_scan(&mut self) {
        self.ask(Request::Scan { cycle: Cycle::Scan }).await;
    }

    fn take_log(&self) -> String {
        self.world.log.take()
    }

    /// Lines that have one of these words.
    fn take_lines(&self, words: &[&str]) -> String {
        let log = self.take_log();
        let lines = log.lines().filter(|line| words.iter().any(|word| line.contains(word)));
        lines.map(|line| format!("{line}\n")).collect()
    }

    /// What is done to the computer and its users, without what servers see.
    fn take_acts(&self) -> String {
        self.take_lines(&["installer", "system", "users", "filter", "alice"])
    }
}
