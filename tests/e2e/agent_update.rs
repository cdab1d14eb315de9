//! The agent's own process and the versions of it that were staged: whichever goes wrong, the
//! installed program runs in the end.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use client::agent_update::{PROGRAM, Reason, Versions, Wish};
use client::digest::sha256;

use crate::harness::{Hierarchy, binary, text};
use crate::main_job::{AGENT, Plant};

const VERSION: &str = "9.1.0";

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

/// Publishes and deploys this program as a version of the agent; answers with the deployment.
fn deploy(plant: &Plant, version: &str, program: &str) -> String {
    let directory = plant.hierarchy.data(version);
    fs::create_dir(&directory).expect("a directory can be made");
    let file = directory.join(PROGRAM);
    fs::write(&file, program).expect("a file can be written");
    let place = plant.hierarchy.data("agent").join("agent").join(version).join(PROGRAM);
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
    text(&plant.hierarchy.asked(&create), "id")
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
    let real = binary(AGENT);
    let good = format!("#!/bin/sh\nexec {} \"$@\"\n", real.display());
    let deployment = deploy(&plant, "9.1.0", &good);
    plant.process(AGENT).wait_for("this version of the agent has proved itself");
    counts(&plant, &deployment, "compliant");

    let deployment = deploy(&plant, "9.2.0", "#!/bin/sh\nexit 1\n");
    plant.process(AGENT).wait_for("a version of the agent is given up");
    counts(&plant, &deployment, "failed");
    let current = plant.hierarchy.data("agent").join("agent/current");
    let versions = fs::read(current).expect("there");
    let versions: Versions = serde_json::from_slice(&versions).expect("understood");
    assert_eq!(versions.good.map(|good| good.version), Some("9.1.0".to_owned()));
    assert_eq!(versions.rejected[0].reason, Reason::Ended);
}
