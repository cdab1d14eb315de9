//! Work in a process of its own, so that its memory and processor time are its own.
//!
//! Owns starting this program again for one piece of work, and how that tells what it took. The
//! work is named by hidden arguments of the same program.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::Instant;

use crate::machine::{self, Cost};

/// How often a program of the system is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// What a piece of work took, and the most memory it had, in MiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) cost: Cost,
    pub(crate) peak: f64,
}

/// A server that this program started; it ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: std::net::SocketAddr,
}

fn again(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).stdout(Stdio::piped());
    Ok(command)
}

/// Runs a piece of work to its end.
pub(crate) fn run(arguments: &[&str]) -> Result<Outcome> {
    let output = again(arguments)?.output()?;
    anyhow::ensure!(output.status.success(), "{arguments:?} failed");
    let said = String::from_utf8(output.stdout)?;
    let mut numbers = said.split_whitespace().map(str::parse::<f64>);
    let mut next = || numbers.next().context("three numbers")?.context("a number");
    let cost = Cost { wall: next()?, cpu: next()? };
    Ok(Outcome { cost, peak: next()? })
}

/// What [`run`] reads, said by the process that does the work.
pub(crate) fn tell(cost: Cost) -> Result<()> {
    println!("{} {} {}", cost.wall, cost.cpu, machine::peak_memory("self")?);
    Ok(())
}

/// Runs a program of the system to its end. Its memory is looked at all the time, because nothing
/// of it is left then.
pub(crate) async fn foreign(command: &mut Command) -> Result<Outcome> {
    let started = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let (id, mut peak, mut cpu) = (child.id().to_string(), 0.0, 0.0);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        // What ends in this moment says nothing more.
        peak = machine::peak_memory(&id).unwrap_or(peak);
        cpu = machine::cpu_seconds(&id).unwrap_or(cpu);
        tokio::time::sleep(LOOK).await;
    };
    anyhow::ensure!(status.success(), "{command:?} failed");
    Ok(Outcome { cost: Cost { wall: started.elapsed().as_secs_f64(), cpu }, peak })
}

impl Server {
    /// Starts one that says its address in its first line.
    pub(crate) fn start(arguments: &[&str]) -> Result<Server> {
        let mut child = again(arguments)?.spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("piped")?).read_line(&mut line)?;
        let address = line.trim().parse().with_context(|| format!("{arguments:?}: {line:?}"))?;
        Ok(Server { child, address })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing of it is needed any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What [`Server::start`] reads, said by the server.
pub(crate) fn tell_address(address: &str) -> Result<()> {
    println!("{address}");
    Ok(std::io::stdout().flush()?)
}
