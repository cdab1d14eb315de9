//! Processes of one hierarchy in one directory, on a loopback address of their own.
//!
//! The address is drawn from the process id and a counter, so that tests run side by side with the documented
//! ports and without asking the system for free ones.

use std::io::{BufRead as _, BufReader};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use model::SiteKind;
use site_db::{Executor, Identity, SiteDb};
use tempfile::TempDir;

/// Lines of a log that nobody has read yet; a process that says more than this waits.
const LINES_MAX: usize = 100_000;

/// Nothing here takes this long unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A directory with everything of one hierarchy.
pub(crate) struct Hierarchy {
    pub(crate) dir: TempDir,
    address: Ipv4Addr,
}

/// A running process; killed when dropped.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    name: String,
}

pub(crate) fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test runs from a file");
    let target = test.ancestors().nth(2).expect("tests are below target/<profile>/deps");
    let path = target.join(name);
    assert!(path.exists(), "{} is not built; run `cargo xtask test`", path.display());
    path
}

impl Hierarchy {
    pub(crate) fn new() -> Hierarchy {
        static MADE: AtomicU8 = AtomicU8::new(1);
        let [_, _, a, b] = std::process::id().to_be_bytes();
        Hierarchy {
            dir: TempDir::new().expect("a temporary directory can be made"),
            address: Ipv4Addr::new(127, a | 128, b, MADE.fetch_add(1, Ordering::Relaxed)),
        }
    }

    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn at(&self, port: u16) -> String {
        format!("{}:{port}", self.address)
    }

    pub(crate) fn url(&self, port: u16) -> String {
        format!("https://{}", self.at(port))
    }

    /// Writes the configuration of a site and answers with its path.
    pub(crate) fn site_config(&self, code: &str, port: u16) -> PathBuf {
        let data = self.data(code);
        let text = format!(
            "data = \"{}\"\nlisten = \"{}\"\n\n[site]\ncode = \"{code}\"\nname = \"site-{code}\"\n",
            data.display(),
            self.at(port)
        );
        self.config(code, &text)
    }

    pub(crate) fn config(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(format!("{name}.toml"));
        std::fs::write(&path, text).expect("a file can be written");
        path
    }

    /// Starts a server and waits until it listens.
    pub(crate) fn start(&self, program: &str, config: &Path) -> Process {
        let mut process = self.spawn(program, config, &[]);
        // An agent listens to nobody.
        process.wait_for(if program == "tierline-agent" { "started" } else { "listens" });
        process
    }

    /// Starts a server, with more environment.
    pub(crate) fn spawn(
        &self,
        program: &str,
        config: &Path,
        environment: &[(&str, &str)],
    ) -> Process {
        let mut command = Command::new(binary(program));
        command.arg("--config").arg(config).envs(environment.iter().copied());
        command.env("RUST_LOG", "info").stderr(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().expect("the binary starts");
        let stderr = child.stderr.take().expect("stderr is piped");
        let (sender, lines) = sync_channel(LINES_MAX);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Process { child, lines, seen: Vec::new(), name: program.to_owned() }
    }

    /// Runs a program to its end.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Output {
        Command::new(binary(program))
            .args(arguments)
            .env("XDG_CONFIG_HOME", self.dir.path().join("config"))
            .output()
            .expect("the binary starts")
    }

    /// Runs a command of an operator that has to succeed; answers with what it printed.
    pub(crate) fn tierline(&self, arguments: &[&str]) -> String {
        let output = self.run("tierline", arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tierline {arguments:?}: {error}");
        String::from_utf8(output.stdout).expect("output is text")
    }

    /// The same for programs: answers with the JSON that it ended with.
    pub(crate) fn asked(&self, arguments: &[&str]) -> serde_json::Value {
        last(&self.tierline(&[arguments, &["-o", "json"]].concat()))
    }

    /// A command that has to fail; answers with what it said.
    pub(crate) fn refused(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.run(program, arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{program} {arguments:?} was not refused");
        error
    }

    /// Logs the first administrator in at the top-level site.
    pub(crate) fn login(&self, top: &str, port: u16) {
        let token = self.data(top).join("pki/admin.token");
        let token = token.to_str().expect("the path is text");
        self.tierline(&["login", "--server", &self.url(port), "--token-file", token]);
    }

    /// A token for a site, made at the top.
    pub(crate) fn site_token(&self, code: &str, kind: &str, parent: &str) -> String {
        let mut arguments = vec!["site", "token", code, "--kind", kind, "-o", "json"];
        if kind == "secondary" {
            arguments.extend(["--parent", parent]);
        }
        field(&self.tierline(&arguments), "token")
    }

    pub(crate) fn join(&self, program: &str, config: &Path, token: &str) {
        let config = config.to_str().expect("the path is text");
        let output = self.run(program, &["--config", config, "join", token]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} join: {error}");
    }

    /// Starts and joins CAS, PR1 below it and SE1 below that.
    pub(crate) fn three_sites(&self) -> [Process; 3] {
        let cas = self.start("tierline-central", &self.site_config("CAS", 7440));
        self.login("CAS", 7440);
        let config = self.site_config("PR1", 7540);
        self.join("tierline-primary", &config, &self.site_token("PR1", "primary", "CAS"));
        let pr1 = self.start("tierline-primary", &config);
        self.wait_in_sync(7440);
        let config = self.site_config("SE1", 7640);
        self.join("tierline-secondary", &config, &self.site_token("SE1", "secondary", "PR1"));
        let se1 = self.start("tierline-secondary", &config);
        self.wait_in_sync(7540);
        [cas, pr1, se1]
    }

    /// Looks again and again until it is so; each look is a command that takes its time.
    pub(crate) fn wait_until(&self, what: &str, mut look: impl FnMut() -> bool) {
        let clock = ambient::Ambient::system();
        let until = clock.now_ms() + i64::try_from(PATIENCE.as_millis()).expect("a minute");
        while !look() {
            assert!(clock.now_ms() < until, "waited in vain: {what}");
            std::thread::yield_now();
        }
    }

    /// Waits until every link of a site is active and nothing is behind.
    pub(crate) fn wait_in_sync(&self, port: u16) {
        let url = self.url(port);
        let timeout = PATIENCE.as_secs().to_string() + "s";
        let wait = ["replication", "status", "--wait", "--timeout", &timeout, "--server", &url];
        self.tierline(&wait);
    }

    /// Every stream of a site by name, with position and digest.
    pub(crate) fn streams(&self, port: u16) -> Vec<serde_json::Value> {
        let url = self.url(port);
        let text = self.tierline(&["replication", "verify", "--server", &url, "-o", "json"]);
        rows(&text)
    }
}

impl Process {
    /// Waits for a line of the log.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                let log = self.seen.join("\n");
                panic!("{} never said \"{text}\":\n{log}", self.name);
            };
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Waits until the process has ended by itself.
    pub(crate) fn wait_end(&mut self) -> std::process::ExitStatus {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.seen.push(line),
                // The log is closed: the process has ended.
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{} did not end:\n{}", self.name, self.seen.join("\n"))
                }
            }
        }
        self.child.wait().expect("the process was started here")
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// As abrupt as a power cut.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("the process was started here");
        self.child.wait().expect("the process was started here");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already ended processes cannot be killed; that is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn rows(json: &str) -> Vec<serde_json::Value> {
    let value: serde_json::Value = serde_json::from_str(json).expect("output is JSON");
    match value {
        serde_json::Value::Array(rows) => rows,
        serde_json::Value::Object(mut object) => match object.remove("rows") {
            Some(serde_json::Value::Array(rows)) => rows,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

pub(crate) fn field(json: &str, name: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).expect("output is JSON");
    text(&value, name)
}

/// What a command ended with; what it told before, while it waited, came first.
pub(crate) fn last(output: &str) -> serde_json::Value {
    let values = serde_json::Deserializer::from_str(output).into_iter();
    values.last().expect("something was printed").expect("output is JSON")
}

pub(crate) fn text(value: &serde_json::Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value:#}")).to_owned()
}

/// The same column of all rows.
pub(crate) fn column(rows: &serde_json::Value, name: &str) -> Vec<String> {
    let rows = rows.as_array().unwrap_or_else(|| panic!("no list: {rows:#}"));
    rows.iter().map(|row| text(row, name)).collect()
}

/// Checks that an answer holds this, whatever else is in it.
#[track_caller]
pub(crate) fn holds(value: &serde_json::Value, expected: &serde_json::Value) {
    for (name, expected) in expected.as_object().expect("fields are expected") {
        assert_eq!(value[name], *expected, "{name} of {value:#}");
    }
}

/// The database of a stopped site, opened as the site would.
pub(crate) fn offline(hierarchy: &Hierarchy, code: &str) -> SiteDb {
    let data = hierarchy.data(code);
    let pki = daemon::Pki::open(&data).expect("the site has joined");
    let membership = pki.membership().expect("readable").expect("the site has joined");
    let owner = model::Owner {
        code: membership.identity.site,
        uuid: membership.site_uuid.expect("a site has one"),
    };
    let parent = membership.parent.as_ref().map(|parent| parent.site);
    let kind = if parent.is_none() { SiteKind::Central } else { SiteKind::Primary };
    let identity = Identity { hierarchy: membership.identity.hierarchy, owner, kind, parent };
    let ambient = ambient::Ambient::system();
    let signer = pki.signing_key(&ambient).expect("readable");
    let anchor = pki.anchor().expect("readable").expect("the site has joined");
    let path = data.join("site.db");
    SiteDb::open(&path, Executor::Inline, identity, (signer, anchor), ambient).expect("it opens")
}
