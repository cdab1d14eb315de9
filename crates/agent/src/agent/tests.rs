//! A real agent between fake servers that speak the real protocols.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use client::Command;
use expect_test::expect;
use model::ReportOutcome;
use rpc::pb::client::StateReport;
use rpc::pb::management::WakeUp;
use tokio::sync::Notify;
use transport::BoxFuture;
use update_metadata::{Facts, FileFact};

use super::*;
use crate::world::{HOUR_MS, NOW, SCRIPT, World, software, update_id};
use crate::{Ended, Job, LinuxMachine, PretendedMachine, Summary, Wanted};

mod crowding;
mod damaged;
mod describing;
mod endless;
mod fallback;
mod local;
mod outside;
mod scenarios;
mod updating;
mod windows;

impl Agent {
    pub(crate) fn incarnation(&self) -> u64 {
        self.client.record().incarnation
    }

    async fn summary(&self) -> Result<Summary, Error> {
        self.view().summary().await
    }

    /// A pass after a wake-up of each kind.
    async fn woken(&mut self) -> Step {
        self.wakes.want_policy();
        let now = self.hands.now();
        self.client.command(&Command::Evaluate, now).expect("always possible");
        let step = self.step().await.expect("a pass");
        assert!(step.next > Duration::ZERO, "nothing is left to be done at once: {step:?}");
        step
    }
}

impl World {
    fn machine(&self) -> LinuxMachine {
        LinuxMachine::new(&self.directory.path().join("data"))
    }

    /// What the management point was told, a line per report.
    fn told(&self) -> String {
        let mut told = String::new();
        for report in &self.mp.lock().reports {
            let StateReport { serial_from, serial_to, covered, full, scan_error, .. } = report;
            let _ = write!(told, "{serial_from}-{serial_to} v{covered} full={full}");
            for change in &report.changes {
                let number = u128::from_be_bytes(change.id[..].try_into().expect("an id"));
                let (state, enforcement) = (change.state, change.enforcement);
                let _ = write!(told, " {number}:{state}/{enforcement}({})", change.code);
            }
            if let Some(error) = scan_error {
                let _ = write!(told, " {error}");
            }
            told.push('\n');
        }
        let urls = self.servers.iter().map(|server| server.url.clone());
        for (number, url) in urls.chain(self.mp.lock().points.clone()).enumerate() {
            told = told.replace(&url, &format!("SERVER{number}"));
        }
        told
    }
}

#[tokio::test]
async fn a_deployment_is_fetched_at_once_installed_at_its_deadline_and_reported() {
    let mut world = World::new().await;
    let documents = [world.script_update(1), software(2)];
    world.add_sup(&documents).await;
    let (broken, whole) = (world.add_dp().await, world.add_dp().await);
    broken.put(SCRIPT, SCRIPT);
    broken.state.lock().expect("whole").cut_at = Some(20);
    whole.put(SCRIPT, SCRIPT);
    let mut agent = world.agent(world.machine()).await;
    world.assign(1, &documents[..1], NOW.plus_ms(HOUR_MS));

    let step = agent.step().await.expect("a pass");
    assert_eq!((step.policy, step.scanned, step.fetched, step.installed), (true, true, 1, 0));
    assert_eq!(whole.state.lock().expect("whole").ranges, ["bytes=20-"]);
    world.clock.advance_ms(HOUR_MS);
    let step = agent.step().await.expect("a pass");
    assert_eq!((step.fetched, step.installed), (0, 1));
    assert_eq!(std::fs::read_to_string(world.target()).expect("written"), "installed");
    let step = agent.woken().await;
    assert_eq!((step.installed, world.script_runs()), (0, 1));
    expect![[r#"
        1-1 v0 full=true
        2-4 v1 full=false 1:2/12(0) 2:2/0(0)
        5-6 v1 full=false 1:2/13(0)
        7-8 v1 full=false 1:2/8(0)
        9-9 v1 full=false
        10-11 v1 full=false 1:3/0(0)
        12-12 v1 full=false
    "#]]
    .assert_eq(&world.told());
    let Summary { required, installed, not_required, unknown, unsent, runs, serial, .. } =
        agent.summary().await.expect("one");
    assert_eq!((required, installed, not_required, unknown, unsent), (1, 1, 0, 0, 0));
    assert_eq!((runs.into_values().collect::<Vec<_>>(), serial), (vec![1], 12));
}

#[tokio::test]
async fn what_is_not_required_any_more_is_not_installed() {
    let mut world = World::new().await;
    let documents = [world.script_update(1)];
    world.add_sup(&documents).await;
    world.add_dp().await.put(SCRIPT, SCRIPT);
    let mut agent = world.agent(world.machine()).await;
    world.assign(1, &documents, NOW.plus_ms(HOUR_MS));
    assert_eq!(agent.step().await.expect("a pass").fetched, 1);
    std::fs::write(world.target(), "installed").expect("somebody else installs it");
    world.clock.advance_ms(HOUR_MS);
    assert_eq!(agent.step().await.expect("a pass").installed, 0);
    assert_eq!(world.script_runs(), 0);
    assert!(agent.client.run(update_id(1)).is_none_or(|run| run.attempts == 0));
}

#[tokio::test]
async fn a_pretended_computer_downloads_for_real_and_says_installed() {
    let mut world = World::new().await;
    let documents = [world.script_update(1)];
    world.add_sup(&documents).await;
    world.add_dp().await.put(SCRIPT, SCRIPT);
    let facts = PretendedMachine::read("id = \"debian\"\narchitecture = \"amd64\"");
    let mut agent = world.agent(facts.expect("facts")).await;
    world.assign(1, &documents, NOW);
    let step = agent.step().await.expect("a pass");
    assert_eq!((step.fetched, step.installed, world.script_runs()), (1, 1, 0));
    assert_eq!(agent.summary().await.expect("one").installed, 1);
}

#[tokio::test]
async fn an_older_head_is_refused_and_changes_nothing() {
    let mut world = World::new().await;
    let documents = [world.script_update(1)];
    world.add_sup(&documents).await;
    let mut agent = world.agent(world.machine()).await;
    world.assign(2, &documents, NOW.plus_ms(HOUR_MS));
    agent.step().await.expect("a pass");
    // What was withdrawn: the same deployment, but due.
    world.assign(1, &documents, NOW);
    let step = agent.woken().await;
    assert_eq!((step.policy, step.installed), (false, 0));
    let refusals = agent.summary().await.expect("one").refusals;
    let [refusal] = &refusals[..] else { panic!("{refusals:?}") };
    assert_eq!(refusal.url, world.servers[0].url);
    expect!["it is version 1; version 2 is in effect already"].assert_eq(&refusal.reason);
    assert_eq!(agent.client.policy().version, 2);
}

#[tokio::test]
async fn an_altered_document_is_refused_and_another_update_point_asked() {
    let mut world = World::new().await;
    let documents = [world.script_update(1)];
    let mut evil = documents[0].clone();
    if let Some(update_metadata::Installer::CommandLine(command)) = &mut evil.installer {
        command.program = "/bin/sh".to_owned();
    }
    world.add_sup(&[evil]).await;
    world.add_dp().await.put(SCRIPT, SCRIPT);
    let mut agent = world.agent(world.machine()).await;
    world.assign(1, &documents, NOW);
    let step = agent.step().await.expect("a pass");
    assert_eq!((step.fetched, step.installed), (0, 0));
    let summary = agent.summary().await.expect("one");
    assert_eq!(summary.refusals[0].url, world.servers[1].url);
    expect![[r#"
        1-1 v0 full=true
        2-2 v0 full=false SERVER1 is refused: its document of update 00000000-0000-0000-0000-000000000001 revision 1 is not policy's
    "#]].assert_eq(&world.told());

    world.add_sup(&documents).await;
    world.assign(2, &documents, NOW);
    assert_eq!(agent.woken().await.installed, 1);
    assert_eq!(agent.summary().await.expect("one").scan_error, None);
}

/// Symptom: a management point that answered reports with garbage was passed over without a word.
/// Repair: it is named to the site through the next one.
#[tokio::test]
async fn a_management_point_that_answers_garbage_is_named_to_the_site() {
    let mut world = World::new().await;
    world.add_sup(&[]).await;
    let answer = || async { ([("content-type", "application/grpc")], "\0\0\0\0\u{5}\u{ff}no") };
    let garbage = axum::Router::new().fallback(answer);
    let url = world.serve(model::RoleKind::ManagementPoint, garbage).await;
    let mut agent = world.agent(world.machine()).await;
    world.servers.rotate_right(1);
    world.assign(1, &[], NOW);
    agent.step().await.expect("a pass");
    let refusals = agent.summary().await.expect("one").refusals;
    assert!(refusals.iter().all(|refusal| refusal.url == url), "{refusals:?}");
    let named = |report: &StateReport| report.refused.iter().any(|server| server.url == url);
    assert_eq!(world.mp.lock().reports.iter().filter(|report| named(report)).count(), 1);
    // It stays bad, which is no news.
    agent.woken().await;
    assert_eq!(world.mp.lock().reports.iter().filter(|report| named(report)).count(), 1);
}

/// The disk of a computer is put back to an earlier snapshot.
#[tokio::test]
async fn a_computer_that_was_put_back_says_everything_after_what_its_site_knows() {
    let mut world = World::new().await;
    let documents = [software(1)];
    world.add_sup(&documents).await;
    let database = world.directory.path().join("data").join("agent.db");
    drop(world.agent(world.machine()).await);
    let snapshot = std::fs::read(&database).expect("it is there");
    let mut agent = world.agent(world.machine()).await;
    world.assign(1, &[], NOW);
    agent.step().await.expect("a pass");
    let known = agent.summary().await.expect("one").serial;
    drop(agent);
    std::fs::write(&database, snapshot).expect("put back");
    for beside in ["agent.db-wal", "agent.db-shm"] {
        let _ = std::fs::remove_file(database.with_file_name(beside));
    }
    world.mp.lock().reports.clear();
    world.mp.lock().outcomes = vec![ReportOutcome::Behind(known), ReportOutcome::Applied];
    let mut agent = world.agent(world.machine()).await;
    agent.step().await.expect("a pass");
    expect![[r#"
        1-1 v0 full=true
        4-4 v0 full=true
        5-6 v1 full=false 1:2/0(0)
    "#]]
    .assert_eq(&world.told());
    assert_eq!(agent.summary().await.expect("one").unsent, 0);
}

#[tokio::test]
async fn altered_content_is_refused_and_nothing_is_executed() {
    let mut world = World::new().await;
    let documents = [world.script_update(1)];
    world.add_sup(&documents).await;
    let evil = world.add_dp().await;
    evil.put(SCRIPT, &SCRIPT.replace("installed", "poisoned!"));
    let mut agent = world.agent(world.machine()).await;
    world.assign(1, &documents, NOW);
    let step = agent.step().await.expect("a pass");
    assert_eq!((step.fetched, step.installed, world.script_runs()), (0, 0, 0));
    let refusals = agent.summary().await.expect("one").refusals;
    assert_eq!(refusals[0].url, world.mp.lock().points[0]);
    expect![[r#"
        1-1 v0 full=true
        2-3 v1 full=false 1:2/12(0)
        4-5 v1 full=false 1:2/14(-2146889721)
    "#]]
    .assert_eq(&world.told());

    world.add_dp().await.put(SCRIPT, SCRIPT);
    assert_eq!(agent.woken().await.installed, 1);
    assert_eq!(world.script_runs(), 1);
}

/// Lets an installer run and then never comes back, as if the power had gone.
#[derive(Debug)]
struct Crashing(LinuxMachine, Arc<Notify>);

impl Machine for Crashing {
    fn facts(&self) -> BoxFuture<'_, io::Result<Facts>> {
        self.0.facts()
    }

    fn file<'a>(
        &'a self,
        path: &'a str,
        digest: Wanted,
    ) -> BoxFuture<'a, io::Result<Option<FileFact>>> {
        self.0.file(path, digest)
    }

    fn boot(&self) -> io::Result<String> {
        self.0.boot()
    }

    fn restart(&self) -> BoxFuture<'_, io::Result<()>> {
        self.0.restart()
    }

    fn install<'a>(&'a self, job: &'a Job<'a>) -> BoxFuture<'a, io::Result<Ended>> {
        Box::pin(async {
            self.0.install(job).await?;
            self.1.notify_one();
            std::future::pending().await
        })
    }
}

#[tokio::test]
async fn a_crash_between_installation_and_report_runs_nothing_twice() {
    let mut world = World::new().await;
    let documents = [world.script_update(1)];
    world.add_sup(&documents).await;
    world.add_dp().await.put(SCRIPT, SCRIPT);
    let gone = Arc::new(Notify::new());
    let mut agent = world.agent(Crashing(world.machine(), gone.clone())).await;
    world.assign(1, &documents, NOW);
    tokio::select! {
        biased;
        step = agent.step() => panic!("{step:?}"),
        () = gone.notified() => {}
    }
    drop(agent);
    let mut agent = world.agent(world.machine()).await;
    assert_eq!(agent.woken().await.installed, 0);
    let summary = agent.summary().await.expect("one");
    assert_eq!((summary.installed, world.script_runs()), (1, 1));
    assert_eq!(summary.runs.into_values().collect::<Vec<_>>(), [1]);
    // The same before any rescan: the journal says that it started, detection that it is done.
    let mut agent = world.agent(world.machine()).await;
    assert_eq!(agent.step().await.expect("a pass").installed, 0);
}

#[tokio::test]
async fn unsent_reports_survive_a_restart_and_everything_is_sent_when_asked_for() {
    let mut world = World::new().await;
    let documents = [world.script_update(1), software(2)];
    world.add_sup(&documents).await;
    let mut agent = world.agent(world.machine()).await;
    world.mp.lock().is_deaf = true;
    world.assign(1, &documents, NOW.plus_ms(HOUR_MS));
    agent.step().await.expect("a pass");
    let unsent = agent.summary().await.expect("one").unsent;
    assert!(unsent > 0);
    drop(agent);

    let mut agent = world.agent(world.machine()).await;
    assert_eq!(agent.summary().await.expect("one").unsent, unsent);
    {
        let mut mp = world.mp.lock();
        mp.is_deaf = false;
        mp.outcomes = vec![ReportOutcome::Applied, ReportOutcome::SendFull, ReportOutcome::Applied];
    }
    agent.step().await.expect("a pass");
    assert_eq!(agent.summary().await.expect("one").unsent, 0);
    expect![[r#"
        1-1 v0 full=true
        2-4 v1 full=false 1:2/12(0) 2:2/13(0)
        7-9 v1 full=true 1:2/12(0) 2:2/13(0)
        10-10 v1 full=false 1:2/2(0)
    "#]]
    .assert_eq(&world.told());
}

#[tokio::test]
async fn no_scan_counts_against_a_catalog_that_is_too_old() {
    let mut world = World::new().await;
    let documents = [software(1)];
    let sup = world.add_sup(&documents).await;
    world.settings.catalog_version = 2;
    let mut agent = world.agent(world.machine()).await;
    world.assign(1, &[], NOW);
    assert!(!agent.step().await.expect("a pass").scanned);
    sup.set(2, &documents);
    assert!(agent.woken().await.scanned);
    expect![[r#"
        1-1 v0 full=true
        2-2 v0 full=false waiting for catalog 2: SERVER1 has 1
        3-4 v2 full=false 1:2/0(0)
    "#]]
    .assert_eq(&world.told());
}

#[tokio::test]
async fn wake_ups_reach_a_running_agent_and_it_stops_when_told() {
    let mut world = World::new().await;
    let documents = [software(1)];
    let sup = world.add_sup(&documents).await;
    let agent = world.agent(world.machine()).await;
    world.assign(1, &[], NOW);
    let (view, shutdown) = (agent.view(), CancellationToken::new());
    let mut tasks = JoinSet::new();
    tasks.spawn(agent.run(shutdown.clone()));
    world.mp.listening.notified().await;
    world.mp.reported.notified().await;
    sup.set(2, &documents);
    world.mp.wake(WakeUp::Scan);
    while view.summary().await.expect("a summary").covered < 2 {
        world.mp.reported.notified().await;
    }
    shutdown.cancel();
    tasks.join_next().await.expect("a task").expect("no panic").expect("ends well");
}

#[tokio::test]
async fn a_declined_update_is_neither_counted_nor_installed_and_comes_back() {
    let mut world = World::new().await;
    let documents = [world.script_update(1), software(2), world.script_update(1)];
    let sup = world.add_sup(&documents[..2]).await;
    let mut agent = world.agent(world.machine()).await;
    world.assign(1, &[], NOW);
    assert!(agent.step().await.expect("a pass").scanned);
    assert_eq!(agent.client.record().updates, 2);

    // It comes once more with a change of its own, and is declined from then on.
    *sup.declined.lock().expect("whole") = vec![2];
    sup.set(2, &documents);
    world.settings.catalog_version = 2;
    world.assign(2, &[], NOW);
    assert!(agent.woken().await.scanned);
    assert_eq!(agent.client.record().updates, 1);

    sup.declined.lock().expect("whole").clear();
    sup.set(3, &[&documents[..], &documents[..1]].concat());
    world.settings.catalog_version = 3;
    world.assign(3, &[], NOW);
    assert!(agent.woken().await.scanned);
    assert_eq!(agent.client.record().updates, 2);
    expect![[r#"
        1-1 v0 full=true
        2-4 v1 full=false 1:2/0(0) 2:2/0(0)
        5-5 v2 full=false 1:1/0(0)
        6-6 v3 full=false 1:2/0(0)
    "#]]
    .assert_eq(&world.told());
}

/// Symptom: an expired update that is installed was counted at the computer and not at its site.
/// Cause: what is listed still was reported. Repair: neither counts what expired.
#[tokio::test]
async fn what_expired_is_counted_nowhere_even_where_it_is_installed() {
    let mut world = World::new().await;
    let mut documents = [software(1), software(2), software(3)];
    documents[1].rules.is_installed = Some(update_metadata::Rule::True);
    let sup = world.add_sup(&documents).await;
    let mut agent = world.agent(world.machine()).await;
    world.assign(1, &[], NOW);
    assert!(agent.step().await.expect("a pass").scanned);
    let counts = async |agent: &Agent| {
        let Summary { required, installed, not_required, unknown, .. } =
            agent.summary().await.expect("one");
        [required, installed, not_required, unknown]
    };
    assert_eq!(counts(&agent).await, [2, 1, 0, 0]);
    let mut expired = documents.clone();
    for document in &mut expired[1..] {
        document.update.revision = 2;
        document.properties.is_expired = true;
    }
    sup.set(2, &[&documents[..], &expired[1..]].concat());
    world.settings.catalog_version = 2;
    world.assign(2, &[], NOW);
    assert!(agent.woken().await.scanned);
    assert_eq!(counts(&agent).await, [1, 0, 0, 0]);
    expect![[r#"
        1-1 v0 full=true
        2-5 v1 full=false 1:2/0(0) 2:3/0(0) 3:2/0(0)
        6-7 v2 full=false 2:1/0(0) 3:1/0(0)
    "#]]
    .assert_eq(&world.told());
}
