//! Many clients with the decisions of the real agent: alone for a virtual day, and against a
//! management point and its primary site.
//!
//! Owns the rates and what counts as held. The servers are a process of their own, and so are the
//! clients alone; all share the processors. Fails where a client was not answered before any load.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ambient::Ambient;
use anyhow::{Context, Result, ensure};
use daemon::Pki;
use fleet::{Account, Catalog, Config, Fleet, Kind, Link, Manner, Model, Pace, Short, Terms, Wire};
use model::{ClientSettings, RoleKind, ServerList, ServerRef, Timestamp};
use rpc::convert::Part;
use rusqlite::{Connection, OpenFlags};
use testkit::facts::Computer;
use testkit::sample::sample;
use tokio::time::{Instant, sleep};
use transport::TcpConnect;

use crate::child::Server;
use crate::import::fresh_directory;
use crate::machine::{self, Meter};
use crate::primary;

pub(crate) const CORE: &str = "fleet-core";

/// What a primary site must hold, and what that asks of its points in a second.
const SITE: u32 = 150_000;
const POLLS: f64 = 42.0;
const BATCHES: f64 = 167.0;

const MINUTE_MS: i64 = 60 * 1000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const MODELS: u32 = 12;

/// How many ask, each as many times faster as the whole site would be larger.
const STRANGERS: u32 = 6_000;
const REGULARS: u32 = 1_000;
/// Times the need of the site, one after the other while they are held.
const RATES: [f64; 6] = [1.0, 1.5, 2.0, 3.0, 4.0, 6.0];
const LEVEL: Duration = Duration::from_secs(15);
const HELD_MS: f32 = 100.0;
/// Until all have policy, and until the site has what its point took.
const PATIENCE: Duration = Duration::from_secs(180);

pub(crate) async fn run() -> Result<()> {
    println!("\n## Fleet\n\nThe clients alone, each through one virtual day:\n");
    println!(
        "| clients | s | s of processor | steps/s | polls | reports | scans | installations \
         | most memory, MiB | bytes a client | machine |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |");
    let status = Command::new(std::env::current_exe()?).arg(CORE).status()?;
    ensure!(status.success(), "the clients alone failed");
    println!(
        "\nA management point and its primary site; {SITE} clients need {POLLS} policy polls/s \
         and {BATCHES} state batches/s:\n"
    );
    println!(
        "| clients | pace | polls/s | batches/s | polls, p50 and p99 ms | batches, p50 and p99 ms \
         | unanswered | held | waiting for the site | servers, s of processor | clients, s of \
         processor | machine |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: | --- |");
    against_servers(STRANGERS).await?;
    against_servers(REGULARS).await
}

/// A process of its own, which prints its row.
pub(crate) async fn core() -> Result<()> {
    let (ambient, begins) = (Ambient::system(), Timestamp(Ambient::system().now_ms()));
    let (pki, sample) = (testkit::pki::Pki::new(&ambient), sample(Path::new("/nowhere")));
    let keys = pki.site(primary::code()?);
    let settings = ClientSettings {
        policy_poll_ms: HOUR_MS.cast_unsigned(),
        state_batch_ms: (15 * MINUTE_MS).cast_unsigned(),
        scan_interval_ms: (7 * 24 * HOUR_MS).cast_unsigned(),
        catalog_version: 1,
    };
    let required = sample.required(begins.plus_ms(6 * HOUR_MS));
    let servers = ServerList { servers: Vec::new() };
    let parts = vec![Part::Settings(settings), Part::Servers(servers), Part::Assignment(required)];
    let keys = (keys.signer, keys.statement);
    let terms = Terms { version: 1, parts };
    let short = Short::new(pki.anchor().clone(), primary::code()?, keys, &terms);
    let meter = Meter::start()?;
    let link = Link::Short(Arc::new(short));
    let mut fleet = Fleet::new(config(SITE, begins), link, Some(Catalog::of(sample.documents, 1)));
    fleet.run_until(begins.plus_ms(24 * HOUR_MS), Pace::Free { together_ms: 1_000 }).await;
    let cost = meter.stop()?;
    let standing = fleet.standing();
    // What has failed three times is tried again after the day.
    let is_done = standing.open <= u64::from(SITE) / 1_000;
    ensure!(standing.scanned == u64::from(SITE) && is_done, "{standing:?}");
    let (tally, peak) = (fleet.tally(), machine::peak_memory("self")?);
    println!(
        "| {SITE} | {:.1} | {:.1} | {:.0} | {} | {} | {} | {} | {peak:.0} | {:.0} | {} |",
        cost.wall,
        cost.cpu,
        tally.steps as f64 / cost.wall,
        tally.answered(Kind::Poll),
        tally.answered(Kind::Report),
        tally.scans,
        tally.installations,
        peak * 1_048_576.0 / f64::from(SITE),
        machine::load()?
    );
    Ok(())
}

fn config(clients: u32, begins: Timestamp) -> Config {
    let model = |number| Model::new(Computer::new(number).facts().clone());
    Config {
        name: "bench".to_owned(),
        site: primary::code().expect("a good code"),
        seed: 150_000,
        clients,
        models: (0..MODELS).map(model).collect(),
        manner: Manner::default(),
        begins,
        arrive_ms: HOUR_MS,
        scan_spread_ms: 2 * HOUR_MS,
    }
}

/// What is counted of questions of a kind.
#[derive(Clone, Copy, Debug)]
struct Seen {
    answered: u64,
    unanswered: u64,
}

fn seen(fleet: &mut Fleet, kind: Kind) -> Seen {
    let tally = fleet.tally();
    Seen { answered: tally.answered(kind), unanswered: tally.unanswered(kind) }
}

async fn against_servers(clients: u32) -> Result<()> {
    let directory = fresh_directory()?;
    let data = directory.path();
    let path = data.to_str().context("the path is text")?;
    let server = Server::start(&[primary::SERVE, path])?;
    let mut fleet = join(&server, data, clients).await?;
    fleet.change_every(15 * MINUTE_MS);
    for rate in RATES {
        if !level(&mut fleet, &server, data, (clients, rate)).await? {
            break;
        }
    }
    Ok(())
}

/// All of them are known, have policy, and have said what they found.
async fn join(server: &Server, data: &Path, clients: u32) -> Result<Fleet> {
    let pki = Pki::open(&primary::site_directory(data))?;
    let (ambient, site) = (Ambient::system(), primary::code()?);
    let authority = pki.intermediate(site)?.context("a primary site has an authority")?;
    let wire = Wire::new(Account {
        ambient: ambient.clone(),
        connect: Arc::new(TcpConnect),
        anchor: pki.anchor()?.context("a site has the root certificate")?,
        authority: Arc::new(authority),
        management_point: ServerRef {
            kind: RoleKind::ManagementPoint,
            site,
            url: format!("https://{}", server.address),
            http_url: String::new(),
            after_minutes: 0,
        },
    })?;
    let begins = Timestamp(ambient.now_ms());
    let documents = sample(Path::new("/nowhere")).documents;
    let config =
        Config { arrive_ms: MINUTE_MS, scan_spread_ms: MINUTE_MS, ..config(clients, begins) };
    let link = Link::Wire(Arc::new(wire));
    let mut fleet = Fleet::new(config, link, Some(Catalog::of(documents, 1)));
    let started = Instant::now();
    loop {
        let until = fleet.now().plus_ms(10 * MINUTE_MS);
        fleet.run_until(until, Pace::Free { together_ms: MINUTE_MS }).await;
        let standing = fleet.standing();
        if standing.scanned == u64::from(clients) && standing.unsent == 0 {
            break;
        }
        let tally = fleet.tally();
        let counts = (&tally.answered, &tally.unanswered, tally.policies, &tally.last_trouble);
        ensure!(started.elapsed() < PATIENCE, "{standing:?} {counts:?} {}", queued(data)?);
        sleep(Duration::from_millis(200)).await;
    }
    settle(data).await?;
    Ok(fleet)
}

/// One rate for a while; whether it was held.
async fn level(
    fleet: &mut Fleet,
    server: &Server,
    data: &Path,
    (clients, rate): (u32, f64),
) -> Result<bool> {
    for kind in [Kind::Poll, Kind::Report] {
        drop(fleet.tally().take_times(kind));
    }
    let before = [Kind::Poll, Kind::Report].map(|kind| seen(fleet, kind));
    let id = server.id().to_string();
    let (servers, meter) = (machine::cpu_seconds(&id)?, Meter::start()?);
    let pace = f64::from(SITE) / f64::from(clients) * rate;
    let virtual_ms = LEVEL.as_secs_f64() * 1_000.0 * pace;
    let until = fleet.now().plus_ms(virtual_ms as i64);
    fleet.run_until(until, Pace::Times(pace)).await;
    let (cost, queued) = (meter.stop()?, queued(data)?);
    let servers = machine::cpu_seconds(&id)? - servers;
    let after = [Kind::Poll, Kind::Report].map(|kind| seen(fleet, kind));
    let rates = [0, 1].map(|n| (after[n].answered - before[n].answered) as f64 / cost.wall);
    let unanswered: u64 = [0, 1].map(|n| after[n].unanswered - before[n].unanswered).iter().sum();
    let times = [Kind::Poll, Kind::Report].map(|kind| fleet.tally().take_times(kind));
    let [polls, batches] = times.map(|times| (part(&times, 0.5), part(&times, 0.99)));
    let is_in_time = cost.wall < LEVEL.as_secs_f64() * 1.1;
    let held = unanswered == 0 && is_in_time && polls.1 < HELD_MS && batches.1 < HELD_MS;
    let load = machine::load()?;
    settle(data).await?;
    println!(
        "| {clients} | {pace:.0} | {:.0} | {:.0} | {:.1} and {:.1} | {:.1} and {:.1} \
         | {unanswered} | {} | {queued} | {servers:.1} | {:.1} | {load} |",
        rates[0],
        rates[1],
        polls.0,
        polls.1,
        batches.0,
        batches.1,
        if held { "yes" } else { "no" },
        cost.cpu,
    );
    Ok(held)
}

/// What so many of them took at most.
fn part(times: &[f32], share: f64) -> f32 {
    let last = times.len().saturating_sub(1);
    times.get((last as f64 * share) as usize).copied().unwrap_or(0.0)
}

/// Reports that the point has taken and the site has not.
fn queued(data: &Path) -> Result<u64> {
    let path = primary::point_directory(data).join("spool.db");
    let spool = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    Ok(spool.query_row("SELECT queued FROM usage", [], |row| row.get(0))?)
}

/// Until the site has everything.
async fn settle(data: &Path) -> Result<()> {
    let started = Instant::now();
    while queued(data)? > 0 {
        ensure!(started.elapsed() < PATIENCE, "the site does not take what its point took");
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}
