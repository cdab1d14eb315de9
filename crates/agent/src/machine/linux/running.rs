//! How an installer runs: in a process group of its own, with nothing to read, for so long and no
//! longer.
//!
//! Owns the group's end: at the maximum run time all of it is asked to end, and after a grace it is
//! killed. What has left the group, as services do, is left alone; an installer that starts one
//! does so through the service manager.
//!
//! An installer is never ended because the agent ends: half an installation is worse than a late
//! one, and the agent itself may be what is being installed. Its output goes through a named pipe
//! that the installer holds open itself, so that it outlives its reader; `<data>/installs/running`
//! names it from before it starts, and the agent's next life waits for it before it looks at
//! anything.

use std::convert::Infallible;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use ambient::failpoint;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::group::{self, Leader};
use super::transcript::Transcript;
use crate::limits;

const READ_BYTES: usize = 64 * 1024;

/// Where installers are recorded, and how long one has to end when it is asked to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Runner<'a> {
    pub(super) installs: &'a Path,
    pub(super) stop_grace: Duration,
}

impl Runner<'_> {
    /// Runs `command` to its end, and says how it ended; none if it was ended after `limit`. What
    /// it writes is kept under `name`.
    pub(super) async fn run(
        &self,
        mut command: Command,
        name: &str,
        limit: Duration,
    ) -> io::Result<Option<ExitStatus>> {
        let mut output = Output::new(self.installs, name)?;
        let writer = output.writer()?;
        command.process_group(0).stdin(Stdio::null());
        command.stdout(writer.try_clone()?).stderr(writer);
        command.env(group::MARK, group::mark(&self.running(), name));
        // Without it a later life would not wait; no reason to install nothing now.
        if let Err(error) = Leader::announce(&self.running(), name) {
            tracing::warn!(%error, "an installer that starts could not be recorded");
        }
        let mut child = start(&mut command).await?;
        failpoint("agent.installer_started");
        // It holds the pipe open, and what the program went through.
        drop(command);
        let leader = child.id().map(Leader::of).transpose()?.flatten();
        if let Some(leader) = &leader
            && let Err(error) = leader.record(&self.running(), name)
        {
            tracing::warn!(%error, "a running installer could not be recorded");
        }
        failpoint("agent.installer_recorded");
        let ended = tokio::select! {
            biased;
            ended = self.supervise(&mut child, leader, limit) => ended?,
            never = output.keep() => match never {},
        };
        output.finish();
        failpoint("agent.installer_ended");
        self.forget()?;
        Ok(ended)
    }

    async fn supervise(
        &self,
        child: &mut Child,
        leader: Option<Leader>,
        limit: Duration,
    ) -> io::Result<Option<ExitStatus>> {
        if let Ok(status) = timeout(limit, child.wait()).await {
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

    /// Waits until the installer of an earlier life has ended; ends it after `limit`.
    pub(super) async fn settle(&self, limit: Duration) -> io::Result<()> {
        let Some((leader, name)) = Leader::recorded(&self.running())? else { return Ok(()) };
        if leader.is_running() {
            tracing::info!(name, "an installer of an earlier life still runs");
            let ended = async {
                if timeout(limit, leader.gone()).await.is_err() {
                    leader.group().end(self.stop_grace).await;
                }
            };
            let mut output = Output::again(self.installs, &name)?;
            tokio::select! {
                biased;
                () = ended => {}
                never = output.keep() => match never {},
            }
            output.finish();
        }
        self.forget()
    }

    fn running(&self) -> PathBuf {
        self.installs.join("running")
    }

    fn forget(&self) -> io::Result<()> {
        match fs::remove_file(self.running()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
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

/// What an installer writes, on its way to its transcript.
#[derive(Debug)]
struct Output {
    fifo: PathBuf,
    receiver: pipe::Receiver,
    /// None once it could not be written: reading goes on, so that the installer does.
    transcript: Option<Transcript>,
    buffer: Vec<u8>,
}

impl Output {
    fn new(installs: &Path, name: &str) -> io::Result<Output> {
        let transcript = Transcript::create(installs, name)?;
        let fifo = fifo(installs);
        match fs::remove_file(&fifo) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        Output::open(fifo, transcript)
    }

    /// The output of an installer that an earlier life has started.
    fn again(installs: &Path, name: &str) -> io::Result<Output> {
        Output::open(fifo(installs), Transcript::reopen(installs, name)?)
    }

    /// Open for both, there is no end of it: the pipe ends with its installer, not with whoever
    /// holds it open after that.
    fn open(fifo: PathBuf, transcript: Transcript) -> io::Result<Output> {
        let receiver = pipe::OpenOptions::new().read_write(true).open_receiver(&fifo)?;
        let (transcript, buffer) = (Some(transcript), vec![0; READ_BYTES]);
        Ok(Output { fifo, receiver, transcript, buffer })
    }

    fn writer(&self) -> io::Result<fs::File> {
        OpenOptions::new().read(true).write(true).open(&self.fifo)
    }

    /// Keeps what is written until this is dropped.
    async fn keep(&mut self) -> Infallible {
        loop {
            match self.receiver.read(&mut self.buffer).await {
                Ok(count) => self.add(count),
                Err(error) => {
                    tracing::warn!(%error, "the output of an installer cannot be read");
                    std::future::pending().await
                }
            }
        }
    }

    fn add(&mut self, count: usize) {
        let Some(transcript) = &mut self.transcript else { return };
        if let Err(error) = transcript.add(&self.buffer[..count]) {
            tracing::warn!(%error, "the output of an installer cannot be kept");
            self.transcript = None;
        }
    }

    /// Keeps what was still on its way, and no more: others may go on writing for ever.
    fn finish(mut self) {
        let mut rest = limits::PIPE_BYTES;
        while rest > 0 {
            match self.receiver.try_read(&mut self.buffer) {
                Ok(count) if count > 0 => {
                    rest = rest.saturating_sub(count);
                    self.add(count);
                }
                Ok(_) | Err(_) => break,
            }
        }
        if let Some(Err(error)) = self.transcript.map(Transcript::finish) {
            tracing::warn!(%error, "the output of an installer cannot be kept");
        }
    }
}

fn fifo(installs: &Path) -> PathBuf {
    installs.join("output")
}
