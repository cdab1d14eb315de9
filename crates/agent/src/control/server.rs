//! The end of the socket that answers.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as Probe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::allowance::Allowance;
use super::caller::{Administrators, Peer};
use super::limits::{
    ACCEPT_PAUSE, ANSWER_WAIT, CONVERSATIONS_MAX, CONVERSATIONS_OF_USER_MAX, REQUEST_BYTES_MAX,
    REQUEST_WAIT, WRITE_WAIT,
};
use super::names::Names;
use super::{Answer, Asked, Caller, Local, Refused, Request, Standing};

/// Everybody may connect; who may do what is decided for each request.
const MODE: u32 = 0o666;

/// An open socket.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    desk: Arc<Desk>,
}

/// What all conversations share.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) administrators: Administrators,
    pub(super) names: Names,
    pub(super) allowance: Mutex<Allowance>,
}

impl Socket {
    /// Takes the place of a socket that nobody answers at any more.
    pub(crate) fn bind(local: &Local) -> io::Result<Socket> {
        let Local { path, admin_groups, .. } = local;
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        remove_dead(path)?;
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(MODE))?;
        // Made by this process just now.
        let owner = fs::metadata(path)?.uid();
        let administrators = Administrators { owner, groups: admin_groups.clone() };
        let (names, allowance) = (Names::of_this_computer(), Mutex::default());
        let desk = Arc::new(Desk { administrators, names, allowance });
        Ok(Socket { listener, path: path.clone(), desk })
    }

    /// Hands questions to `asked` until `stop`.
    pub(crate) async fn serve(self, asked: mpsc::Sender<Asked>, stop: CancellationToken) {
        let mut conversations = JoinSet::new();
        let mut of_users = BTreeMap::<u32, usize>::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = conversations.join_next() => {
                    let uid = ended.unwrap_or_else(|failed| {
                        std::panic::resume_unwind(failed.into_panic())
                    });
                    let count = of_users.entry(uid).or_default();
                    *count = count.saturating_sub(1);
                    of_users.retain(|_, count| *count > 0);
                }
                accepted = self.listener.accept() => {
                    let Some((stream, peer)) = self.welcome(accepted, &stop).await else {
                        continue;
                    };
                    let of_user = of_users.entry(peer.uid).or_default();
                    if *of_user >= CONVERSATIONS_OF_USER_MAX
                        || conversations.len() >= CONVERSATIONS_MAX
                    {
                        turn_away(&stream);
                        continue;
                    }
                    *of_user += 1;
                    conversations.spawn(converse(stream, peer, self.desk.clone(), asked.clone()));
                }
            }
        }
        conversations.shutdown().await;
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, "the socket stays behind");
        }
    }

    async fn welcome(
        &self,
        accepted: io::Result<(UnixStream, tokio::net::unix::SocketAddr)>,
        stop: &CancellationToken,
    ) -> Option<(UnixStream, Peer)> {
        let known = accepted.and_then(|(stream, _)| {
            let peer = Peer::of(&stream)?;
            Ok((stream, peer))
        });
        match known {
            Ok(known) => Some(known),
            Err(error) => {
                tracing::warn!(%error, "nobody can be answered at the local socket");
                stop.run_until_cancelled(sleep(ACCEPT_PAUSE)).await;
                None
            }
        }
    }
}

/// What a killed agent left behind goes; what another one answers at stays.
fn remove_dead(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let is_dead = found.file_type().is_socket()
        && Probe::connect(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if !is_dead {
        let reason =
            "it is in use, or no socket; stop the other agent or name another control_socket";
        return Err(io::Error::new(io::ErrorKind::AddrInUse, reason));
    }
    fs::remove_file(path)
}

/// Says so if that can be done at once.
fn turn_away(stream: &UnixStream) {
    let answer = Answer::from(Refused::new(
        "too many are talking to the agent already",
        "try again when they are done",
    ));
    if let Err(error) = stream.try_write(&line(&answer)) {
        tracing::debug!(%error, "nobody was told that there are too many");
    }
}

/// One question and its answer; returns whose it was.
async fn converse(
    stream: UnixStream,
    peer: Peer,
    desk: Arc<Desk>,
    asked: mpsc::Sender<Asked>,
) -> u32 {
    let caller = Caller::of(peer, &desk.administrators, &desk.names).await;
    let uid = caller.uid;
    talk(stream, caller, &desk.allowance, &asked).await;
    uid
}

pub(super) async fn talk(
    stream: UnixStream,
    caller: Caller,
    allowance: &Mutex<Allowance>,
    asked: &mpsc::Sender<Asked>,
) {
    let uid = caller.uid;
    let mut stream = BufReader::new(stream);
    let answer = match timeout(REQUEST_WAIT, read(&mut stream)).await {
        Ok(Ok(request)) => {
            if caller.standing != Standing::Administrator {
                sleep(turn(allowance, uid)).await;
            }
            ask(request, caller, asked).await
        }
        Ok(Err(refused)) => refused.into(),
        Err(_) => Refused::new("no request came in time", "send one line of JSON at once").into(),
    };
    let line = line(&answer);
    let write = async {
        stream.write_all(&line).await?;
        stream.shutdown().await
    };
    match timeout(WRITE_WAIT, write).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(uid, %error, "an answer was not taken"),
        Err(_) => tracing::debug!(uid, "an answer was not taken in time"),
    }
}

/// How long until the next question of a user is let through.
fn turn(allowance: &Mutex<Allowance>, uid: u32) -> Duration {
    allowance.lock().unwrap_or_else(PoisonError::into_inner).wait(uid, Instant::now())
}

async fn read(stream: &mut BufReader<UnixStream>) -> Result<Request, Refused> {
    let mut line = Vec::new();
    let read = stream.take(REQUEST_BYTES_MAX).read_until(b'\n', &mut line).await;
    let broken = |error| Refused::new(format!("the request broke off: {error}"), "ask again");
    read.map_err(broken)?;
    if line.pop() != Some(b'\n') {
        let what = match line.len() as u64 + 1 >= REQUEST_BYTES_MAX {
            true => format!("the request is longer than {REQUEST_BYTES_MAX} bytes"),
            false => "the request ended before its line did".to_owned(),
        };
        return Err(Refused::new(what, "send one line of JSON"));
    }
    Request::decode(&line)
}

async fn ask(request: Request, caller: Caller, asked: &mpsc::Sender<Asked>) -> Answer {
    let (answer, answered) = oneshot::channel();
    let busy = "the agent is busy with what takes long";
    if asked.try_send(Asked { request, caller, answer }).is_err() {
        return Refused::new(busy, "try again in a minute").into();
    }
    match timeout(ANSWER_WAIT, answered).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Refused::new("the agent is stopping", "start it again").into(),
        Err(_) => Refused::new(busy, "it may still do what was asked; see `history`").into(),
    }
}

fn line(answer: &Answer) -> Vec<u8> {
    let mut line = serde_json::to_vec(answer).expect("answers hold nothing but text and numbers");
    line.push(b'\n');
    line
}
