//! A real agent that installs real things into a root directory of its own, and what the top-level
//! site is told of each of them, in order.
//!
//! Installers wait at a gate, a named pipe, until the top has been told that they run: whatever the
//! top says then, it says in this order, however fast the agent is.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::harness::{column, holds, text};
use crate::main_job::{AGENT, DP, Plant};

/// ERROR_TIMEOUT as an HRESULT.
const TIMED_OUT: i32 = 0x8007_05B4_u32.cast_signed();

/// A system in a directory, with an agent that cares for it.
pub(crate) struct Computer {
    root: PathBuf,
    /// Beside the agent's other settings.
    config: String,
}

impl Computer {
    pub(crate) fn new(plant: &Plant) -> Computer {
        let root = plant.hierarchy.data("root");
        for directory in ["var/lib/dpkg/updates", "var/lib/dpkg/info", "etc", "opt", "proc"] {
            fs::create_dir_all(root.join(directory)).expect("a directory can be made");
        }
        let computer = Computer { root, config: String::new() };
        computer.write("var/lib/dpkg/status", "");
        computer.write("var/lib/dpkg/available", "");
        computer.write("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
        let restart = computer.write("restart.sh", "#!/bin/sh\necho told >> \"$1/restarts\"\n");
        fs::set_permissions(restart, Permissions::from_mode(0o755)).expect("it is ours");
        computer.starts("first");
        computer
    }

    /// With more settings in the section of the machine.
    pub(crate) fn with(self, settings: &str) -> Computer {
        Computer { config: settings.to_owned(), ..self }
    }

    fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().expect("below the root")).expect("it can be made");
        fs::write(&path, text).expect("a file can be written");
        path
    }

    fn has(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// How often an installer ran.
    pub(crate) fn runs(&self, name: &str) -> usize {
        let log = fs::read_to_string(self.root.join(format!("opt/{name}.runs")));
        log.map_or(0, |log| log.lines().count())
    }

    /// The system begins another life.
    fn starts(&self, boot: &str) {
        self.write("proc/sys/kernel/random/boot_id", &format!("{boot}\n"));
    }

    pub(crate) fn root(&self) -> &str {
        self.root.to_str().expect("the path is text")
    }

    /// The configuration of its agent.
    pub(crate) fn config(&self, plant: &Plant) -> PathBuf {
        let base = fs::read_to_string(plant.agent_config()).expect("it was written");
        let (root, config) = (self.root(), &self.config);
        let text = format!(
            "{base}[machine]\nroot = \"{root}\"\nform = \"server\"\nnotify = \"\"\n\
             restart = \"{root}/restart.sh {root}\"\nrestart_flags = []\n{config}\n"
        );
        plant.hierarchy.config("agent-of-root", &text)
    }

    pub(crate) fn start_agent(&self, plant: &mut Plant) {
        let process = plant.hierarchy.start(AGENT, &self.config(plant));
        plant.processes.push((AGENT, process));
    }

    /// A script that adds a line per run, and then does `rest`.
    pub(crate) fn script(&self, name: &str, rest: &str) -> PathBuf {
        let text = format!("#!/bin/sh\ncd \"$1/opt\"\necho run >> {name}.runs\n{rest}\n");
        self.write(&format!("media/{name}.sh"), &text)
    }

    /// The same, waiting at its gate in between.
    pub(crate) fn gated(&self, name: &str, rest: &str) -> PathBuf {
        let gate = self.gate(name);
        let made = Command::new("mkfifo").arg(&gate).status().expect("it can be run");
        assert!(made.success());
        self.script(name, &format!("read go < {name}.gate\n{rest}"))
    }

    fn gate(&self, name: &str) -> PathBuf {
        self.root.join(format!("opt/{name}.gate"))
    }

    /// Lets the installer go on that waits, or is about to wait, at its gate.
    pub(crate) fn open(&self, name: &str) {
        fs::write(self.gate(name), "go\n").expect("it can be written");
    }

    /// A package of Debian, made here.
    fn package(&self) -> PathBuf {
        let tree = self.root.join("media/tree");
        self.write("media/tree/usr/share/tierline-real/file", "content\n");
        let control = "Package: tierline-real\nVersion: 1.2-3\nArchitecture: all\n\
                       Maintainer: Nobody <nobody@example.com>\nDescription: sample\n";
        self.write("media/tree/DEBIAN/control", control);
        let file = self.root.join("media/tierline-real_1.2-3_all.deb");
        let mut build = Command::new("/usr/bin/dpkg-deb");
        let built = build.args(["-Zgzip", "--build"]).arg(tree).arg(&file).output();
        let built = built.expect("it can be run");
        assert!(built.status.success(), "{built:?}");
        file
    }
}

impl Plant {
    /// Publishes a file by the command line; answers with the id of the update.
    pub(crate) fn publish(&self, file: &Path, answers: &[&str]) -> String {
        let file = file.to_str().expect("the path is text");
        let command = [&["update", "publish", file], answers].concat();
        text(&self.hierarchy.asked(&command), "id")
    }

    /// Publishes a script that gets `root` as its argument.
    pub(crate) fn publish_script(&self, file: &Path, root: &str, answers: &[&str]) -> String {
        let title = file.file_stem().and_then(|stem| stem.to_str()).expect("the path is text");
        self.publish(file, &[&["--title", title, "--arguments", root], answers].concat())
    }

    /// Deploys updates with a package of their own, required at once.
    pub(crate) fn deploy_all(&self, name: &str, updates: &[&str]) -> String {
        let mut group = vec!["group", "create", name];
        updates.iter().for_each(|update| group.extend(["--update", update]));
        let group = text(&self.hierarchy.asked(&group), "code");
        let create = ["deployment", "create", name, "--group", &group, "--new-package", name];
        text(&self.hierarchy.asked(&create), "id")
    }

    /// Waits until so many distribution points have the one package.
    pub(crate) fn wait_distributed(&self, points: usize) {
        self.hierarchy.wait_until("the points have the package", || {
            let packages = self.hierarchy.asked(&["package", "list"]);
            let Some(package) = packages.as_array().and_then(|rows| rows.first()) else {
                return false;
            };
            let package = self.hierarchy.asked(&["package", "show", &text(package, "code")]);
            package["points"].as_array().is_some_and(|rows| {
                rows.len() == points && rows.iter().all(|row| row["verified"] == true)
            })
        });
    }

    /// What the top says of the one client; nothing before it knows it.
    pub(crate) fn told(&self) -> Option<Value> {
        let clients = self.hierarchy.asked(&["client", "list"]);
        let id = clients.as_array()?.first()?["id"].as_str()?.to_owned();
        Some(self.hierarchy.asked(&["compliance", "client", &id]))
    }

    /// Waits until the top says this of an update of the one client: its state, and its progress
    /// with a code.
    pub(crate) fn wait_told(&self, update: &str, expected: (&str, &str, i32)) -> Value {
        let mut last = None;
        let what = format!("the top is told {expected:?} of {update}");
        self.hierarchy.wait_until(&what, || {
            last = self.told();
            last.as_ref().is_some_and(|told| stands(told, update) == Some(expected_of(expected)))
        });
        last.expect("it was told")
    }

    /// What an agent answers to a verb, for programs; one that has just begun may not answer yet.
    pub(crate) fn agent_says(&self, verb: &[&str]) -> Value {
        let config = self.agent_config();
        let config = config.to_str().expect("the path is text");
        let line = [&["--config", config], verb, &["-o", "json"]].concat();
        let mut answer = None;
        self.hierarchy.wait_until(&format!("the agent answers to {verb:?}"), || {
            let output = self.hierarchy.run(AGENT, &line);
            answer = output.status.success().then_some(output.stdout);
            answer.is_some()
        });
        serde_json::from_slice(&answer.expect("it has answered")).expect("output is JSON")
    }
}

fn expected_of((state, progress, code): (&str, &str, i32)) -> (String, String, i64) {
    (state.to_owned(), progress.to_owned(), code.into())
}

/// State, progress and code of an update in what the top was told.
fn stands(told: &Value, update: &str) -> Option<(String, String, i64)> {
    let row = told["states"].as_array()?.iter().find(|row| row["id"] == update)?;
    Some((text(row, "state"), text(row, "progress"), row["code"].as_i64()?))
}

fn serial(told: &Value) -> u64 {
    told["serial"].as_u64().expect("a number")
}

#[test]
fn every_ending_of_an_installer_is_told_at_the_top_in_order() {
    let mut plant = Plant::new();
    let computer = Computer::new(&plant);
    let package = plant.publish(&computer.package(), &[]);
    // Seen at once, and yet not there before the restart.
    let restarts = computer.gated("restarts", "echo new > restarts.new\nexit 3010");
    let detect = ["--detect", "file=/opt/restarts.new"];
    let restarts = plant.publish_script(&restarts, computer.root(), &detect);
    let fails = computer.gated("fails", "[ -e cure ] || exit 17\necho new > fails.new");
    let fails = plant.publish_script(&fails, computer.root(), &["--detect", "file=/opt/fails.new"]);
    let absent = computer.script("absent", "exit 1");
    let needs = ["--prerequisite", "package=nobody-has-it"];
    let absent = plant.publish_script(&absent, computer.root(), &needs);
    // What is given the least time comes first.
    for (update, minutes) in [(&package, "5"), (&restarts, "6"), (&fails, "7")] {
        let set = ["update-settings", "set", update, "--run-minutes", minutes];
        plant.hierarchy.asked(&set);
    }
    let deployment = plant.deploy_all("Real", &[&package, &restarts, &fails, &absent]);

    plant.wait_distributed(1);
    // Content is out of reach: everything is required, and says why it waits.
    plant.stop(DP);
    computer.start_agent(&mut plant);
    let unreached = ("required", "download_failed", 0x8000_4005_u32.cast_signed());
    for update in [&package, &restarts, &fails] {
        plant.wait_told(update, unreached);
    }
    let told = plant.told().expect("it is known");
    assert_eq!(stands(&told, &absent), None, "{told:#}");
    holds(&told, &json!({ "required": 3, "installed": 0, "unknown": 0, "reason": "" }));
    let mut serials = vec![serial(&told)];

    plant.start(DP);
    let told = plant.wait_told(&package, ("installed", "", 0));
    let installing = Some(expected_of(("required", "installing", 0)));
    for update in [&restarts, &fails] {
        assert_eq!(stands(&told, update), installing, "it is its turn: {told:#}");
    }
    assert_eq!((computer.runs("restarts") <= 1, computer.runs("fails")), (true, 0));
    assert!(computer.has("usr/share/tierline-real/file"), "dpkg put its file there");
    serials.push(serial(&told));
    computer.open("restarts");
    let told = plant.wait_told(&restarts, ("required", "pending_restart", 0));
    assert_eq!(stands(&told, &fails), installing, "{told:#}");
    serials.push(serial(&told));
    computer.open("fails");
    let told = plant.wait_told(&fails, ("required", "failed", 17));
    serials.push(serial(&told));
    let row = told["deployments"].as_array().and_then(|rows| rows.first()).expect("there is one");
    let failed = json!({ "bucket": "error", "compliance": 2, "enforcement": 6, "evaluation": 2, "code": 17 });
    holds(row, &failed);

    // A person starts it again, in vain; then what it lacked is there.
    plant.agent_says(&["install", &fails]);
    let told = plant.wait_told(&fails, ("required", "installing", 0));
    serials.push(serial(&told));
    computer.write("opt/cure", "");
    computer.open("fails");
    let told = plant.wait_told(&fails, ("installed", "", 0));
    serials.push(serial(&told));

    // The restart that the agent asks for ends what waits for it.
    plant.hierarchy.wait_until("the system is told to restart", || computer.has("restarts"));
    plant.stop(AGENT);
    computer.starts("second");
    computer.start_agent(&mut plant);
    let told = plant.wait_told(&restarts, ("installed", "", 0));
    serials.push(serial(&told));
    holds(&told, &json!({ "required": 0, "installed": 3, "unknown": 0 }));
    assert!(serials.is_sorted_by(|a, b| a < b), "each was told by a later message: {serials:?}");
    plant.complied(&deployment);
    let steps = ["package", "restarts", "fails"].map(|name| computer.runs(name));
    assert_eq!(steps, [0, 1, 2]);
    happened_in_order(&plant, [&package, &restarts, &fails]);
    nobody_contradicts(&plant, &told);
    plant.stop(AGENT);
    nothing_is_known_of_news(&plant, &computer, &absent);
}

/// The other two of the four states: nothing was heard since a new update came, and what nobody
/// needs is not required.
fn nothing_is_known_of_news(plant: &Plant, computer: &Computer, absent: &str) {
    let news = plant.publish_script(&computer.script("news", ""), computer.root(), &[]);
    let counts = plant.hierarchy.asked(&["compliance", "update", &news]);
    holds(&counts, &json!({ "unknown": 1, "required": 0, "installed": 0 }));
    let counts = plant.hierarchy.asked(&["compliance", "update", absent]);
    holds(&counts, &json!({ "unknown": 0, "not_required": 1 }));
}

impl Plant {
    /// Waits until the one target of a deployment complies.
    pub(crate) fn complied(&self, deployment: &str) {
        self.hierarchy.wait_until("the top counts the client", || {
            let row = self.hierarchy.asked(&["compliance", "deployment", deployment]);
            row["compliant"] == 1 && row["targeted"] == 1
        });
    }
}

/// The agent's own history has the same order.
fn happened_in_order(plant: &Plant, [package, restarts, fails]: [&String; 3]) {
    let mut history = plant.agent_says(&["history"]);
    let rows = history.as_array_mut().expect("rows");
    rows.reverse();
    let times: Vec<String> = rows.iter().map(|row| text(row, "at")).collect();
    assert!(times.is_sorted(), "{times:?}");
    let installations: Vec<_> = rows.iter().filter(|row| row["kind"] == "installation").collect();
    let installations = Value::from_iter(installations.into_iter().cloned());
    assert_eq!(
        column(&installations, "update"),
        [package, restarts, fails, fails].map(String::as_str)
    );
    assert_eq!(column(&installations, "code"), ["0", "0", "17", "0"]);
}

/// The top's answers and the agent's own agree.
fn nobody_contradicts(plant: &Plant, told: &Value) {
    let status = plant.agent_says(&["status"]);
    for name in ["required", "installed", "unknown"] {
        assert_eq!(status["last_scan"][name], told[name], "{status:#}");
    }
    let states = status["deployments"].clone();
    assert_eq!(column(&states, "state"), ["compliant"]);
}

#[test]
fn an_installer_that_hangs_is_ended_and_told_as_failed() {
    let mut plant = Plant::new();
    let computer = Computer::new(&plant).with("run_time_max = \"2s\"\nstop_grace = \"1s\"");
    let hangs =
        computer.script("hangs", "trap '' TERM\necho $$ > pid\nwhile :; do sleep 1000; done");
    let hangs = plant.publish_script(&hangs, computer.root(), &["--detect", "file=/opt/never"]);
    let deployment = plant.deploy_all("Hangs", &[&hangs]);
    computer.start_agent(&mut plant);
    let told = plant.wait_told(&hangs, ("required", "failed", TIMED_OUT));
    let row = &told["states"][0];
    assert!(!text(row, "meaning").is_empty(), "{row:#}");
    let pid = fs::read_to_string(computer.root.join("opt/pid")).expect("it ran");
    assert!(!Path::new(&format!("/proc/{}", pid.trim())).exists(), "it runs no more");
    let counted = plant.hierarchy.asked(&["compliance", "deployment", &deployment]);
    holds(&counted, &json!({ "failed": 1, "compliant": 0, "targeted": 1 }));
    assert_eq!(computer.runs("hangs"), 1);
}

/// The first point that the agent asks serves other bytes than policy names, the second one serves
/// the right ones.
#[test]
fn content_that_is_altered_at_the_first_point_comes_from_the_second() {
    let mut plant = Plant::new();
    plant.start_second_point();
    let computer = Computer::new(&plant);
    let script = computer.script("twice", "echo new > twice.new");
    let bytes = fs::read(&script).expect("it was written");
    let update =
        plant.publish_script(&script, computer.root(), &["--detect", "file=/opt/twice.new"]);
    let deployment = plant.deploy_all("Twice", &[&update]);
    plant.wait_distributed(2);
    let (first, address) = plant.first_point();
    plant.stop(first);
    let runtime = Runtime::new().expect("a runtime");
    let altered: Vec<u8> = bytes.iter().rev().copied().collect();
    let impostor = runtime.block_on(testkit::content::impostor(&address, altered));
    computer.start_agent(&mut plant);
    plant.complied(&deployment);
    assert_eq!(computer.runs("twice"), 1);
    let refused = format!("http://{address}");
    plant.warned_at_the_top(&refused);
    let refusals = plant.agent_says(&["status"])["refusals"].clone();
    assert_eq!(column(&refusals, "url"), [refused.as_str()], "{refusals:#}");
    drop((impostor, runtime));
}

const DP2: &str = "PR1-DP2";

impl Plant {
    fn start_second_point(&mut self) {
        let (https, http) = (self.hierarchy.at(7552), self.hierarchy.at(7553));
        let config = format!(
            "data = \"{}\"\nname = \"{DP2}\"\nhttps = \"{https}\"\nhttp = \"{http}\"\n\
             url = \"https://{https}\"\nhttp_url = \"http://{http}\"\n",
            self.hierarchy.data("dp2").display(),
        );
        let config = self.hierarchy.config("dp2", &config);
        self.join_role(DP, "dp", &config);
        let process = self.hierarchy.start(DP, &config);
        self.processes.push((DP2, process));
    }

    /// The distribution point that a computer here asks first, and its plain address.
    fn first_point(&self) -> (&'static str, String) {
        let url = self.hierarchy.url(7540);
        let which = ["boundary", "which", "127.0.0.1", "--server", &url];
        let place = self.hierarchy.asked(&which);
        let servers = place["servers"].as_array().expect("rows");
        let points = servers.iter().filter(|server| server["kind"] == "dp");
        let names: Vec<String> = points.map(|point| text(point, "name")).collect();
        assert_eq!(names.len(), 2, "{place:#}");
        match names[0] == DP2 {
            true => (DP2, self.hierarchy.at(7553)),
            false => (DP, self.hierarchy.at(7543)),
        }
    }

    /// Waits until a status message at the top names a server that the client refused.
    pub(crate) fn warned_at_the_top(&self, refused: &str) {
        self.hierarchy.wait_until("the top is warned of the server", || {
            let messages = self.hierarchy.asked(&["status-message", "list"]);
            let names = |row: &Value| row["id"] == 60120 && row["strings"][0] == refused;
            messages.as_array().is_some_and(|rows| rows.iter().any(names))
        });
    }
}
