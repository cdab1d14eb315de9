//! What a process holds and costs while nothing happens.
//!
//! The peers are what Debian keeps running for updates, and a process that only sleeps, which is
//! the least there can be.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::machine::{self, Spread, Threads};
use crate::processes::Running;

/// What was begun has ended: reports are sent, threads without work are gone.
const SETTLE: Duration = Duration::from_secs(if cfg!(debug_assertions) { 1 } else { 20 });
const WINDOW: Duration = Duration::from_secs(if cfg!(debug_assertions) { 2 } else { 60 });
const WINDOWS: usize = 3;

/// What Debian's package of automatic updates keeps running all the time; it waits for the system
/// to be shut down. With the system's own interpreter, whatever else is in the path.
const UPGRADES: [&str; 3] = [
    "/usr/bin/python3",
    "/usr/share/unattended-upgrades/unattended-upgrade-shutdown",
    "--wait-for-signal",
];

pub(super) fn print_head() {
    println!(
        "\n| {WINDOWS} times {} s of nothing | RSS, MiB | PSS, MiB | processor, ms a minute \
         | part of one processor, % | wake-ups a minute | threads | files | machine |",
        WINDOW.as_secs()
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |");
}

/// The agent alone, in a life whose memory differs from the next one's.
pub(super) async fn measure(label: &str, agent: &Running) -> Result<()> {
    watch(&[(label, agent.id()?)]).await
}

/// The agent and its peers at the same time.
pub(super) async fn measure_with_peers(label: &str, agent: &Running) -> Result<()> {
    let floor = Peer::start(&["sleep", "infinity"])?;
    let upgrades = Path::new(UPGRADES[1]).exists().then(|| Peer::start(&UPGRADES)).transpose()?;
    let mut all = vec![(label, agent.id()?)];
    match &upgrades {
        Some(peer) => all.push(("unattended-upgrade-shutdown", peer.0.id())),
        None => println!("| unattended-upgrade-shutdown | not installed | | | | | | | |"),
    }
    all.push(("sleep infinity", floor.0.id()));
    watch(&all).await
}

/// What was seen of a process after each window.
#[derive(Default)]
struct Seen {
    threads: Threads,
    /// Milliseconds of processor and wake-ups, a minute.
    costs: Vec<f64>,
    wakes: Vec<f64>,
    /// Resident, and its proportional share.
    memory: Vec<(f64, f64)>,
}

async fn watch(processes: &[(&str, u32)]) -> Result<()> {
    sleep(SETTLE).await;
    let begun = |(_, id): &(&str, u32)| -> Result<Seen> {
        Ok(Seen { threads: Threads::of(*id)?, ..Seen::default() })
    };
    let mut all = processes.iter().map(begun).collect::<Result<Vec<_>>>()?;
    let minutes = WINDOW.as_secs_f64() / 60.0;
    for _ in 0..WINDOWS {
        sleep(WINDOW).await;
        for ((_, id), seen) in processes.iter().zip(&mut all) {
            let now = Threads::of(*id)?;
            let (seconds, woke) = now.since(&seen.threads);
            seen.costs.push(seconds * 1_000.0 / minutes);
            seen.wakes.push(woke as f64 / minutes);
            seen.memory.push(machine::memory(*id)?);
            seen.threads = now;
        }
    }
    processes.iter().zip(&all).try_for_each(|((label, id), seen)| print(label, *id, seen))
}

fn print(label: &str, process: u32, seen: &Seen) -> Result<()> {
    let Seen { threads, costs, wakes, memory } = seen;
    let spread = |values: &[f64]| values.iter().copied().collect::<Spread>();
    let resident: Spread = memory.iter().map(|(resident, _)| *resident).collect();
    let share: Spread = memory.iter().map(|(_, share)| *share).collect();
    let part: Spread = costs.iter().map(|ms| ms / 600.0).collect();
    println!(
        "| {label} | {resident:.1} | {share:.1} | {:.1} | {part:.4} | {:.0} | {} | {} | {} |",
        spread(costs),
        spread(wakes),
        threads.count(),
        machine::open_files(process)?,
        machine::load()?
    );
    Ok(())
}

/// Killed when dropped.
struct Peer(Child);

impl Peer {
    fn start(line: &[&str]) -> Result<Peer> {
        let mut command = Command::new(line[0]);
        command.args(&line[1..]).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Peer(command.spawn()?))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Nothing of it is needed any more.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
