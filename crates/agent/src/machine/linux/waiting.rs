//! How an installer runs: in a process group of its own, with nothing to read, for so long and no
//! longer; and who waits for it.
//!
//! Owns the group's end: at the maximum run time all of it is asked to end, and after a grace it is
//! killed. What has left the group, as services do, is left alone; an installer that starts one
//! does so through the service manager.
//!
//! Whoever waits is a process of the agent's own program, in a session of its own, so that it
//! outlives the agent: it sees how the installer ends, keeps that, and ends it when its time is
//! over, whatever has become of the agent meanwhile. A program that runs through its descriptor is
//! handed on as that descriptor. Refuses to know what an ending means.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use ambient::failpoint;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};

use super::PATH;
use super::ending::Ending;
use super::group::{self, Leader};
use super::output::Output;
use super::staging::Start;
use crate::limits;

/// The first word after the program's name, if it is to wait for an installer.
pub(super) const VERB: &str = "run-installer";

/// An installer that is to be run.
#[derive(Debug)]
pub(super) struct Order {
    /// Where it is recorded.
    pub(super) installs: PathBuf,
    pub(super) name: String,
    pub(super) limit: Duration,
    /// Between the request to end and its end.
    pub(super) stop_grace: Duration,
    pub(super) directory: PathBuf,
    pub(super) program: Start,
    /// As the program sees itself.
    pub(super) called: PathBuf,
    pub(super) arguments: Vec<OsString>,
}

impl Order {
    /// Runs the installer, and keeps how it ended. Fails only if that cannot be kept.
    pub(super) async fn carry_out(self) -> io::Result<()> {
        let (installs, name) = (self.installs.clone(), self.name.clone());
        let ending = self.run().await.unwrap_or_else(|error| Ending::from(&error));
        ending.keep(&installs, &name)?;
        failpoint("installer.ending_kept");
        Ok(())
    }

    async fn run(self) -> io::Result<Ending> {
        let running = running(&self.installs);
        let mut output = Output::new(&self.installs, &self.name)?;
        let writer = output.writer()?;
        let mut command = Command::new(&self.program.path);
        command.arg0(&self.called).args(&self.arguments).current_dir(&self.directory);
        command.env_clear().env("PATH", PATH).env("DEBIAN_FRONTEND", "noninteractive");
        command.env(group::MARK, group::mark(&running, &self.name));
        command.process_group(0).stdin(Stdio::null());
        command.stdout(writer.try_clone()?).stderr(writer);
        let mut child = start(&mut command).await?;
        failpoint("installer.started");
        // It holds the pipe open.
        drop(command);
        let leader = child.id().map(Leader::of).transpose()?.flatten();
        if let Some(leader) = &leader
            && let Err(error) = leader.record(&running, &self.name)
        {
            tracing::warn!(%error, "a running installer could not be recorded");
        }
        failpoint("installer.recorded");
        let ended = tokio::select! {
            biased;
            ended = self.supervise(&mut child, leader) => ended?,
            never = output.keep() => match never {},
        };
        output.finish();
        Ok(ended.map_or(Ending::Overran, Ending::from))
    }

    /// How it ended; none if it was ended after its time.
    async fn supervise(
        &self,
        child: &mut Child,
        leader: Option<Leader>,
    ) -> io::Result<Option<ExitStatus>> {
        if let Ok(status) = timeout(self.limit, child.wait()).await {
            return status.map(Some);
        }
        let group = leader.map(|leader| leader.group());
        let end = async {
            if let Some(group) = group {
                group.end(self.stop_grace).await;
            }
            child.wait().await
        };
        // One that not even a signal ends is stuck in the kernel.
        let _ = timeout(self.stop_grace + limits::TOOL_TIME, end).await;
        Ok(None)
    }

    /// The words of a command line that hand it to another process, and what that process finds
    /// as its standard input.
    pub(super) fn hand_over(self) -> (Vec<OsString>, Option<OwnedFd>) {
        let Start { path, held } = self.program;
        let program = if held.is_some() { OsString::new() } else { path.into() };
        let ms = |time: Duration| OsString::from(time.as_millis().to_string());
        let mut words = vec![
            self.installs.into(),
            self.name.into(),
            ms(self.limit),
            ms(self.stop_grace),
            self.directory.into(),
            program,
            self.called.into(),
        ];
        words.extend(self.arguments);
        (words, held)
    }

    /// The other side of [`Order::hand_over`].
    fn read(mut words: impl Iterator<Item = OsString>) -> io::Result<Order> {
        let mut next = || words.next().ok_or(ErrorKind::InvalidInput);
        let time = |word: OsString| {
            let ms = word.to_str().and_then(|text| text.parse().ok());
            ms.map(Duration::from_millis).ok_or(ErrorKind::InvalidInput)
        };
        let installs = next()?.into();
        let name = next()?.into_string().map_err(|_| ErrorKind::InvalidInput)?;
        let (limit, stop_grace) = (time(next()?)?, time(next()?)?);
        let directory = next()?.into();
        let program = match next()? {
            none if none.is_empty() => Start::through(io::stdin().as_fd().try_clone_to_owned()?),
            path => Start { path: path.into(), held: None },
        };
        let called = next()?.into();
        let arguments = words.collect();
        Ok(Order { installs, name, limit, stop_grace, directory, program, called, arguments })
    }
}

/// Where the installer that runs is recorded.
pub(super) fn running(installs: &Path) -> PathBuf {
    installs.join("running")
}

/// A file that was written a moment ago may still be open in a process that is about to become
/// another program.
async fn start(command: &mut Command) -> io::Result<Child> {
    let mut tries = 0;
    loop {
        match command.spawn() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {
                tries += 1;
                if tries == limits::BUSY_TRIES {
                    return Err(error);
                }
                sleep(limits::BUSY_WAIT).await;
            }
            started => return started,
        }
    }
}

/// Waits for an installer, if this process was started for that: nobody types this. The lock that
/// tells others that it waits is its standard output, and goes with the process.
#[must_use]
pub fn run_installer(mut words: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    words.nth(1).filter(|verb| verb == VERB)?;
    // It leads a session already, then.
    let _ = rustix::process::setsid();
    let waited = || {
        let order = Order::read(words)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            // Whoever ends all processes of this name means the agent.
            let _unheard = signal(SignalKind::terminate())?;
            order.carry_out().await
        })
    };
    let waited: io::Result<()> = waited();
    Some(if waited.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
pub(super) mod tests;
