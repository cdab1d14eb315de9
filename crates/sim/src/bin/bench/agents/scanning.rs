//! What a scan of documents that are here takes.
//!
//! A cold scan is the first one of a process, a warm one is asked for by a person, who makes the
//! agent ask its update point for news, of which there are none; the system has the files in
//! memory for both. The floor reads the same documents from the same file; the peer looks through
//! the packages that this machine's package manager knows, and says which of them it would upgrade.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{Computer, SCANNED, UPDATES, floor};
use crate::child::{self, Outcome};
use crate::machine::{self, Cost, Spread};

/// After one of each that does not count.
const RUNS: usize = if cfg!(debug_assertions) { 1 } else { 7 };

const APT: [&str; 4] = ["-s", "-o", "Debug::NoLocking=1", "dist-upgrade"];

pub(super) async fn run(computer: &Computer) -> Result<()> {
    let catalog = std::fs::read_dir(computer.data().join("catalog"))?;
    let mut files = catalog.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let catalog = files.find(|path| path.extension().is_some_and(|extension| extension == "db"));
    let catalog = catalog.context("the agent has a catalog")?;
    let catalog = catalog.to_str().context("the path is text")?;
    let known = packages_known();
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    let (mut floors, mut apts) = (Vec::new(), Vec::new());
    for _ in 0..=RUNS {
        let (first, again) = scan_twice(computer).await?;
        cold.push(first);
        warm.push(again);
        floors.push(child::run(&[floor::FLOOR, catalog])?);
        if known.is_some() {
            apts.push(child::foreign(Command::new("apt-get").args(APT)).await?);
        }
    }
    println!("\n| {UPDATES} updates, {RUNS} runs | ms | ms of processor | most memory, MiB |");
    println!("| --- | ---: | ---: | ---: |");
    print("a scan after the start", &cold);
    print("one asked for, nothing is new", &warm);
    print("floor: unpacked and read with quick-xml", &floors);
    match known {
        Some(known) => print(&format!("apt-get -s dist-upgrade, {known} packages"), &apts),
        None => println!("| apt-get -s dist-upgrade | not installed | | |"),
    }
    println!("| machine | {} | | |", machine::load()?);
    Ok(())
}

async fn scan_twice(computer: &Computer) -> Result<(Outcome, Outcome)> {
    let mut agent = computer.start().await?;
    let (name, id) = (agent.name()?, agent.id()?);
    let (cpu, peak) = (machine::cpu_seconds(&name)?, machine::peak_memory(&name)?);
    let wall = duration(computer)?;
    let first = Outcome { cost: Cost { wall, cpu }, peak };
    machine::forget_peak(&name)?;
    let before = machine::cpu_seconds(&name)?;
    computer.says(&["scan"])?;
    agent.says(SCANNED).await?;
    let (cpu, peak) = (machine::cpu_seconds(&name)? - before, machine::peak_memory(&name)?);
    let again = Outcome { cost: Cost { wall: duration(computer)?, cpu }, peak };
    ensure!(machine::memory(id)?.0 > 0.0, "the agent ended");
    agent.stop().await?;
    Ok((first, again))
}

/// As the agent says it, in seconds.
fn duration(computer: &Computer) -> Result<f64> {
    let scan = computer.last_scan()?;
    Ok(scan["duration_ms"].as_f64().context("a scan takes time")? / 1_000.0)
}

fn print(label: &str, outcomes: &[Outcome]) {
    let spread =
        |value: fn(&Outcome) -> f64| -> Spread { outcomes[1..].iter().map(value).collect() };
    let (wall, cpu) = (spread(|o| o.cost.wall * 1_000.0), spread(|o| o.cost.cpu * 1_000.0));
    let peak = spread(|outcome| outcome.peak);
    println!("| {label} | {wall:.0} | {cpu:.0} | {peak:.1} |");
}

/// How many packages this machine's package manager can choose from; none without one.
fn packages_known() -> Option<u64> {
    let output = Command::new("apt-cache").arg("stats").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("Normal packages: "))?;
    line.trim().parse().ok()
}
