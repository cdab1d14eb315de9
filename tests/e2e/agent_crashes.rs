//! An agent that is ended, as abruptly as by a power cut, at every place where something becomes
//! durable: it goes on after its next start, installs nothing twice, and loses and doubles no
//! message.
//!
//! One installation is done again and again: what shows that it is installed is taken away before
//! each life that is to end during it or after it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use rusqlite::Connection;

use crate::agent_real::Computer;
use crate::harness::{Process, holds};
use crate::main_job::{AGENT, DP, Plant};

/// Up to the first scan and its report, while content is out of reach.
const AT_FIRST: [&str; 12] = [
    "agent.keeping_notes",
    "agent.kept_notes",
    "agent.keeping_policy",
    "agent.kept_policy",
    "agent.catalog_page",
    "agent.catalog_whole",
    "agent.keeping_event",
    "agent.kept_event",
    "agent.keeping_report",
    "agent.kept_report",
    "agent.keeping_receipt",
    "agent.kept_receipt",
];
const FETCHING: [&str; 2] = ["content.partial", "content.renamed"];
/// Before anything runs.
const BEFORE: [&str; 4] =
    ["agent.keeping_start", "agent.kept_start", "agent.installing", "agent.staged"];
/// While the installer runs, which waits at its gate.
const DURING: [&str; 2] = ["agent.installer_started", "agent.installer_recorded"];
const AFTER: [&str; 4] =
    ["agent.installer_ended", "agent.installed", "agent.keeping_result", "agent.kept_result"];

/// The name of the installer.
const FIX: &str = "fix";

#[test]
fn an_agent_killed_at_every_durable_step_goes_on_and_does_nothing_twice() {
    every_place_of_the_sources_is_named_here();
    let mut plant = Plant::new();
    let computer = Computer::new(&plant);
    let gate = Path::new(computer.root()).join("opt/gate");
    let script = "[ -e gate ] && read go < gate\necho new > fix.new";
    let script = computer.script(FIX, script);
    let update = plant.publish_script(&script, computer.root(), &["--detect", "file=/opt/fix.new"]);
    let deployment = plant.deploy_all("Fix", &[&update]);
    plant.wait_distributed(1);
    plant.stop(DP);
    AT_FIRST.iter().for_each(|place| dies(&plant, &computer, place));
    let incarnation = remembered(&plant).0;
    plant.start(DP);
    FETCHING.iter().for_each(|place| dies(&plant, &computer, place));
    BEFORE.iter().for_each(|place| dies_installing(&plant, &computer, place));
    assert_eq!(computer.runs(FIX), 0, "nothing has run yet");

    let mut rounds = 0;
    for place in DURING {
        rounds += 1;
        let made = Command::new("mkfifo").arg(&gate).status().expect("it can be run");
        assert!(made.success());
        dies_installing(&plant, &computer, place);
        computer.start_agent(&mut plant);
        plant.process(AGENT).wait_for("an installer of an earlier life still runs");
        fs::write(&gate, "go\n").expect("it can be written");
        fs::remove_file(&gate).expect("it is there");
        let mark = Path::new(computer.root()).join("opt/fix.new");
        plant.hierarchy.wait_until("the installer has ended", || mark.exists());
        plant.stop(AGENT);
        is_undone(&computer, rounds);
    }
    for place in AFTER {
        rounds += 1;
        dies_installing(&plant, &computer, place);
        is_undone(&computer, rounds);
    }
    rounds += 1;
    computer.start_agent(&mut plant);
    plant.hierarchy.wait_until("it is installed for good", || {
        wish(&plant);
        computer.runs(FIX) == rounds
    });
    let told = plant.wait_told(&update, ("installed", "", 0));
    plant.complied(&deployment);
    everybody_agrees(&plant, &told);
    everything_is_sent(&plant, &told);
    plant.stop(AGENT);
    assert_eq!(computer.runs(FIX), rounds, "no installer ran twice");
    let (now, serial, unsent) = remembered(&plant);
    assert_eq!((now, unsent), (incarnation, 0), "it is the same client, and everything was sent");
    let told = plant.told().expect("it is known");
    assert_eq!(told["serial"], serial, "{told:#}");
}

/// A life that ends at `place`; if it never comes there, this fails.
fn dies(plant: &Plant, computer: &Computer, place: &str) {
    let mut doomed = doomed(plant, computer, place);
    let status = doomed.wait_end();
    assert!(!status.success(), "{place} was never passed");
}

/// The same with somebody at the computer who wants the update now: what was interrupted again and
/// again, or has just vanished, is otherwise left for an hour.
fn dies_installing(plant: &Plant, computer: &Computer, place: &str) {
    let mut doomed = doomed(plant, computer, place);
    plant.hierarchy.wait_until(&format!("the agent comes to {place}"), || {
        wish(plant);
        doomed.has_ended()
    });
    assert!(!doomed.wait_end().success(), "{place} was never passed");
}

fn doomed(plant: &Plant, computer: &Computer, place: &str) -> Process {
    let environment = [("TIERLINE_FAILPOINT", place)];
    plant.hierarchy.spawn(AGENT, &computer.config(plant), &environment)
}

/// Nobody may answer, and what is installed is not offered.
fn wish(plant: &Plant) {
    let config = plant.agent_config();
    let config = config.to_str().expect("the path is text");
    plant.hierarchy.run(AGENT, &["--config", config, "install"]);
}

/// What the installer did is taken back, once it has ended.
fn is_undone(computer: &Computer, runs: usize) {
    let mark = Path::new(computer.root()).join("opt/fix.new");
    assert_eq!(computer.runs(FIX), runs);
    fs::remove_file(mark).expect("it is there");
}

/// The site has as much as the agent, and nothing is missing on the way.
fn everybody_agrees(plant: &Plant, told: &serde_json::Value) {
    holds(told, &serde_json::json!({ "reason": "", "required": 0, "installed": 1, "unknown": 0 }));
    let status = plant.agent_says(&["status"]);
    for name in ["required", "installed", "unknown"] {
        assert_eq!(status["last_scan"][name], told[name], "{status:#}");
    }
}

/// What waits for its batch comes at once when everything is asked for.
fn everything_is_sent(plant: &Plant, told: &serde_json::Value) {
    plant.hierarchy.tierline(&["client", "refresh", "--server", &plant.hierarchy.url(7540)]);
    plant.hierarchy.wait_until("everything has been said again", || {
        let serial = plant.told().expect("it is known")["serial"].as_u64();
        serial > told["serial"].as_u64() && plant.agent_says(&["status"])["unsent_reports"] == 0
    });
}

/// Incarnation, serial of the last message, and how many reports nobody has taken.
fn remembered(plant: &Plant) -> (i64, i64, i64) {
    let database = plant.hierarchy.data("agent").join("agent.db");
    let database = Connection::open(database).expect("it opens");
    let sql = "SELECT incarnation, serial, (SELECT count(*) FROM report) FROM record";
    let row = database.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    row.expect("there is one")
}

/// No place that has a name is left out; those of the update of the agent itself have tests of
/// their own.
fn every_place_of_the_sources_is_named_here() {
    let mut named = BTreeSet::new();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent/src");
    gather(&sources, &mut named);
    let here = [&AT_FIRST[..], &BEFORE, &DURING, &AFTER].concat();
    let here: BTreeSet<String> = here.into_iter().map(str::to_owned).collect();
    let apart: Vec<_> = named.symmetric_difference(&here).collect();
    assert!(apart.is_empty(), "{apart:?}");
}

fn gather(directory: &Path, named: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).expect("it can be read") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            gather(&path, named);
            continue;
        }
        let text = fs::read_to_string(&path).expect("sources are text");
        let is_list = path.ends_with("agent/moments.rs");
        let lines = text.lines().filter(|line| is_list || line.contains("failpoint(\""));
        let words = lines.flat_map(|line| line.split('"'));
        named.extend(words.filter(|word| is_place(word)).map(str::to_owned));
    }
}

fn is_place(word: &str) -> bool {
    word.strip_prefix("agent.").is_some_and(|name| !name.starts_with("update_"))
}
