//! What people at the computer ask of an agent, and what comes of it.

use clap::Parser;
use model::{
    AssignedWindow, Assignment, ClientOptions, Intent, ObjectCode, ServerList, WindowKind,
    WindowList, WindowZone,
};
use rpc::convert::Part;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use update_metadata::{InstallResult, Installer, Outcome};

use super::*;
use crate::config::Verb;
use crate::control::{Asked, Caller, Cycle, Request, Standing, Text};
use crate::world::assignment;

impl World {
    /// Publishes policy with these deployments and settings.
    pub(super) fn publish(
        &self,
        version: u64,
        assignments: Vec<Assignment>,
        options: &[(&str, &str)],
    ) {
        let values = options.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let mut parts = vec![
            Part::Settings(self.settings),
            Part::Servers(ServerList { servers: self.servers.clone() }),
            Part::Windows(WindowList { windows: self.windows.clone() }),
            Part::Options(ClientOptions { values }),
        ];
        parts.extend(assignments.into_iter().map(Part::Assignment));
        let incarnation = self.mp.lock().incarnation;
        let head = self.head(incarnation, version, &parts);
        self.mp.lock().offer = Some(self.sign(&head, &parts));
    }

    /// Without what is different each time.
    fn plain(&self, value: &Value) -> String {
        let mut text = format!("{value:#}");
        let urls = self.servers.iter().map(|server| server.url.clone());
        for (number, url) in urls.enumerate() {
            text = text.replace(&url, &format!("SERVER{number}"));
        }
        text.replace(&self.directory.path().display().to_string(), "DIRECTORY")
    }
}

fn available(documents: &[update_metadata::Document]) -> Assignment {
    Assignment { intent: Intent::Available, deadline: None, ..assignment(documents, NOW) }
}

/// No window is open for a week, less two hours.
fn closed() -> AssignedWindow {
    AssignedWindow {
        code: ObjectCode::new("PR100001").expect("a code"),
        at: "0 8 * * FRI".to_owned(),
        zone: WindowZone::Named("UTC".to_owned()),
        minutes: 60,
        kind: WindowKind::All,
    }
}

pub(super) fn id(number: u128) -> Text<model::UpdateId> {
    Text(update_id(number))
}

impl Agent {
    pub(super) async fn ask_as(&mut self, standing: Standing, request: Request) -> Value {
        let (answer, answered) = oneshot::channel();
        let caller = Caller { uid: 1000, name: "alice".to_owned(), standing };
        self.answer(Asked { request, caller, answer }).await.expect("the database works");
        serde_json::to_value(answered.await.expect("an answer")).expect("encodes")
    }

    async fn ask(&mut self, request: Request) -> Value {
        self.ask_as(Standing::User, request).await
    }

    async fn pass(&mut self) -> Step {
        self.step().await.expect("a pass")
    }

    /// What happened, the newest first.
    async fn happened(&mut self, limit: u32) -> Vec<String> {
        let answer = self.ask(Request::History { limit }).await;
        let rows = answer["history"].as_array().expect("rows").iter();
        rows.map(|row| format!("{}: {}", row["kind"], row["what"]).replace('"', "")).collect()
    }
}

#[tokio::test]
async fn an_available_update_comes_when_a_user_starts_it_and_waits_for_no_window() {
    let mut world = World::new().await;
    let documents = [world.script_update(1)];
    world.add_sup(&documents).await;
    world.add_dp().await.put(SCRIPT, SCRIPT);
    world.windows = vec![closed()];
    let mut agent = world.agent(world.machine()).await;
    world.publish(1, vec![available(&documents)], &[]);
    let step = agent.pass().await;
    assert_eq!((step.scanned, step.fetched), (true, 0), "nothing is fetched before it is wanted");
    let updates = agent.ask(Request::Updates).await;
    assert_eq!(updates["updates"][0]["state"], "available");
    assert_eq!(updates["updates"][0]["title"], "update 1");
    assert_eq!(updates["updates"][0]["waits_for"], "somebody to start it");
    let done = agent.ask(Request::Install { updates: vec![id(1)] }).await;
    assert!(done["done"].is_object(), "{done}");
    let step = agent.pass().await;
    assert_eq!((step.fetched, step.installed, world.script_runs()), (1, 1, 1));
    assert_eq!(agent.ask(Request::Updates).await, json!({ "updates": [] }));
    let happened = agent.happened(20).await;
    assert!(happened.contains(&"user: alice: install".to_owned()), "{happened:?}");
    assert!(happened.contains(&"installation: installed".to_owned()), "{happened:?}");
    let refused = agent.ask(Request::Install { updates: Vec::new() }).await;
    assert_eq!(refused["refused"]["what"], "nothing is offered to be installed");
}

#[tokio::test]
async fn a_user_starts_a_required_update_before_its_deadline() {
    let mut world = World::new().await;
    let documents = [world.script_update(1)];
    world.add_sup(&documents).await;
    world.add_dp().await.put(SCRIPT, SCRIPT);
    let mut agent = world.agent(world.machine()).await;
    world.assign(1, &documents, NOW.plus_ms(24 * HOUR_MS));
    let step = agent.pass().await;
    assert_eq!((step.fetched, step.installed), (1, 0));
    let updates = agent.ask(Request::Updates).await;
    assert_eq!(updates["updates"][0]["waits_for"], "its deadline or scheduled time");
    assert_eq!(updates["updates"][0]["acts_at"], NOW.plus_ms(24 * HOUR_MS).to_string());
    agent.ask(Request::Install { updates: Vec::new() }).await;
    assert_eq!(agent.pass().await.installed, 1);
}

/// Where policy leaves the decision to somebody else, nothing begins without them, whatever the
/// deadline; and whoever it is starts it by the same verb.
#[tokio::test]
async fn users_and_other_software_start_what_policy_leaves_to_them() {
    let prompted: (&[_], _) = (&[("install.mode", "prompt"), ("install.immediate", "no")], None);
    let orchestrated: (&[_], _) = (&[("external_orchestrator", "yes")], Some(NOW));
    for (options, deadline) in [prompted, orchestrated] {
        let mut world = World::new().await;
        let documents = [world.script_update(1)];
        world.add_sup(&documents).await;
        world.add_dp().await.put(SCRIPT, SCRIPT);
        let mut agent = world.agent(world.machine()).await;
        let deployment = Assignment { deadline, ..assignment(&documents, NOW) };
        world.publish(1, vec![deployment], options);
        let step = agent.pass().await;
        assert_eq!((step.fetched, step.installed), (1, 0), "{options:?}");
        world.clock.advance_ms(48 * HOUR_MS);
        assert_eq!(agent.pass().await.installed, 0, "{options:?}");
        let updates = agent.ask(Request::Updates).await;
        assert_eq!(updates["updates"][0]["waits_for"], "somebody to start it");
        agent.ask(Request::Install { updates: Vec::new() }).await;
        assert_eq!(agent.pass().await.installed, 1, "{options:?}");
    }
}

#[tokio::test]
async fn a_scan_by_hand_contacts_the_update_point_in_any_case() {
    let mut world = World::new().await;
    let documents = [software(1)];
    world.add_sup(&documents).await;
    let mut agent = world.agent(world.machine()).await;
    world.publish(1, Vec::new(), &[]);
    agent.pass().await;
    let scanned = |text: &str| format!("scan: {text}, with {}", world.servers[1].url);
    for (cycle, expected) in
        [(Cycle::Scan, "asked for"), (Cycle::Evaluation, "evaluation asked for")]
    {
        // What is here is a minute old.
        world.clock.advance_ms(60_000);
        let done = agent.ask(Request::Scan { cycle }).await;
        assert!(done["done"].is_object(), "{done}");
        assert!(agent.pass().await.scanned);
        assert_eq!(agent.happened(1).await, [scanned(expected)]);
    }
    let status = agent.ask(Request::Status).await;
    let next = NOW.plus_ms(120_000 + 86_400_000).to_string();
    assert_eq!(status["status"]["next_scan"]["at"], next, "counted from the scan by hand");
}

#[tokio::test]
async fn policy_says_who_may_start_installations() {
    let mut world = World::new().await;
    let documents = [world.script_update(1)];
    world.add_sup(&documents).await;
    world.add_dp().await.put(SCRIPT, SCRIPT);
    let mut agent = world.agent(world.machine()).await;
    // As much as an installation, and possible again and again.
    let start = || Request::Scan { cycle: Cycle::Scan };
    for (version, value, expected) in [
        (1, "nobody", [false, false]),
        (2, "administrators", [false, true]),
        (3, "all", [true, true]),
    ] {
        world.publish(version, vec![available(&documents)], &[("install.by", value)]);
        agent.woken().await;
        let standings = [Standing::User, Standing::Administrator];
        for (standing, may) in standings.into_iter().zip(expected) {
            let answer = agent.ask_as(standing, start()).await;
            assert_eq!(answer.get("done").is_some(), may, "{value} {standing:?}: {answer}");
        }
        assert!(agent.ask(Request::Status).await["status"].is_object(), "everybody may look");
    }
}

#[tokio::test]
async fn only_what_is_merely_available_can_be_hidden_and_it_stays_so() {
    let mut world = World::new().await;
    let documents = [world.script_update(1), software(2)];
    world.add_sup(&documents).await;
    world.add_dp().await.put(SCRIPT, SCRIPT);
    let required = assignment(&documents[1..], NOW.plus_ms(24 * HOUR_MS));
    let offered = Assignment {
        deployment: model::DeploymentId(uuid::Uuid::from_u128(0xe)),
        ..available(&documents[..1])
    };
    let mut agent = world.agent(world.machine()).await;
    world.publish(1, vec![required, offered], &[]);
    agent.pass().await;
    let root = Standing::Administrator;
    let refused = agent.ask_as(root, Request::Hide { update: id(2) }).await;
    let what = refused["refused"]["what"].as_str().expect("a reason");
    assert!(what.ends_with("is required; only available updates can be hidden"), "{what}");
    let refused = agent.ask_as(Standing::User, Request::Hide { update: id(1) }).await;
    assert!(refused["refused"].is_object(), "users hide nothing for others: {refused}");
    let done = agent.ask_as(root, Request::Hide { update: id(1) }).await;
    assert!(done["done"].is_object(), "{done}");
    agent.pass().await;
    drop(agent);

    let mut agent = world.agent(world.machine()).await;
    agent.pass().await;
    let updates = agent.ask(Request::Updates).await;
    assert_eq!(updates["updates"][0]["state"], "hidden");
    let refused = agent.ask(Request::Install { updates: vec![id(1)] }).await;
    assert!(refused["refused"].is_object(), "{refused}");
    agent.ask_as(root, Request::Show { update: id(1) }).await;
    agent.pass().await;
    assert_eq!(agent.ask(Request::Updates).await["updates"][0]["state"], "available");
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "what is printed is long")]
async fn status_and_explanation_tell_what_there_is_to_know() {
    let mut world = World::new().await;
    let documents = [world.script_update(1)];
    world.add_sup(&documents).await;
    world.add_dp().await.put(SCRIPT, SCRIPT);
    world.windows = vec![closed()];
    let mut agent = world.agent(world.machine()).await;
    world.assign(1, &documents, NOW);
    agent.pass().await;
    let mut status = agent.ask(Request::Status).await;
    // Of this release, and by chance.
    for field in ["agent_version", "next_scan"] {
        let fields = status["status"].as_object_mut().expect("fields");
        fields.shift_remove(field).expect("it is there");
    }
    // The document names the directory of the test.
    let bytes = status["status"]["last_scan"]["size_bytes"].take();
    assert!(bytes.as_u64().is_some_and(|bytes| bytes > 1_000), "{bytes}");
    expect![[r#"
        {
          "status": {
            "client": "00000000-0000-0000-0000-00000000000c",
            "name": "host",
            "site": "PR1",
            "downloader": "the agent itself",
            "management_point": "SERVER0",
            "update_point": "SERVER1",
            "update_point_next": "the next scan asks SERVER1",
            "management_point_failing_since": null,
            "management_point_failure": null,
            "policy": "in effect",
            "policy_asked_at": "2026-11-20T10:00:00.000Z",
            "policy_asked_next_at": "2026-11-20T10:54:41.369Z",
            "policy_version": 1,
            "policy_signed_at": "2026-11-20T10:00:00.000Z",
            "policy_expires_at": "2026-12-20T10:00:00.000Z",
            "unsent_reports": 0,
            "disk_failing_since": null,
            "disk_failing": null,
            "set_aside_count": 0,
            "cache_files": 1,
            "cache_bytes": 56,
            "last_scan": {
              "at": "2026-11-20T10:00:00.000Z",
              "what": "new policy, with SERVER1",
              "server": "SERVER1",
              "duration_ms": 0,
              "size_bytes": null,
              "catalog_version": 1,
              "updates": 1,
              "required": 1,
              "installed": 0,
              "unknown": 0,
              "error": null,
              "error_code": null
            },
            "restart": {
              "pending": false,
              "since": null,
              "restarts_at": null,
              "deferrable_until": null,
              "deferred_to": null,
              "waits_for": null
            },
            "deployments": [
              {
                "deployment": "00000000-0000-0000-0000-00000000000d",
                "name": "November",
                "intent": "required",
                "updates": 1,
                "required": 1,
                "state": "waiting_for_window",
                "deadline_at": "2026-11-20T10:00:00.000Z",
                "acts_at": "2026-11-27T08:00:00.000Z",
                "waits_for": "a maintenance window with room for it"
              }
            ],
            "refusals": [],
            "set_aside": []
          }
        }"#]]
    .assert_eq(&world.plain(&status));
    let explained = agent.ask(Request::Explain { update: id(1) }).await;
    expect![[r#"
        {
          "update": {
            "update": "00000000-0000-0000-0000-000000000001",
            "revision": 1,
            "title": "update 1",
            "applicability": "required",
            "because": "it is not installed, and its rule for being installable holds",
            "offered": true,
            "hidden": false,
            "attempts": 0,
            "last_run_at": null,
            "last_result": null,
            "code": null,
            "rules": [
              {
                "decides": "installed",
                "test": "FileExists Path=DIRECTORY/target Sha256=a51a6c19a1ffc7416827e89adf20749d23ad42452c396cf7e627409f2896922c",
                "result": "false"
              },
              {
                "decides": "installable",
                "test": "always the same",
                "result": "true"
              }
            ],
            "deployments": [
              {
                "deployment": "00000000-0000-0000-0000-00000000000d",
                "name": "November",
                "intent": "required",
                "updates": 1,
                "required": 1,
                "state": "waiting_for_window",
                "deadline_at": "2026-11-20T10:00:00.000Z",
                "acts_at": "2026-11-27T08:00:00.000Z",
                "waits_for": "a maintenance window with room for it"
              }
            ],
            "content": [
              {
                "name": "install.sh",
                "size_bytes": 56,
                "sha256": "a6c0c639bbee5c513e283aa5313e75f5784ba72b68f6f7b370f7a0f8fcff932c",
                "is_here": true
              }
            ],
            "history": []
          }
        }"#]].assert_eq(&world.plain(&explained));
    let refused = agent.ask(Request::Explain { update: id(9) }).await;
    expect![[r#"
        {
          "refused": {
            "what": "update 00000000-0000-0000-0000-000000000009 is not in the catalog of this computer",
            "remedy": "see whether its update point has it; `scan` looks for it now"
          }
        }"#]].assert_eq(&world.plain(&refused));
}

#[tokio::test]
async fn a_failed_installation_is_told_with_its_code_and_when_it_is_tried_again() {
    let mut world = World::new().await;
    let script = "#!/bin/sh\nexit 17\n";
    let mut document = world.script_update(1);
    document.files[0].size = script.len() as u64;
    document.files[0].sha256 = Some(client::digest::sha256(script.as_bytes()));
    let documents = [document];
    world.add_sup(&documents).await;
    world.add_dp().await.put(script, script);
    let mut agent = world.agent(world.machine()).await;
    world.assign(1, &documents, NOW);
    agent.pass().await;
    let updates = agent.ask(Request::Updates).await;
    let row = &updates["updates"][0];
    assert_eq!((&row["enforcement"], &row["code"]), (&json!("failed"), &json!("17")));
    assert_eq!(row["acts_at"], NOW.plus_ms(HOUR_MS).to_string());
    let explained = agent.ask(Request::Explain { update: id(1) }).await;
    let told = &explained["update"];
    assert_eq!((&told["attempts"], &told["last_result"]), (&json!(1), &json!("failed")));
    assert_eq!(told["code"]["meaning"], "its installer ended with this code");
    assert_eq!(told["history"][0]["code"], "17");
}

#[tokio::test]
async fn the_cache_is_listed_and_cleaned_of_what_no_deployment_names() {
    let mut world = World::new().await;
    let documents = [world.script_update(1)];
    world.add_sup(&documents).await;
    world.add_dp().await.put(SCRIPT, SCRIPT);
    let mut agent = world.agent(world.machine()).await;
    world.assign(1, &documents, NOW.plus_ms(24 * HOUR_MS));
    agent.pass().await;
    let cache = agent.ask(Request::CacheList).await;
    assert_eq!(cache["cache"]["files"][0]["name"], "install.sh");
    assert_eq!(cache["cache"]["size_bytes"], SCRIPT.len());
    let done = agent.ask_as(Standing::Administrator, Request::CacheClean).await;
    assert_eq!(done["done"]["done"], "0 files of 0 bytes were removed", "it is needed");
    world.publish(2, Vec::new(), &[]);
    agent.woken().await;
    agent.ask_as(Standing::Administrator, Request::CacheClean).await;
    assert_eq!(agent.ask(Request::CacheList).await["cache"]["files"], json!([]));
}

#[tokio::test]
async fn a_restart_that_nobody_needs_is_refused() {
    let world = World::new().await;
    let mut agent = world.agent(world.machine()).await;
    world.publish(1, Vec::new(), &[]);
    agent.pass().await;
    let status = agent.ask(Request::RebootStatus).await;
    assert_eq!(status["restart"]["pending"], false);
    let root = Standing::Administrator;
    for defer_minutes in [None, Some(30)] {
        let refused = agent.ask_as(root, Request::Reboot { defer_minutes }).await;
        assert!(refused["refused"]["what"].as_str().expect("a reason").contains("no restart"));
    }
}

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    options: crate::verbs::Output,
    #[command(subcommand)]
    verb: Verb,
}

/// The whole way: a verb, the socket, the running agent, and back.
#[tokio::test]
async fn verbs_ask_the_running_agent_over_its_socket() {
    let mut world = World::new().await;
    world.add_sup(&[software(1)]).await;
    let data = world.directory.path().join("data");
    let mut agent = world.agent(world.machine()).await;
    world.publish(1, Vec::new(), &[]);
    agent.pass().await;
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let socket = crate::Local::within(&data);
    let hands = Arc::get_mut(&mut agent.hands).expect("nothing runs");
    hands.config.local = Some(crate::Local {
        path: socket.clone(),
        admin_groups: Vec::new(),
        primary_users: Vec::new(),
    });
    let questions = agent.open_socket(&mut tasks, &stop);
    drop(questions);
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    assert!(!socket.exists(), "it goes with the agent");

    let stop = CancellationToken::new();
    let running = agent.run(stop.clone());
    let asking = async {
        let mut printed = Vec::new();
        let line = || Line::try_parse_from(["tierline-agent", "policy"]).expect("a verb");
        let places = line().options.places(&data, Some(&socket));
        // The socket opens when the agent begins to run.
        while line().verb.ask(&places, &line().options, &mut printed).await.is_err() {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        String::from_utf8(printed).expect("text")
    };
    let (ended, printed) = tokio::join!(running, asking);
    ended.expect("ends in order");
    assert!(printed.starts_with("version           1\n"), "{printed}");
    assert!(!socket.exists(), "it goes with the agent");
}

#[tokio::test]
async fn a_user_puts_the_restart_off_as_far_as_policy_lets_and_then_restarts() {
    let mut world = World::new().await;
    let mut document = world.script_update(1);
    if let Some(Installer::CommandLine(command)) = &mut document.installer {
        let outcome = Outcome { result: InstallResult::Succeeded, needs_restart: true };
        command.return_codes.insert(3010, outcome);
    }
    let documents = [document];
    world.add_sup(&documents).await;
    world.add_dp().await.put(SCRIPT, SCRIPT);
    let facts = format!(
        "architecture = \"amd64\"\nform = \"server\"\nusers = [\"anna\"]\n\
         [outcomes.\"{}\"]\nexit_code = 3010\ntakes_effect = false\n",
        update_id(1)
    );
    let machine = PretendedMachine::read(&facts).expect("a computer");
    let mut agent = world.agent(machine).await;
    world.assign(1, &documents, NOW);
    assert_eq!(agent.pass().await.installed, 1);
    let pending = agent.ask(Request::RebootStatus).await;
    let at = |minutes: i64| json!(NOW.plus_ms(minutes * 60_000).to_string());
    assert_eq!(pending["restart"]["pending"], true);
    assert_eq!(pending["restart"]["since"], at(0));
    assert_eq!(pending["restart"]["restarts_at"], at(90));
    assert_eq!(pending["restart"]["deferrable_until"], at(90));
    let defer = |minutes| Request::Reboot { defer_minutes: Some(minutes) };
    let refused = agent.ask(defer(91)).await;
    let what = refused["refused"]["what"].as_str().expect("a reason");
    assert!(what.starts_with("the restart cannot be put off beyond"), "{what}");
    let done = agent.ask(defer(30)).await;
    assert_eq!(done["done"]["done"], "the restart is put off for 30 minutes");
    agent.pass().await;
    assert_eq!(agent.ask(Request::RebootStatus).await["restart"]["restarts_at"], at(30));

    // A server: users without rights do not restart it (CSET-17).
    let now = || Request::Reboot { defer_minutes: None };
    let refused = agent.ask(now()).await;
    assert!(refused["refused"]["what"].as_str().expect("a reason").contains("a server"));
    let done = agent.ask_as(Standing::Administrator, now()).await;
    assert!(done["done"].is_object(), "{done}");
    agent.pass().await;
    let happened = agent.happened(20).await;
    assert!(happened.contains(&"restart: the system is told to restart".to_owned()));
    assert!(happened.contains(&"user: alice: restart".to_owned()));
}
