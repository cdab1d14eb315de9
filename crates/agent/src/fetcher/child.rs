//! The life of the downloader's process: rights away, one order, one answer, the end.
//!
//! Standard input is the connection, standard output takes the frames; nothing is logged, for
//! whoever holds this process must not write to the agent's log. A failure is an exit code.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net;
use std::process::ExitCode;

use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::runtime::Builder;

use super::confine::{self, FILTER, confine};
use super::{Frame, User, speak};

pub(super) fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.collect();
    let run = || live(user(&arguments)?);
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Its numbers, or nobody else.
fn user(arguments: &[OsString]) -> io::Result<Option<User>> {
    let number = |word: &OsString| word.to_str().and_then(|word| word.parse().ok());
    match arguments {
        [] => Ok(None),
        [uid, gid] => {
            let numbers = number(uid).zip(number(gid));
            let (uid, gid) = numbers.ok_or(io::ErrorKind::InvalidInput)?;
            Ok(Some(User { uid, gid }))
        }
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

fn live(user: Option<User>) -> io::Result<()> {
    let inherited = confine::inherited()?;
    let mut missing = confine(user)?;
    let runtime = Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let connection = io::stdin().as_fd().try_clone_to_owned()?;
        let connection = net::UnixStream::from(connection);
        connection.set_nonblocking(true)?;
        let connection = UnixStream::from_std(connection)?;
        let frames = io::stdout().as_fd().try_clone_to_owned()?;
        let mut frames = pipe::Sender::from_owned_fd(frames)?;
        missing.note(FILTER, confine::filter(&inherited));
        Frame::Confined(missing).write(&mut frames).await?;
        speak(connection, &mut frames).await
    })
}
