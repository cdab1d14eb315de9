//! Servers in the wrong hands, and a real agent that meets them: it refuses what they serve, says
//! so at the site, answers whoever asks it, keeps within its memory, and goes on with the first
//! honest answer.

use std::convert::Infallible;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Response;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use model::SiteCode;
use rusqlite::{Connection, params};
use serde_json::Value;
use testkit::pki::Pki;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use transport::{Credentials, Limits, Server, TcpListen};
use trust::Purpose;

use crate::agent_real::Computer;
use crate::harness::{PATIENCE, text};
use crate::main_job::{AGENT, DP, MP, Plant};

/// The most memory that the agent ever has, in KiB.
pub(crate) const MEMORY_KIB_MAX: u64 = 64 << 10;

const PIECE: Bytes = Bytes::from_static(&[0x5a; 64 << 10]);

/// A server that answers everything in its own way, and counts how often it was asked.
pub(crate) struct Impostor {
    runtime: Runtime,
    tasks: JoinSet<()>,
    asked: Arc<AtomicUsize>,
}

type Answer = fn() -> Response<Body>;

impl Impostor {
    pub(crate) fn new(
        address: &str,
        credentials: Option<Credentials>,
        answer: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static,
    ) -> Impostor {
        let runtime = Runtime::new().expect("a runtime");
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let router = Router::new().fallback(async move || {
            count.fetch_add(1, Ordering::SeqCst);
            answer()
        });
        let listener = runtime.block_on(TcpListen::bind(address)).expect("the address is free");
        let (limits, revoked) = (Limits::default(), Arc::new(|_: &_| false));
        let server = Server { router, credentials, limits, revoked };
        let mut tasks = JoinSet::new();
        let serve = async move {
            server.run(Box::new(listener), CancellationToken::new()).await.expect("serves");
        };
        tasks.spawn_on(serve, runtime.handle());
        Impostor { runtime, tasks, asked }
    }

    fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst) > 0
    }

    pub(crate) fn end(self) {
        drop(self.tasks);
        // Its address is free only when this has returned.
        self.runtime.shutdown_timeout(PATIENCE);
    }
}

fn answer(status: u16, headers: &[(axum::http::HeaderName, &str)], body: Body) -> Response<Body> {
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(name, *value);
    }
    answer.body(body).expect("a good answer")
}

/// It does not end.
fn endless(first: &'static [u8]) -> Body {
    let first = std::iter::once(Bytes::from_static(first));
    let pieces = first.chain(std::iter::repeat(PIECE)).map(Ok::<_, Infallible>);
    Body::from_stream(futures_util::stream::iter(pieces))
}

fn calls_no_protocol() -> Response<Body> {
    answer(200, &[(CONTENT_TYPE, "application/grpc")], Body::from("<html>welcome</html>"))
}

/// A message of four gigabytes begins.
fn calls_too_much() -> Response<Body> {
    answer(200, &[(CONTENT_TYPE, "application/grpc")], endless(&[0, 0xff, 0xff, 0xff, 0xff]))
}

/// A whole message of bytes that mean nothing.
fn calls_nonsense() -> Response<Body> {
    let body = Body::from(&[0, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff][..]);
    answer(200, &[(CONTENT_TYPE, "application/grpc")], body)
}

fn gives_a_hundred_gigabytes() -> Response<Body> {
    let headers = [(CONTENT_LENGTH, "107374182400")];
    answer(200, &headers, endless(&[]))
}

/// As much, without saying so.
fn gives_without_end() -> Response<Body> {
    answer(200, &[], endless(&[]))
}

fn leads_elsewhere() -> Response<Body> {
    let elsewhere = [(LOCATION, "http://127.0.0.1:1/content/sha256/evil")];
    answer(302, &elsewhere, Body::empty())
}

/// The most memory that a process has had so far.
pub(crate) fn peak_kib(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("it runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|line| line.trim().strip_suffix(" kB")).expect("there is one");
    peak.trim().parse().expect("a number")
}

impl Plant {
    /// Ends the agent, which has kept within its memory and was well.
    pub(crate) fn stop_well(&mut self) {
        self.agent_says(&["status"]);
        let peak = peak_kib(self.process(AGENT).id());
        assert!(peak < MEMORY_KIB_MAX, "the agent had {peak} KiB");
        self.stop(AGENT);
    }

    /// Why the agent refused a server.
    fn refusal(&self, url: &str) -> Option<String> {
        let status = self.agent_says(&["status"]);
        let refusals = status["refusals"].as_array().expect("rows").iter();
        let refusal = refusals.rev().find(|row: &&Value| row["url"] == url)?;
        Some(text(refusal, "reason"))
    }

    fn wait_refused(&self, url: &str) -> String {
        let mut reason = None;
        self.hierarchy.wait_until("the agent refuses the server", || {
            reason = self.refusal(url);
            reason.is_some()
        });
        reason.expect("it was refused")
    }

    fn policy(&self) -> Connection {
        let path: PathBuf = self.hierarchy.data("mp").join("policy.db");
        Connection::open(path).expect("it opens")
    }

    /// What the agent says of a head that the stopped management point serves from now on.
    fn refuses_head(&mut self, computer: &Computer, head: &Head) -> String {
        let sql =
            "UPDATE head SET version = version + 1, head = ?1, signature = ?2, key_statement = ?3";
        let altered =
            self.policy().execute(sql, params![head.head, head.signature, head.statement]);
        assert_eq!(altered, Ok(1));
        self.start(MP);
        computer.start_agent(self);
        let reason = self.wait_refused(&self.hierarchy.url(7541));
        self.warned_at_the_top(&self.hierarchy.url(7541));
        self.stop_well();
        self.stop(MP);
        reason
    }
}

/// Policy as a management point has it.
#[derive(Clone)]
struct Head {
    head: Vec<u8>,
    signature: Vec<u8>,
    statement: Vec<u8>,
}

impl Head {
    fn of(plant: &Plant) -> Head {
        let sql = "SELECT head, signature, key_statement FROM head";
        let row = |row: &rusqlite::Row<'_>| {
            Ok(Head { head: row.get(0)?, signature: row.get(1)?, statement: row.get(2)? })
        };
        plant.policy().query_row(sql, [], row).expect("there is one client")
    }

    /// By a site of another hierarchy.
    fn signed_by_a_stranger(self) -> Head {
        let stranger = Pki::new(&ambient::Ambient::system());
        let keys = stranger.site(SiteCode::new("PR1").expect("a good code"));
        let signature = keys.signer.sign(Purpose::PolicyHead, &self.head);
        Head { signature, statement: keys.statement, ..self }
    }
}

#[test]
fn a_hostile_management_point_is_refused_and_told_of() {
    let mut plant = Plant::new();
    let computer = Computer::new(&plant);
    let fix = computer.script("fix", "echo new > fix.new");
    let fix = plant.publish_script(&fix, computer.root(), &["--detect", "file=/opt/fix.new"]);
    let deployment = plant.deploy_all("Fix", &[&fix]);
    plant.wait_distributed(1);
    plant.stop(DP);
    computer.start_agent(&mut plant);
    plant.process(AGENT).wait_for("deployments=1");
    let older = Head::of(&plant);
    plant.hierarchy.tierline(&["deployment", "disable", &deployment]);
    plant.process(AGENT).wait_for("deployments=0");
    let url = plant.hierarchy.url(7541);
    plant.stop_well();
    plant.stop(MP);

    let newest = Head::of(&plant);
    let unsigned = Head { signature: Vec::new(), ..newest.clone() };
    let stranger = newest.clone().signed_by_a_stranger();
    for (head, reason) in [
        (unsigned, "signature"),
        (stranger, "its signing key is not believed"),
        (older, "is in effect already"),
    ] {
        let said = plant.refuses_head(&computer, &head);
        assert!(said.contains(reason), "{said}");
    }

    let pki = daemon::Pki::open(&plant.hierarchy.data("mp")).expect("it has joined");
    let answers: [Answer; 3] = [calls_no_protocol, calls_too_much, calls_nonsense];
    for answer in answers {
        let own = pki.credentials(&ambient::Ambient::system()).expect("readable");
        let impostor = Impostor::new(&plant.hierarchy.at(7541), own, answer);
        computer.start_agent(&mut plant);
        plant.wait_refused(&url);
        plant.stop_well();
        impostor.end();
    }

    plant.start(MP);
    plant.start(DP);
    computer.start_agent(&mut plant);
    plant.hierarchy.tierline(&["deployment", "enable", &deployment]);
    plant.complied(&deployment);
    assert_eq!(computer.runs("fix"), 1);
    plant.stop_well();
}

#[test]
fn a_hostile_distribution_point_is_refused_and_told_of() {
    let mut plant = Plant::new();
    let computer = Computer::new(&plant);
    let fix = computer.script("fix", "echo new > fix.new");
    let fix = plant.publish_script(&fix, computer.root(), &["--detect", "file=/opt/fix.new"]);
    let deployment = plant.deploy_all("Fix", &[&fix]);
    plant.wait_distributed(1);
    let (address, digest) = (plant.hierarchy.at(7543), 0x8009_1007_u32.cast_signed());
    let url = format!("http://{address}");
    plant.stop(DP);
    let answers: [(Answer, &str); 3] = [
        (gives_a_hundred_gigabytes, "announces 107374182400 bytes"),
        (gives_without_end, "larger than"),
        (leads_elsewhere, "127.0.0.1:1"),
    ];
    for (answer, reason) in answers {
        let impostor = Impostor::new(&address, None, answer);
        computer.start_agent(&mut plant);
        let said = plant.wait_refused(&url);
        assert!(said.contains(reason) && impostor.is_asked(), "{said}");
        plant.wait_told(&fix, ("required", "download_failed", digest));
        plant.stop_well();
        impostor.end();
    }
    plant.warned_at_the_top(&url);
    assert_eq!(computer.runs("fix"), 0, "nothing was run");
    plant.start(DP);
    computer.start_agent(&mut plant);
    plant.complied(&deployment);
    assert_eq!(computer.runs("fix"), 1);
    plant.stop_well();
}
