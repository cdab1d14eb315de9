//! Computers beside each other, each with an agent and a system of its own, and all that their
//! management point heard of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use model::{ClientId, ComplianceState, DeploymentChange, StateChange, StateReport};
use rpc::convert::decode_report;
use rpc::forward::{Next, next};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::harness::{PATIENCE, Process, field, last};
use crate::main_job::{AGENT, Plant};

const GAVE_UP: &str = "gave up";

/// A computer: its system is a directory, and the agent's data a directory in it.
pub(crate) struct Seat {
    pub(crate) root: PathBuf,
    pub(crate) config: PathBuf,
    pub(crate) client: ClientId,
}

impl Seat {
    /// A computer whose agent has joined, with more settings for the agent.
    pub(crate) fn join(plant: &Plant, name: &str, settings: &str) -> Seat {
        let hierarchy = &plant.hierarchy;
        let root = hierarchy.data(name);
        for directory in ["var/lib/dpkg", "etc", "opt"] {
            fs::create_dir_all(root.join(directory)).expect("a directory can be made");
        }
        fs::write(root.join("var/lib/dpkg/status"), "").expect("a file can be written");
        let release = "ID=debian\nVERSION_ID=\"12\"\n";
        fs::write(root.join("etc/os-release"), release).expect("a file can be written");
        let text = format!(
            "data_dir = \"{root}/data\"\nmp_url = \"{}\"\nname = \"{name}\"\n\
             scan_spread = \"0s\"\n{settings}\n\
             [machine]\nroot = \"{root}\"\nform = \"server\"\nnotify = \"\"\n\
             restart = \"/bin/true\"\nrestart_flags = []\n",
            hierarchy.url(7541),
            root = root.display(),
        );
        let config = hierarchy.config(name, &text);
        let (server, mp) = (hierarchy.url(7540), hierarchy.url(7541));
        let token = ["client", "token", "--url", &mp, "--server", &server, "-o", "json"];
        hierarchy.join(AGENT, &config, &field(&hierarchy.tierline(&token), "token"));
        let pki = daemon::Pki::open(&root.join("data")).expect("it has joined");
        let membership = pki.membership().expect("readable").expect("it has joined");
        let client = membership.identity.id.parse().expect("a client's");
        Seat { root, config, client }
    }

    pub(crate) fn start(&self, plant: &Plant) -> Process {
        plant.hierarchy.start(AGENT, &self.config)
    }

    /// An agent, or what it starts, that ends abruptly at `place`.
    pub(crate) fn spawn(&self, plant: &Plant, place: &str) -> Process {
        plant.hierarchy.spawn(AGENT, &self.config, &[("TIERLINE_FAILPOINT", place)])
    }

    /// How often an installer ran.
    pub(crate) fn runs(&self) -> usize {
        let log = fs::read_to_string(self.root.join("opt/runs"));
        log.map_or(0, |log| log.lines().count())
    }

    /// Incarnation, serial of the last message, and how many reports nobody has taken; nothing
    /// before the agent has begun to remember.
    pub(crate) fn remembered(&self) -> Option<(i64, u64, i64)> {
        let path = self.root.join("data/agent.db");
        let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).ok()?;
        database.busy_timeout(PATIENCE).ok()?;
        let sql = "SELECT incarnation, serial, (SELECT count(*) FROM report) FROM record";
        database.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).ok()
    }

    /// What the top says of it, once it has heard everything that there is to hear.
    pub(crate) fn told(&self, plant: &Plant) -> Option<Value> {
        let client = self.client.to_string();
        let line = ["compliance", "client", &client, "-o", "json"];
        let output = plant.hierarchy.run("tierline", &line);
        let told =
            output.status.success().then(|| last(&String::from_utf8_lossy(&output.stdout)))?;
        let (_, serial, unsent) = self.remembered()?;
        (unsent == 0 && told["serial"] == serial).then_some(told)
    }
}

/// An installer of all seats: it adds a line for each run, and then does `rest`.
pub(crate) fn script(rest: &str) -> String {
    format!("#!/bin/sh\ncd ../../../opt || exit 9\necho run >> runs\n{rest}\n")
}

/// Whatever the management point hears from now on is written down.
pub(crate) fn listen(plant: &Plant) {
    let sql = "CREATE TABLE heard (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
               CREATE TRIGGER hears AFTER INSERT ON entry
               BEGIN INSERT INTO heard (body) VALUES (NEW.body); END";
    spool(plant).execute_batch(sql).expect("it is taken");
}

fn spool(plant: &Plant) -> Connection {
    let spool = Connection::open(plant.hierarchy.data("mp").join("spool.db")).expect("it opens");
    spool.busy_timeout(PATIENCE).expect("it is set");
    spool
}

/// Every message of a client as its site counts them, in their order. Each report begins where the
/// last one ended, or nothing would be known to be whole.
pub(crate) fn messages(plant: &Plant, client: ClientId) -> Vec<String> {
    let reports = reports(plant, client);
    let mut last = 0;
    for report in &reports {
        assert_eq!(report.serial_from, last + 1, "nothing is missing: {reports:#?}");
        assert_eq!(report.full, last == 0, "everything is said once: {reports:#?}");
        last = report.serial_to;
    }
    reports.iter().flat_map(said).collect()
}

/// How a client stands in the end, and what it has given up, each time that it said so. A version
/// of the agent that is on trial says everything, in place of what nobody had taken before.
pub(crate) fn outcome(plant: &Plant, client: ClientId) -> Vec<String> {
    let reports = reports(plant, client);
    let (mut stands, mut last) = (BTreeMap::new(), 0);
    for report in &reports {
        assert!(report.full || report.serial_from == last + 1, "nothing is missing: {reports:#?}");
        last = report.serial_to;
        if report.full {
            stands.clear();
        }
        let messages = said(report).into_iter().filter(|message| !message.starts_with(GAVE_UP));
        let keyed = messages.map(|message| {
            let (key, state) = message.split_once(' ').expect("an id and a state");
            (key.to_owned(), state.to_owned())
        });
        stands.extend(keyed);
    }
    let given_up = reports.iter().flat_map(said).filter(|message| message.starts_with(GAVE_UP));
    stands.into_iter().map(|(key, state)| format!("{key} {state}")).chain(given_up).collect()
}

/// What a client has said. A report comes again if its receipt was lost, under the same serials;
/// then it is the same, and no message of its own.
fn reports(plant: &Plant, client: ClientId) -> Vec<StateReport> {
    let spool = spool(plant);
    let mut heard = spool.prepare("SELECT body FROM heard ORDER BY id").expect("good SQL");
    let bodies = heard.query_map([], |row| row.get::<_, Vec<u8>>(0)).expect("rows");
    let mut reports: Vec<StateReport> = Vec::new();
    for body in bodies {
        let Some(Next::Submit { request, .. }) = next(vec![(1, body.expect("a row"))]) else {
            continue;
        };
        let report = decode_report(&request.reports[0]).expect("agents write it");
        if report.client != client {
            continue;
        }
        match reports.iter().find(|before| before.serial_from == report.serial_from) {
            Some(before) => assert_eq!(before, &report, "the same once more"),
            None => reports.push(report),
        }
    }
    reports
}

/// What a report says, but for when.
fn said(report: &StateReport) -> Vec<String> {
    let updates = report.changes.iter().map(|StateChange { update, state, .. }| {
        let (id, revision) = (update.id, update.revision);
        let step = state.enforcement.filter(|_| state.state == ComplianceState::Required);
        let step = step.map_or(String::new(), |(step, code)| {
            format!(" topic 402 state {} code {code}", step as u8)
        });
        format!("{id} {revision} topic 500 state {}{step}", state.state as u8)
    });
    let deployments = report.deployments.iter().map(|DeploymentChange { deployment, state }| {
        let state = state.map(|state| {
            let enforcement = state.enforcement.map_or(0, |step| step.number());
            format!(
                "topic 300 state {} topic 301 state {enforcement} topic 302 state {} code {}",
                state.compliance.number(),
                state.evaluation.number(),
                state.code
            )
        });
        format!("{deployment} {}", state.unwrap_or_else(|| "is gone".to_owned()))
    });
    let given_up = report.given_up.iter().map(|given| format!("{GAVE_UP} {}", given.version));
    updates.chain(deployments).chain(given_up).collect()
}
