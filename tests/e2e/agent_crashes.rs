//! An agent that is ended, as abruptly as by a power cut, at every place where something becomes
//! durable: it goes on after its next start, installs nothing twice, and loses and doubles no
//! message.
//!
//! Each place has a computer of its own. Its agent ends there, and the next one does the rest; then
//! its site has heard, message by message, what it has heard of the computer whose agent was left
//! in peace.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::json;

use crate::agent_real::Computer;
use crate::harness::{Process, holds};
use crate::main_job::{AGENT, Plant};
use crate::seats::{Seat, listen, messages, script};

/// From policy to the content.
const BEFORE: [&str; 18] = [
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
    "content.partial",
    "content.renamed",
    "agent.keeping_start",
    "agent.kept_start",
    "agent.installing",
    "agent.staged",
];
/// From the moment that the installer is recorded to the one in which its end is known.
const AROUND: [&str; 8] = [
    "installer.recording",
    "agent.waiter_started",
    "agent.waiter_ended",
    "agent.installed",
    "agent.keeping_result",
    "agent.kept_result",
    "agent.ending_forgotten",
    "agent.ending_forgotten:2",
];
/// Passed by the process that waits for the installer: the agent lives on.
const APART: [&str; 4] = [
    "installer.started",
    "installer.recorded",
    "installer.ending_written",
    "installer.ending_kept",
];
/// A minute after everything else.
const AT_LEISURE: [&str; 2] = ["agent.inventory_written", "agent.inventory_kept"];

#[test]
fn an_agent_killed_at_every_durable_step_goes_on_and_does_nothing_twice() {
    let plant = Plant::new();
    let file = plant.hierarchy.data("fix.sh");
    fs::write(&file, script("echo new > fix.new")).expect("a file can be written");
    let update = plant.publish(&file, &["--title", "Fix", "--detect", "file=/opt/fix.new"]);
    plant.deploy_all("Fix", &[&update]);
    plant.wait_distributed(1);
    listen(&plant);
    let at_leisure = AT_LEISURE.map(|place| {
        let seat = Seat::join(&plant, place, "");
        let doomed = seat.spawn(&plant, place);
        (place, seat, doomed)
    });
    let in_peace = Seat::join(&plant, "in-peace", "");
    let agent = in_peace.start(&plant);
    let expected = comes_to_an_end(&plant, &in_peace, agent);
    assert!(expected.len() > 4, "it has much to say: {expected:#?}");
    for place in BEFORE.into_iter().chain(AROUND) {
        let seat = Seat::join(&plant, place, "");
        dies(seat.spawn(&plant, place), place);
        goes_on(&plant, (place, &seat), &expected);
    }
    for place in APART {
        let seat = Seat::join(&plant, place, "");
        let mut agent = seat.spawn(&plant, place);
        agent.wait_for("whoever waited for an installer has ended before it");
        assert_eq!(comes_to_an_end(&plant, &seat, agent), expected, "{place}");
    }
    for (place, seat, doomed) in at_leisure {
        dies(doomed, place);
        goes_on(&plant, (place, &seat), &expected);
    }
}

fn dies(mut doomed: Process, place: &str) {
    assert!(!doomed.wait_end().success(), "{place} was never passed");
}

fn goes_on(plant: &Plant, (place, seat): (&str, &Seat), expected: &[String]) {
    let incarnation = || seat.remembered().expect("it has begun to remember").0;
    let before = incarnation();
    let said = comes_to_an_end(plant, seat, seat.start(plant));
    assert_eq!(said, expected, "{place}");
    assert_eq!(incarnation(), before, "{place}: it is the same client");
}

/// It is installed, once, and the site has heard all of it; answers with what it has heard.
fn comes_to_an_end(plant: &Plant, seat: &Seat, agent: Process) -> Vec<String> {
    let mut told = None;
    plant.hierarchy.wait_until(&format!("{} has installed it", seat.root.display()), || {
        told = seat.told(plant).filter(|told| told["installed"] == 1);
        told.is_some()
    });
    let expected = json!({ "reason": "", "required": 0, "installed": 1, "unknown": 0 });
    holds(&told.expect("it was told"), &expected);
    agent.kill();
    assert_eq!(seat.runs(), 1, "the installer ran once");
    messages(plant, seat.client)
}

/// How an installer ends is told by the next life of an agent that was killed meanwhile.
#[test]
fn an_exit_code_outlives_an_agent_that_is_killed() {
    let mut plant = Plant::new();
    let computer = Computer::new(&plant);
    let restarts = computer.gated("restarts", "echo new > restarts.new\nexit 3010");
    let detect = ["--detect", "file=/opt/restarts.new"];
    let restarts = plant.publish_script(&restarts, computer.root(), &detect);
    let fails = computer.gated("fails", "exit 17");
    let fails = plant.publish_script(&fails, computer.root(), &["--detect", "file=/opt/never"]);
    for (update, minutes) in [(&restarts, "5"), (&fails, "6")] {
        plant.hierarchy.asked(&["update-settings", "set", update, "--run-minutes", minutes]);
    }
    plant.deploy_all("Codes", &[&restarts, &fails]);
    let ended = plant.hierarchy.data("agent").join("installs/ended");
    for (name, update, expected) in [
        ("restarts", &restarts, ("required", "pending_restart", 0)),
        ("fails", &fails, ("required", "failed", 17)),
    ] {
        computer.start_agent(&mut plant);
        plant.hierarchy.wait_until("its installer runs", || computer.runs(name) == 1);
        plant.stop(AGENT);
        computer.open(name);
        plant.hierarchy.wait_until("somebody has seen its end", || ended.exists());
        computer.start_agent(&mut plant);
        plant.process(AGENT).wait_for("an installer of an earlier life has ended");
        plant.wait_told(update, expected);
        plant.stop(AGENT);
        assert_eq!(computer.runs(name), 1);
    }
}

/// As a package does whose script restarts the agent, and waits until that is done.
#[test]
fn an_installer_may_restart_the_agent_that_runs_it() {
    let mut plant = Plant::new();
    let computer = Computer::new(&plant);
    let restart = "kill -TERM \"$(cat agent)\"\ntail -s 0.02 -f --pid=\"$(cat agent)\" /dev/null\n\
                   read go < restarts.gate\necho new > restarts.new";
    let restarts = computer.gated("restarts", restart);
    let detect = ["--detect", "file=/opt/restarts.new"];
    let restarts = plant.publish_script(&restarts, computer.root(), &detect);
    plant.deploy_all("Restarts", &[&restarts]);
    computer.start_agent(&mut plant);
    plant.hierarchy.wait_until("its installer runs", || computer.runs("restarts") == 1);
    let agent = plant.process(AGENT).id().to_string();
    fs::write(Path::new(computer.root()).join("opt/agent"), agent).expect("it can be written");
    computer.open("restarts");
    // It would wait for the installer, which waits for it.
    let ended = plant.process(AGENT).wait_end();
    assert!(ended.success(), "{ended}");
    plant.stop(AGENT);
    computer.start_agent(&mut plant);
    plant.process(AGENT).wait_for("an installer of an earlier life still runs");
    computer.open("restarts");
    plant.wait_told(&restarts, ("installed", "", 0));
    assert_eq!(computer.runs("restarts"), 1);
}

/// No place that has a name is left out, and none where something replaces what was there before
/// is without a name.
#[test]
fn every_place_of_the_sources_is_named_here() {
    let mut named = BTreeSet::new();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent/src");
    gather(&sources, &mut named);
    let updating = crate::agent_update::PLACES;
    let here = [&BEFORE[..], &AROUND, &APART, &AT_LEISURE, &updating].concat();
    let own = |place: &&str| !place.starts_with("content.") && !place.contains(':');
    let here: BTreeSet<String> = here.into_iter().filter(own).map(str::to_owned).collect();
    let apart: Vec<_> = named.symmetric_difference(&here).collect();
    assert!(apart.is_empty(), "{apart:?}");
}

fn gather(directory: &Path, named: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).expect("it can be read") {
        let path = entry.expect("it can be read").path();
        // What is pretended crashes with whoever pretends it, and only what is damaged is set aside.
        let apart = ["tests.rs", "machine/pretended.rs", "quarantine.rs"];
        if apart.iter().any(|end| path.ends_with(end)) {
            continue;
        }
        if path.is_dir() {
            gather(&path, named);
            continue;
        }
        let text = fs::read_to_string(&path).expect("sources are text");
        let is_list = path.ends_with("agent/moments.rs");
        let lines = text.lines().filter(|line| is_list || line.contains("failpoint(\""));
        let words = lines.flat_map(|line| line.split('"'));
        let places = words.filter(|word| is_place(word)).map(str::to_owned).collect::<Vec<_>>();
        let replaces = text.contains("fs::rename(");
        assert!(!replaces || !places.is_empty(), "no place in {}", path.display());
        named.extend(places);
    }
}

fn is_place(word: &str) -> bool {
    word.starts_with("agent.") || word.starts_with("installer.")
}
