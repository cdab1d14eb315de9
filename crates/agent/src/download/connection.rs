//! One exchange with a source over a stream that is open, carried out by the downloader.
//!
//! Owns the downloader's process, the bytes between it and the stream, and the disbelief in what
//! it says. Refuses to know who is at the other end of the stream, how long is waited, and how HTTP
//! is spoken. Nothing is read ahead: a downloader whose pieces nobody takes waits, and so does its
//! source. One that is dropped is killed.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net;
use std::process::Stdio;

use bytes::Bytes;
use model::{Invalid, error_chain};
use tokio::io::{
    AsyncRead, AsyncWriteExt as _, DuplexStream, copy_bidirectional_with_sizes, duplex,
};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;
use transport::BoxStream;

use super::Unfit;
use crate::fetcher::{Downloader, Frame, Frames, Order, Program, Unread, order_bytes, speak};
use crate::{Error, limits};

/// On the way between a stream and the downloader, in each direction.
const PUMP_BYTES: usize = 64 << 10;

/// An answer that is being read.
pub(super) struct Connection {
    url: String,
    frames: Frames<Box<dyn AsyncRead + Send + Unpin>>,
    /// What goes to and fro as long as this lives.
    work: JoinSet<()>,
    /// None: the agent reads itself. Killed when dropped.
    process: Option<Child>,
}

impl Connection {
    /// The byte with which the answer begins, and the answer; or why it is not read.
    pub(super) async fn ask(
        downloader: &Downloader,
        url: &str,
        mut stream: BoxStream,
        order: &Order,
    ) -> Result<Result<(u64, Connection), Unfit>, Error> {
        let (mut connection, mut end) = Connection::start(downloader, url)?;
        let order_bytes = order_bytes(order).map_err(Error::StartDownloader)?;
        // One that is gone shows in its frames.
        let _ = end.write_all(&order_bytes).await;
        connection.work.spawn(async move {
            // How this ends shows in them, too.
            let (ours, theirs) = (&mut stream, &mut end);
            let _ = copy_bidirectional_with_sizes(ours, theirs, PUMP_BYTES, PUMP_BYTES).await;
        });
        connection.expect_confined().await?;
        match connection.next().await? {
            Frame::Begins(start) if start == 0 || start == order.offset => {
                Ok(Ok((start, connection)))
            }
            Frame::Unfit(unfit) => Ok(Err(unfit)),
            Frame::Broken(reason) => Err(Error::reach(url)(reason.into())),
            frame => Err(connection.out_of_place(&frame)),
        }
    }

    /// The next bytes; none: it has ended.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        match self.next().await? {
            Frame::Piece(bytes) => Ok(Some(bytes)),
            Frame::End => Ok(None),
            Frame::Broken(reason) => {
                Err(Error::Broken { url: self.url.clone(), source: reason.into() })
            }
            frame => Err(self.out_of_place(&frame)),
        }
    }

    /// A downloader, and the end of the connection that it is given.
    fn start(downloader: &Downloader, url: &str) -> Result<(Connection, BoxStream), Error> {
        let (url, mut work) = (url.to_owned(), JoinSet::new());
        match downloader {
            Downloader::Inside => {
                let (end, frames) = start_inside(&mut work);
                let frames = Frames::new(Box::new(frames) as Box<_>);
                Ok((Connection { url, frames, work, process: None }, Box::new(end)))
            }
            Downloader::Process(program) => {
                let started = start_process(program).map_err(Error::StartDownloader)?;
                let (end, frames, process) = started;
                let frames = Frames::new(Box::new(frames) as Box<_>);
                Ok((Connection { url, frames, work, process: Some(process) }, Box::new(end)))
            }
        }
    }

    /// A process says first what it could not give up; it was told at the start of the agent.
    async fn expect_confined(&mut self) -> Result<Vec<&'static str>, Error> {
        if self.process.is_none() {
            return Ok(Vec::new());
        }
        match self.next().await? {
            Frame::Confined(missing) => Ok(missing.names()),
            frame => Err(self.out_of_place(&frame)),
        }
    }

    async fn next(&mut self) -> Result<Frame, Error> {
        self.frames.next().await.map_err(|unread| match unread {
            Unread::Ended => Error::DownloaderEnded { url: self.url.clone() },
            Unread::Senseless(source) => Error::Downloader { url: self.url.clone(), source },
        })
    }

    fn out_of_place(&self, frame: &Frame) -> Error {
        let what = match frame {
            Frame::Begins(start) => return self.senseless(format!("begins at byte {start}")),
            Frame::Confined(_) => "confinement",
            Frame::Unfit(_) => "a judgment",
            Frame::Piece(_) => "a piece",
            Frame::Broken(_) => "a break",
            Frame::End => "the end",
        };
        self.senseless(format!("tells {what} out of place"))
    }

    fn senseless(&self, reason: String) -> Error {
        Error::Downloader { url: self.url.clone(), source: Invalid::new("order", reason) }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("url", &self.url).finish_non_exhaustive()
    }
}

fn start_inside(work: &mut JoinSet<()>) -> (DuplexStream, DuplexStream) {
    let (ours, theirs) = duplex(PUMP_BYTES);
    let (frames, mut written) = duplex(PUMP_BYTES);
    work.spawn(async move {
        // It fails only if nobody reads any more.
        let _ = speak(theirs, &mut written).await;
    });
    (ours, frames)
}

/// It is given nothing but the two ends that it has to have: whatever else is open here closes
/// when the program starts.
fn start_process(program: &Program) -> io::Result<(UnixStream, ChildStdout, Child)> {
    let (ours, theirs) = net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let mut command = Command::new(&program.path);
    command.args(program.arguments()).env_clear().kill_on_drop(true);
    command.stdin(OwnedFd::from(theirs)).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = command.spawn()?;
    let frames = process.stdout.take().expect("standard output is piped");
    Ok((UnixStream::from_std(ours)?, frames, process))
}

/// Tries who reads answers; says who, and what is less than it should be.
pub(crate) async fn survey(downloader: &Downloader) -> String {
    let tried = async {
        let (mut connection, _end) = Connection::start(downloader, "nobody")?;
        connection.expect_confined().await
    };
    let limit = limits::TOOL_TIME;
    let silent = |_| Err(Error::Silent { url: "the downloader".to_owned(), limit });
    let lack = match timeout(limit, tried).await.unwrap_or_else(silent) {
        Ok(missing) if missing.is_empty() => {
            tracing::info!(%downloader, "answers of servers that have files are read apart");
            return downloader.to_string();
        }
        Ok(missing) => format!("without {}", missing.join(" and ")),
        Err(Error::DownloaderEnded { .. }) => "which ends at once".to_owned(),
        Err(error) => format!("which fails: {}", error_chain(&error)),
    };
    let reader = format!("{downloader}, {lack}");
    tracing::warn!(reader, "answers of servers that have files are not read as they should be");
    reader
}

#[cfg(test)]
mod tests;
