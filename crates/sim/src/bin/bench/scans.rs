//! New computers that scan catalogs of several sizes, beside nginx that serves the same bytes.
//!
//! Owns the catalogs, one scan that is written down step by step, and its repetition by many
//! callers, against the update point and, with the same requests, against nginx. Fails if a scan
//! takes more steps than it may, or if an answer differs from the one written down.

use std::path::Path;
use std::sync::Arc;

use ambient::Ambient;
use anyhow::{Result, ensure};
use model::error_chain;
use software_update_point::{Config, Deps, INSTALLED_MAX, PlainHttp, Ports, SoftwareUpdatePoint};
use sqlite_engine::{Durability, Executor, Options};
use testkit::facts::Computer;
use testkit::sample::large;
use testkit::windows::{Agent, Documents, Scan, Setup};
use tokio_util::sync::CancellationToken;
use transport::{TcpConnect, TcpListen};
use update_catalog::limits::BATCH_DOCUMENTS_MAX;
use update_catalog::{Batch, Catalog};
use wsus_protocol::client::SyncUpdates;
use wsus_protocol::{Message as _, encode};

use crate::child::{self, Server};
use crate::import::fresh_directory;
use crate::load::{self, Caller, Question, Served};
use crate::machine::{self, Spread};
use crate::peer::Nginx;

pub(crate) const SERVE: &str = "serve";
const SIZES: [usize; 3] = [10_000, 50_000, 100_000];
const CALLERS: usize = 8;
/// Requests of one run.
const ASKED: usize = 800;
/// After one that does not count.
const RUNS: usize = 5;
/// What a computer's scan of 25,000 updates may take (the native client gives up after 200).
const FEW: (usize, usize) = (25_000, 60);

pub(crate) async fn run() -> Result<()> {
    println!("\n## Scans\n");
    few_steps().await?;
    println!(
        "\n| updates | steps | MB | ours, 1/s | nginx, 1/s | ours, p99 ms | nginx, p99 ms \
              | share of nginx's rate | ours, ms of processor | nginx's | machine |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |");
    for size in SIZES {
        compare(size).await?;
    }
    Ok(())
}

/// A complete scan, with its evaluation, of a catalog that is large, but not larger than real ones.
async fn few_steps() -> Result<()> {
    let (updates, steps_max) = FEW;
    let directory = fresh_directory()?;
    fill(directory.path(), texts(updates)).await?;
    let server = Server::start(&[SERVE, path_of(directory.path())])?;
    let mut agent = computer(&server);
    let scan = agent.scan().await?;
    let Scan { requests, received, .. } = scan;
    let rescan = agent.scan().await?;
    println!(
        "{updates} updates: {requests} requests, {} MB; again: {} request, {} bytes",
        received / 1_000_000,
        rescan.requests,
        rescan.received
    );
    ensure!(scan.new > updates && requests < steps_max, "{scan:?}");
    ensure!(rescan.requests == 1 && rescan.received < 1_024, "{rescan:?}");
    Ok(())
}

fn computer(server: &Server) -> Agent {
    let ambient = Ambient::system();
    Agent::new(Setup {
        url: format!("http://{}", server.address),
        client: ambient.random_id(),
        dns_name: "pc1.example.com".to_owned(),
        computer: Computer::new(0),
        ambient,
        documents: Documents::default(),
    })
}

async fn compare(updates: usize) -> Result<()> {
    let directory = fresh_directory()?;
    fill(directory.path(), texts(updates)).await?;
    let server = Server::start(&[SERVE, path_of(directory.path())])?;
    let nginx = Nginx::start().await?;
    let (questions, to_nginx) = write_down(&server, &nginx).await?;
    let steps = questions.len();
    let bytes: usize = questions.iter().map(|q| q.request.len() + q.answer).sum();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let (ours_id, nginx_id) = (server.id().to_string(), nginx.worker()?);
    for _ in 0..=RUNS {
        ours.push(measure(&ours_id, server.address, &questions).await?);
        theirs.push(measure(&nginx_id, nginx.address, &to_nginx).await?);
    }
    let spread = |runs: &[(Served, f64)], value: fn(&(Served, f64)) -> f64| -> Spread {
        runs[1..].iter().map(value).collect()
    };
    let shares = ours.iter().zip(&theirs).skip(1).map(|((a, _), (b, _))| a.rate / b.rate);
    println!(
        "| {updates} | {steps} | {} | {:.0} | {:.0} | {:.0} | {:.1} | {:.2} | {:.2} | {:.2} | {} |",
        bytes / 1_000_000,
        spread(&ours, |(served, _)| served.rate),
        spread(&theirs, |(served, _)| served.rate),
        spread(&ours, |(served, _)| served.p99),
        spread(&theirs, |(served, _)| served.p99),
        shares.collect::<Spread>(),
        spread(&ours, |(_, cpu)| *cpu),
        spread(&theirs, |(_, cpu)| *cpu),
        machine::load()?
    );
    Ok(())
}

/// With the processor time of a request, in milliseconds.
async fn measure(
    process: &str,
    address: std::net::SocketAddr,
    questions: &Arc<Vec<Question>>,
) -> Result<(Served, f64)> {
    let before = machine::cpu_seconds(process)?;
    let asked = ASKED.max(questions.len() * 2);
    let served = load::serve(address, questions, (CALLERS, asked)).await?;
    let cpu = machine::cpu_seconds(process)? - before;
    Ok((served, cpu * 1_000.0 / asked as f64))
}

/// Lets a computer scan, keeps what it asks and is answered, and gives the answers to nginx.
async fn write_down(
    server: &Server,
    nginx: &Nginx,
) -> Result<(Arc<Vec<Question>>, Arc<Vec<Question>>)> {
    let mut agent = computer(server);
    let mut caller = Caller::connect(server.address).await?;
    // Everything before the first step.
    agent.sync(|agent| agent.held()).await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let (path, action) = (SyncUpdates::OPERATION.path(), SyncUpdates::OPERATION.soap_action());
    loop {
        let request = SyncUpdates { cookie: agent.cookie().cloned(), parameters: agent.held() };
        let body = encode(&request).into_bytes();
        let request = load::post(path, &action, &body);
        let mut text = Vec::new();
        let answer = caller.ask(&request, |part| text.extend_from_slice(part)).await?;
        let name = format!("/{}.xml", theirs.len());
        std::fs::write(nginx.files().join(&name[1..]), &text)?;
        theirs.push(Question { request: load::post(&name, &action, &body), answer });
        ours.push(Question { request, answer });
        let info = agent.step().await?;
        if !info.is_truncated && info.new.iter().all(|new| new.is_leaf) {
            return Ok((Arc::new(ours), Arc::new(theirs)));
        }
    }
}

/// A complete catalog where the update point expects it.
pub(crate) async fn fill(
    directory: &Path,
    mut documents: impl Iterator<Item = String>,
) -> Result<()> {
    let options = Options { executor: Executor::Thread, durability: Durability::Normal };
    let path = directory.join("catalog.db");
    let catalog = Catalog::open(&path, Ambient::system().random_id(), options)?;
    loop {
        let documents: Vec<String> = documents.by_ref().take(BATCH_DOCUMENTS_MAX).collect();
        if documents.is_empty() {
            break;
        }
        let imported = catalog.import(Batch { documents, ..Batch::default() }).await?;
        ensure!(imported.rejected.is_empty(), "{:?}", imported.rejected);
    }
    catalog.complete_version(1).await?;
    catalog.close().await;
    Ok(())
}

/// A catalog of so many updates, as its bytes.
pub(crate) fn texts(updates: usize) -> impl Iterator<Item = String> {
    large(updates).map(|document| document.to_xml())
}

/// An update point of its own, until it is killed.
pub(crate) async fn serve(data: &str) -> Result<()> {
    let listener = TcpListen::bind("127.0.0.1:0").await?;
    child::tell_address(&listener.local_address().to_string())?;
    let config = Config {
        name: "sup.example.com".to_owned(),
        data: data.into(),
        plain_http: PlainHttp::All,
        installed_max: INSTALLED_MAX,
        outside: Default::default(),
        following: Default::default(),
        executor: Executor::Thread,
    };
    let (ambient, connect) = (Ambient::system(), Arc::new(TcpConnect));
    let deps = Deps { ambient, connect, credentials: None, site: None };
    let point = SoftwareUpdatePoint::new(config, deps).await?;
    let ports = Ports {
        https: None,
        http: Some(Box::new(listener)),
        operations: axum::Router::new(),
        revoked: Arc::new(|_| false),
    };
    let ended = point.run(ports, CancellationToken::new()).await;
    ended.map_err(|error| anyhow::anyhow!(error_chain(&error)))
}

pub(crate) fn path_of(directory: &Path) -> &str {
    directory.to_str().expect("a path of our own is text")
}
