//! Clients that ask the same questions again and again, without reading the answers.
//!
//! Owns HTTP/1.1 as far as it is needed, so that asking costs as little as it can and the same
//! against every server. Fails if an answer is not the expected one by its status and length.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// A whole request, and the length of the body that answers it.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) request: Vec<u8>,
    pub(crate) answer: usize,
}

/// How it went: requests per second, and what nearly all of them took at most, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Served {
    pub(crate) rate: f64,
    pub(crate) p99: f64,
}

pub(crate) fn post(path: &str, action: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: text/xml; charset=utf-8\r\n\
         SOAPAction: {action}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Caller {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Caller {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Caller> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Caller { stream, buffer: vec![0; 1 << 20] })
    }

    /// The length of the body, whose bytes go to `keep`.
    pub(crate) async fn ask(
        &mut self,
        request: &[u8],
        mut keep: impl FnMut(&[u8]),
    ) -> Result<usize> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        let (head, length) = loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            ensure!(read > 0, "the server hung up");
            filled += read;
            if let Some(end) = self.buffer[..filled].windows(4).position(|w| w == b"\r\n\r\n") {
                break (end + 4, content_length(std::str::from_utf8(&self.buffer[..end])?)?);
            }
        };
        keep(&self.buffer[head..filled]);
        let mut rest: usize = length - (filled - head);
        while rest > 0 {
            let read = self.stream.read(&mut self.buffer).await?;
            ensure!(read > 0, "the server hung up");
            keep(&self.buffer[..read]);
            rest = rest.checked_sub(read).context("an answer longer than it says")?;
        }
        Ok(length)
    }
}

fn content_length(head: &str) -> Result<usize> {
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    ensure!(status.starts_with("HTTP/1.1 200"), "{status}");
    let named = lines.filter_map(|line| line.split_once(':'));
    let mut lengths = named.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let (_, length) = lengths.next().context("an answer without a length")?;
    Ok(length.trim().parse()?)
}

/// Each of `callers` asks all questions in their order, and again until there were `asked` in all.
pub(crate) async fn serve(
    address: SocketAddr,
    questions: &Arc<Vec<Question>>,
    (callers, asked): (usize, usize),
) -> Result<Served> {
    let mut running = JoinSet::new();
    let started = Instant::now();
    for number in 0..callers {
        let questions = questions.clone();
        running.spawn(async move {
            let mut caller = Caller::connect(address).await?;
            let mut took = Vec::new();
            // Not all of them ask the same at the same time.
            let from = number * questions.len() / callers;
            let order = questions.iter().cycle().skip(from);
            for question in order.take(asked / callers) {
                let started = Instant::now();
                let length = caller.ask(&question.request, |_| {}).await?;
                ensure!(length == question.answer, "{length} bytes, not {}", question.answer);
                took.push(started.elapsed().as_secs_f64() * 1_000.0);
            }
            anyhow::Ok(took)
        });
    }
    let mut took: Vec<f64> = Vec::new();
    while let Some(ended) = running.join_next().await {
        took.extend(ended??);
    }
    let rate = took.len() as f64 / started.elapsed().as_secs_f64();
    took.sort_by(f64::total_cmp);
    let p99 = took[((took.len() - 1) as f64 * 0.99) as usize];
    Ok(Served { rate, p99 })
}
