//! What an installer writes: through a named pipe into its transcript.
//!
//! The installer holds the pipe open itself, so that it outlives its reader; the next one goes on
//! with it.

use std::convert::Infallible;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;

use super::transcript::Transcript;
use crate::limits;

const READ_BYTES: usize = 64 * 1024;

/// What an installer writes, on its way to its transcript.
#[derive(Debug)]
pub(super) struct Output {
    fifo: PathBuf,
    receiver: pipe::Receiver,
    /// None once it could not be written: reading goes on, so that the installer does.
    transcript: Option<Transcript>,
    buffer: Vec<u8>,
}

impl Output {
    pub(super) fn new(installs: &Path, name: &str) -> io::Result<Output> {
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
    pub(super) fn again(installs: &Path, name: &str) -> io::Result<Output> {
        Output::open(fifo(installs), Transcript::reopen(installs, name)?)
    }

    /// Open for both, there is no end of it: the pipe ends with its installer, not with whoever
    /// holds it open after that.
    fn open(fifo: PathBuf, transcript: Transcript) -> io::Result<Output> {
        let receiver = pipe::OpenOptions::new().read_write(true).open_receiver(&fifo)?;
        let (transcript, buffer) = (Some(transcript), vec![0; READ_BYTES]);
        Ok(Output { fifo, receiver, transcript, buffer })
    }

    pub(super) fn writer(&self) -> io::Result<fs::File> {
        OpenOptions::new().read(true).write(true).open(&self.fifo)
    }

    /// Keeps what is written until this is dropped.
    pub(super) async fn keep(&mut self) -> Infallible {
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
    pub(super) fn finish(mut self) {
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
