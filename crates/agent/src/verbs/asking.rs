//! The end of the socket that asks.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::opened;
use crate::control::Request;
use crate::control::limits::{ANSWER_BYTES_MAX, COMMAND_WAIT};

/// Why there is no answer to print.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{what}\n  remedy: {remedy}")]
    Refused { what: String, remedy: String },
    #[error(
        "no agent answers at {} ({reason})\n  remedy: start it with `systemctl start \
         tierline-agent` or `tierline-agent --config FILE run`; --socket names another one's \
         socket",
        path.display()
    )]
    Absent { path: PathBuf, reason: io::Error },
    #[error(
        "{} is open to its owner alone\n  remedy: use sudo, or have `control_socket` in the \
         agent's configuration name a place that everybody can reach",
        path.display()
    )]
    Closed { path: PathBuf },
    #[error("the agent at {} broke off; read its log", path.display())]
    Broken { path: PathBuf, source: io::Error },
    #[error("the agent at {} did not answer in time; read its log", path.display())]
    Silent { path: PathBuf },
    #[error("the answer of the agent at {} is not understood: {reason}", path.display())]
    Answer { path: PathBuf, reason: String },
    #[error("the answer cannot be written")]
    Print(#[source] io::Error),
}

/// Asks the first that answers; who may not ask the first is told so only if there is no other.
pub(super) async fn ask(places: &[PathBuf], request: &Request) -> Result<Value, Failure> {
    let mut failure = None;
    for path in places {
        match UnixStream::connect(path).await {
            Ok(stream) => {
                let conversation = timeout(COMMAND_WAIT, converse(stream, request));
                let line =
                    conversation.await.map_err(|_| Failure::Silent { path: path.clone() })?;
                let broken = |source| Failure::Broken { path: path.clone(), source };
                return answer(path, &line.map_err(broken)?);
            }
            Err(error) => {
                let _ = failure.get_or_insert(unreached(path, error));
            }
        }
    }
    Err(failure.expect("at least one place is asked"))
}

fn unreached(path: &Path, reason: io::Error) -> Failure {
    let path = path.to_owned();
    match reason.kind() {
        ErrorKind::PermissionDenied => Failure::Closed { path },
        _ => Failure::Absent { path, reason },
    }
}

async fn converse(mut stream: UnixStream, request: &Request) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    // One that turns people away has answered already, and is gone; what it said is still there.
    let written = stream.write_all(&line).await;
    let mut answer = Vec::new();
    let mut stream = BufReader::new(stream).take(ANSWER_BYTES_MAX);
    let read = stream.read_until(b'\n', &mut answer).await;
    written.and(read.map(drop)).or_else(
        |error| {
            if answer.is_empty() { Err(error) } else { Ok(()) }
        },
    )?;
    Ok(answer)
}

fn answer(path: &Path, line: &[u8]) -> Result<Value, Failure> {
    let unclear = |reason: String| Failure::Answer { path: path.to_owned(), reason };
    let value = serde_json::from_slice(line).map_err(|error| unclear(error.to_string()))?;
    let (kind, value) = opened(value).ok_or_else(|| unclear("it is no answer".to_owned()))?;
    if kind != "refused" {
        return Ok(value);
    }
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    Err(Failure::Refused { what: text("what"), remedy: text("remedy") })
}
