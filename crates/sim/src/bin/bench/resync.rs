//! What it costs a server below to synchronize when nothing has changed.
//!
//! Owns an update point in a process of its own, another one here that follows it, and the count
//! of what that asks. Fails if anything is written though there is nothing new.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use ambient::Ambient;
use anyhow::{Result, bail, ensure};
use axum::http::Uri;
use rusqlite::{Connection, OpenFlags};
use software_update_point::{
    Config, Deps, Following, INSTALLED_MAX, PlainHttp, Ports, SoftwareUpdatePoint,
};
use sqlite_engine::Executor;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use transport::{BoxFuture, BoxStream, Connect, TcpConnect};

use crate::child::Server;
use crate::import::fresh_directory;
use crate::machine::{self, Spread};
use crate::scans::{SERVE, fill, path_of, texts};

const UPDATES: usize = 100_000;
/// Of so many synchronizations without news each, after one that does not count.
const RUNS: usize = 5;
const AT_ONCE: u64 = 20;
/// Each asks who may ask, for two cookies, the configuration and two lists, each by a connection.
const QUESTIONS: u64 = 6;

/// Counts connections, of which there is one for each question.
#[derive(Debug, Default)]
struct Counted {
    connections: AtomicU64,
}

impl Connect for Counted {
    fn connect<'a>(&'a self, url: &'a Uri) -> BoxFuture<'a, std::io::Result<BoxStream>> {
        self.connections.fetch_add(1, Ordering::Relaxed);
        TcpConnect.connect(url)
    }
}

pub(crate) async fn run() -> Result<()> {
    println!("\n## Synchronizing when nothing is new\n");
    let (above, below) = (fresh_directory()?, fresh_directory()?);
    fill(above.path(), texts(UPDATES)).await?;
    let server = Server::start(&[SERVE, path_of(above.path())])?;
    let connect = Arc::new(Counted::default());
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    let started = Instant::now();
    let url = format!("http://{}", server.address);
    running.spawn(follow(below.path().to_owned(), url, connect.clone(), stop.clone()));
    wait_for(&mut running, || is_complete(below.path())).await?;
    let first = started.elapsed().as_secs_f64();
    let asked = || connect.connections.load(Ordering::Relaxed);
    let (requests, files) = (asked(), written(below.path())?);
    let mut took = Vec::new();
    for _ in 0..=RUNS {
        let (started, from) = (Instant::now(), asked());
        wait_for(&mut running, || asked() >= from + QUESTIONS * AT_ONCE).await?;
        took.push(started.elapsed().as_secs_f64() * 1_000.0 / AT_ONCE as f64);
    }
    ensure!(written(below.path())? == files, "the catalog was written to for nothing new");
    stop.cancel();
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    let took: Spread = took.into_iter().skip(1).collect();
    println!("| {UPDATES} updates, {RUNS} times {AT_ONCE} runs | median (min–max) |");
    println!("| --- | ---: |");
    println!("| the first synchronization, s | {first:.1} |");
    println!("| its requests | {requests} |");
    println!("| one without news, ms | {took:.1} |");
    println!("| its requests | {QUESTIONS} |");
    println!("| bytes it writes to the catalog | 0 |");
    println!("| machine | {} |", machine::load()?);
    Ok(())
}

/// An update point that synchronizes again and again, until `stop`.
async fn follow(
    data: PathBuf,
    url: String,
    connect: Arc<Counted>,
    stop: CancellationToken,
) -> Result<()> {
    let following = Following { url, every: Duration::ZERO, ..Following::default() };
    let config = Config {
        name: "below.example.com".to_owned(),
        data,
        plain_http: PlainHttp::Off,
        installed_max: INSTALLED_MAX,
        outside: Default::default(),
        following,
        executor: Executor::Thread,
    };
    let deps = Deps { ambient: Ambient::system(), connect, credentials: None, site: None };
    let point = SoftwareUpdatePoint::new(config, deps).await?;
    let ports = Ports {
        https: None,
        http: None,
        operations: axum::Router::new(),
        revoked: Arc::new(|_| false),
    };
    Ok(point.run(ports, stop).await?)
}

/// Fails if the update point ends before.
async fn wait_for(running: &mut JoinSet<Result<()>>, holds: impl Fn() -> bool) -> Result<()> {
    while !holds() {
        if let Some(ended) = running.try_join_next() {
            ended??;
            bail!("the update point ended");
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Whether the catalog has a version.
fn is_complete(data: &Path) -> bool {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let Ok(catalog) = Connection::open_with_flags(data.join("catalog.db"), flags) else {
        return false;
    };
    // There may be no tables yet.
    catalog.query_row("SELECT count(*) FROM version", [], |row| row.get(0)).unwrap_or(0) > 0
}

/// When the catalog was last written to, and how much of it there is.
fn written(data: &Path) -> Result<[(SystemTime, u64); 2]> {
    let of = |name: &str| -> Result<(SystemTime, u64)> {
        let file = std::fs::metadata(data.join(name))?;
        Ok((file.modified()?, file.len()))
    };
    Ok([of("catalog.db")?, of("catalog.db-wal")?])
}
