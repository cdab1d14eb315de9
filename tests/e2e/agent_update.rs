//! The agent's own process and the versions of it that were staged: whichever goes wrong, the
//! installed program runs in the end.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use client::agent_update::{PROGRAM, Reason, Versions, Wish};
use client::digest::sha256;
use serde_json::{Value, json};

use crate::harness::{Hierarchy, Process, binary, text};
use crate::main_job::{AGENT, Plant};
use crate::seats::{Seat, listen, outcome};

const VERSION: &str = "9.1.0";

/// Where something becomes durable: of a version that proves itself, and of one that does not.
pub(crate) const PLACES: [&str; 8] =
    [PROVED[0], PROVED[1], PROVED[2], PROVED[3], PROVED[4], PROVED[5], GIVEN_UP[0], GIVEN_UP[1]];
const PROVED: [&str; 6] = [
    "agent.update_copied",
    "agent.update_staged",
    "agent.update_keeping",
    "agent.update_taken",
    "agent.update_started",
    "agent.update_proved",
];
const GIVEN_UP: [&str; 2] = ["agent.update_given_up", "agent.update_told"];

struct Host {
    hierarchy: Hierarchy,
    config: PathBuf,
}

impl Host {
    /// A computer with this program on trial as the agent.
    fn trying(program: &str, trial: &str) -> Host {
        let hierarchy = Hierarchy::new();
        let data = hierarchy.data("agent");
        let text = format!("data_dir = \"{}\"\nupdate_trial = \"{trial}\"\n", data.display());
        let config = hierarchy.config("agent", &text);
        let host = Host { hierarchy, config };
        let place = host.at(VERSION);
        fs::create_dir_all(&place).expect("a directory");
        for directory in [&data, &data.join("agent")] {
            fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).expect("set");
        }
        fs::write(place.join(PROGRAM), program).expect("written");
        fs::set_permissions(place.join(PROGRAM), fs::Permissions::from_mode(0o700)).expect("set");
        let mut versions = Versions::default();
        let wish = Wish { version: VERSION.to_owned(), may_be_older: false };
        versions.take(wish, sha256(program.as_bytes()), "0.0.1").expect("taken");
        fs::write(host.at("current"), serde_json::to_vec(&versions).expect("text")).expect("kept");
        versions.proved();
        fs::write(host.at("proved"), serde_json::to_vec(&versions).expect("text")).expect("kept");
        host
    }

    fn at(&self, name: &str) -> PathBuf {
        self.hierarchy.data("agent").join("agent").join(name)
    }

    fn versions(&self) -> Versions {
        let text = fs::read(self.at("current")).expect("there");
        serde_json::from_slice(&text).expect("understood")
    }

    /// The agent runs to its end; answers with what it said, and whether it ended well.
    fn run(&self) -> (bool, String) {
        let config = self.config.to_str().expect("the path is text");
        let output = self.hierarchy.run("tierline-agent", &["--config", config, "run"]);
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// The installed program runs in the end; it says that it has joined nobody.
    #[track_caller]
    fn gives_up(&self, reason: Reason) {
        let (is_good, said) = self.run();
        assert!(!is_good && said.contains("join a hierarchy first"), "{said}");
        assert!(said.contains("a version of the agent is given up"), "{said}");
        assert!(said.contains(reason.as_str()), "{said}");
        let versions = self.versions();
        assert_eq!((versions.good, versions.trial), (None, None));
        assert!(!self.at(VERSION).exists());
        // And so it stays.
        assert!(self.run().1.contains("join a hierarchy first"));
    }
}

#[test]
fn a_version_that_does_not_start_ends_or_says_nothing_gives_way_to_the_installed_one() {
    Host::trying("neither a script nor a program", "1h").gives_up(Reason::NotStarted);
    Host::trying("#!/bin/sh\nexit 3\n", "1h").gives_up(Reason::Ended);
    Host::trying("#!/bin/sh\nexec sleep 1000\n", "1s").gives_up(Reason::Silent);
}

#[test]
fn a_version_that_proves_itself_runs_from_then_on() {
    let host = Host::trying(
        "#!/bin/sh\ncd \"${0%/*}/..\"\necho \"$TIERLINE_AGENT_STARTED_AS $*\" >> runs\n\
         cp proved current\n",
        "1h",
    );
    for _ in 0..2 {
        let (is_good, said) = host.run();
        assert!(is_good, "{said}");
    }
    let runs = fs::read_to_string(host.at("runs")).expect("it ran");
    let config = host.config.display();
    assert_eq!(runs, format!("trial --config {config} run\ngood --config {config} run\n"));
}

/// Publishes and deploys this program as a version of the agent, for agents whose data are in this
/// directory of their system; answers with the update and the deployment.
fn deploy(plant: &Plant, data: &Path, version: &str, program: &str) -> (String, String) {
    let directory = plant.hierarchy.data(version);
    fs::create_dir(&directory).expect("a directory can be made");
    let file = directory.join(PROGRAM);
    fs::write(&file, program).expect("a file can be written");
    let place = data.join("agent").join(version).join(PROGRAM);
    let detect = format!("file={}@{}", place.display(), sha256(program.as_bytes()));
    let title = format!("Tierline agent {version}");
    let arguments = format!("self-update --to {version}");
    let file = file.to_str().expect("the path is text");
    let publish = ["update", "publish", file, "--title", &title, "--arguments", &arguments];
    let publish = [&publish[..], &["--detect", &detect, "--timeout", "60s"]].concat();
    let update = text(&plant.hierarchy.asked(&publish), "id");
    let group = ["group", "create", version, "--update", &update];
    let group = text(&plant.hierarchy.asked(&group), "code");
    let create = ["deployment", "create", version, "--group", &group, "--new-package", version];
    let deployment = text(&plant.hierarchy.asked(&create), "id");
    (update, deployment)
}

/// Waits until the top counts the one client so.
fn counts(plant: &Plant, deployment: &str, bucket: &str) {
    plant.hierarchy.wait_until(bucket, || {
        let row = plant.hierarchy.asked(&["compliance", "deployment", deployment]);
        row[bucket] == 1 && row["targeted"] == 1
    });
}

#[test]
fn a_deployed_version_takes_over_and_one_that_fails_is_told_as_failed() {
    let mut plant = Plant::new();
    plant.start(AGENT);
    let data = plant.hierarchy.data("agent");
    let (_, deployment) = deploy(&plant, &data, "9.1.0", &of_this_program());
    plant.process(AGENT).wait_for("this version of the agent has proved itself");
    counts(&plant, &deployment, "compliant");

    let (update, deployment) = deploy(&plant, &data, "9.2.0", "#!/bin/sh\nexit 1\n");
    plant.process(AGENT).wait_for("a version of the agent is given up");
    counts(&plant, &deployment, "failed");
    let current = fs::read(data.join("agent/current")).expect("there");
    let versions: Versions = serde_json::from_slice(&current).expect("understood");
    assert_eq!(versions.good.map(|good| good.version), Some("9.1.0".to_owned()));
    assert_eq!(versions.rejected[0].reason, Reason::Ended);

    // At the site, at the computer, and in words.
    let told = plant.wait_told(&update, ("required", "failed", Reason::Ended.code()));
    let row = |rows: &Value| {
        let rows = rows.as_array().expect("rows").clone();
        rows.into_iter().find(|row| row["id"] == update.as_str()).expect("there")
    };
    let meaning = text(&row(&told["states"]), "meaning");
    assert!(meaning.contains("ended"), "{meaning}");
    plant.hierarchy.wait_until("a message says so", || given_up(&plant).len() == 1);
    let expected = ["9.2.0", Reason::Ended.as_str(), "0x8007042B", "9.1.0"];
    assert_eq!(given_up(&plant)[0]["strings"], json!(expected));
    let said = "version 9.2.0 of the agent was given up: it ended by itself too often; 9.1.0 runs";
    let history = plant.agent_says(&["history"]);
    let is_said = |row: &Value| row["what"] == said && row["update"] == update.as_str();
    assert!(history.as_array().expect("rows").iter().any(is_said), "{history:#}");
    let explained = plant.agent_says(&["explain", &update]).to_string();
    assert!(explained.contains("0x8007042B") && explained.contains(said), "{explained}");
}

/// A version of the agent that is this program.
fn of_this_program() -> String {
    format!("#!/bin/sh\nexec {} \"$@\"\n", binary(AGENT).display())
}

/// Messages about versions that were given up.
fn given_up(plant: &Plant) -> Vec<Value> {
    let messages = plant.hierarchy.asked(&["status-message", "list"]);
    let rows = messages.as_array().expect("rows").iter();
    rows.filter(|row| row["id"] == 60121).cloned().collect()
}

/// Each place has a computer of its own, as with installations: the agent is the old version or the
/// new one, and in the end what it is without a crash; and so its site knows it.
#[test]
fn an_agent_killed_at_every_step_of_its_own_update_comes_to_an_end() {
    let plant = Plant::new();
    listen(&plant);
    let data = Path::new("/data");
    deploy(&plant, data, "9.1.0", &of_this_program());
    plant.wait_distributed(1);
    let good = ("installed", 0, &[][..]);
    let in_peace = Seat::join(&plant, "in-peace", "");
    let agent = in_peace.start(&plant);
    let expected = has_settled(&plant, (&in_peace, agent), good);
    let seats = PROVED.map(|place| {
        let seat = Seat::join(&plant, place, "");
        ends_and_goes_on(&plant, (&seat, place), good, &expected);
        seat
    });

    deploy(&plant, data, "9.2.0", "#!/no/such/interpreter\n");
    let bad = ("required", Reason::NotStarted.code(), &[Reason::NotStarted][..]);
    let agent = in_peace.start(&plant);
    let expected = has_settled(&plant, (&in_peace, agent), bad);
    for (place, seat) in GIVEN_UP.into_iter().zip(&seats) {
        ends_and_goes_on(&plant, (seat, place), bad, &expected);
    }
    let ids = given_up(&plant).iter().map(|row| text(row, "machine")).collect::<BTreeSet<_>>();
    assert_eq!((given_up(&plant).len(), ids.len()), (GIVEN_UP.len() + 1, GIVEN_UP.len() + 1));
}

/// State and code of an update, and why versions were given up.
type End<'a> = (&'a str, i32, &'a [Reason]);

fn ends_and_goes_on(
    plant: &Plant,
    (seat, place): (&Seat, &str),
    end: End<'_>,
    expected: &[String],
) {
    assert!(!seat.spawn(plant, place).wait_end().success(), "{place} was never passed");
    assert_eq!(has_settled(plant, (seat, seat.start(plant)), end), expected, "{place}");
}

/// The good version runs, and the site knows how the other one stands; answers with what it knows.
fn has_settled(plant: &Plant, (seat, agent): (&Seat, Process), end: End<'_>) -> Vec<String> {
    let (state, code, reasons) = end;
    plant.hierarchy.wait_until(&format!("{} has settled", seat.root.display()), || {
        seat.told(plant).is_some_and(|told| {
            let rows = told["states"].as_array();
            let stands = |row: &Value| row["state"] == state && row["code"] == code;
            let is_told = rows.is_some_and(|rows| rows.iter().any(stands));
            is_told && told["installed"] == 1 && versions(seat).trial.is_none()
        })
    });
    agent.kill();
    let versions = versions(seat);
    assert_eq!(versions.good.map(|good| good.version), Some("9.1.0".to_owned()));
    assert_eq!(versions.trial, None);
    let rejected: Vec<_> = versions.rejected.iter().map(|rejected| rejected.reason).collect();
    assert_eq!(rejected, reasons);
    outcome(plant, seat.client)
}

fn versions(seat: &Seat) -> Versions {
    let current = fs::read(seat.root.join("data/agent/current")).expect("there");
    serde_json::from_slice(&current).expect("understood")
}
