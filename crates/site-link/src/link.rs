//! The loop of one session: frames and commits in, frames out, until either side ends it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::{Group, error_chain};
use replication::Frame;
use site_db::{BatchLimits, SiteDb};
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;

use crate::{Error, Exchange, Hints, LinkBoard};

/// How often all heads are compared (docs/replication.md, section 5).
const COMPARE_EVERY: Duration = Duration::from_secs(15 * 60);

/// Frames waiting to be written. The window of batches and of walk buckets is smaller, so that
/// neither side can block the other while it writes.
pub(crate) const FRAMES_WAITING: usize = 64;

/// What every session of a site shares.
#[derive(Clone, Debug)]
pub struct Link {
    pub db: SiteDb,
    pub board: Arc<LinkBoard>,
    pub hints: Hints,
    pub limits: BatchLimits,
    /// Drawn once per start of the process.
    pub boot: u64,
}

impl Link {
    /// Runs one session to its end.
    pub(crate) async fn session(
        &self,
        exchange: Exchange,
        incoming: impl Stream<Item = Result<Frame, Error>> + Unpin,
        outgoing: mpsc::Sender<Frame>,
        shutdown: CancellationToken,
    ) -> Error {
        let neighbor = exchange.neighbor().code;
        let session = Session { db: &self.db, exchange: Arc::new(Mutex::new(exchange)), outgoing };
        let ended = session.run(incoming, self.hints.clone(), shutdown).await;
        let error = ended.err().unwrap_or(Error::Ended);
        let text = error_chain(&error);
        tracing::info!(peer.site = %neighbor, error = %text, "the link's session ended");
        self.board.update(neighbor, |view| {
            view.sessions = view.sessions.saturating_sub(1);
            view.problem = text;
        });
        error
    }
}

struct Session<'a> {
    db: &'a SiteDb,
    exchange: Arc<Mutex<Exchange>>,
    outgoing: mpsc::Sender<Frame>,
}

impl Session<'_> {
    async fn run(
        &self,
        mut incoming: impl Stream<Item = Result<Frame, Error>> + Unpin,
        hints: Hints,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        let mut commits = self.db.watch(&Group::ALL);
        let mut hinted = hints.to_children.subscribe();
        let mut compare = tokio::time::interval(COMPARE_EVERY);
        let exchange = Arc::clone(&self.exchange);
        let greeting = self
            .db
            .read(move |r| exchange.lock().unwrap_or_else(PoisonError::into_inner).start(r))
            .await?;
        self.send(greeting).await?;
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                frame = incoming.next() => {
                    let frame = frame.ok_or(Error::Ended)??;
                    self.step(Some(frame)).await?;
                }
                () = commits.changed() => self.step(None).await?,
                changed = hinted.changed() => {
                    changed.map_err(|_| Error::Ended)?;
                    self.step(None).await?;
                }
                _ = compare.tick() => {
                    self.exchange.lock().unwrap_or_else(PoisonError::into_inner).repeat_heads();
                    self.step(None).await?;
                }
            }
        }
    }

    /// A frame, if there is one, and what follows from it and from local commits, each in a
    /// transaction of its own.
    async fn step(&self, frame: Option<Frame>) -> Result<(), Error> {
        if let Some(frame) = frame {
            let exchange = Arc::clone(&self.exchange);
            let answers = self
                .db
                .write(move |w| {
                    exchange.lock().unwrap_or_else(PoisonError::into_inner).handle(w, frame)
                })
                .await?;
            self.send(answers).await?;
        }
        let exchange = Arc::clone(&self.exchange);
        let news = self
            .db
            .write(move |w| exchange.lock().unwrap_or_else(PoisonError::into_inner).pump(w))
            .await?;
        self.send(news).await
    }

    async fn send(&self, frames: Vec<Frame>) -> Result<(), Error> {
        for frame in frames {
            self.outgoing.send(frame).await.map_err(|_| Error::Ended)?;
        }
        Ok(())
    }
}
