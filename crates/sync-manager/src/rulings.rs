//! What was ruled of updates, to the update points of this site (SUPX-05).
//!
//! Owns the comparison of what is ruled with what each update point was told last: a difference is
//! told as a whole, in parts that each stand for a range of ids, so that one that is repeated does
//! nothing. Before a synchronization its update point is told what the version it shall reach
//! knows; otherwise it hears of it as soon as it has nothing else to do. Refuses to know why
//! something is ruled.

use std::sync::Arc;
use std::time::Duration;

use model::{Group, RoleRecord, Sha256, UpdateId, error_chain};
use site_db::{CatalogRuling, Reader, SiteDb};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use transport::Backoff;

use crate::Error;
use crate::limits::{BUSY_WAIT, RETRY_JITTER_PERCENT, RETRY_MAX, RETRY_MIN, RULINGS_PER_ORDER};
use crate::session::{Answer, Order, Sessions, Turn};

/// Updates of a range of ids, and what is ruled of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RulingRange {
    pub(crate) from: Option<UpdateId>,
    pub(crate) to: Option<UpdateId>,
    pub(crate) rulings: Vec<CatalogRuling>,
}

/// What an update point has to be told.
#[derive(Debug)]
struct News {
    rulings: Vec<CatalogRuling>,
    digest: Sha256,
    /// The catalog version that it is told them for.
    version: u64,
}

/// The whole of `rulings`, which come in order of id, in ranges that leave nothing out.
fn ranges(rulings: &[CatalogRuling], length: usize) -> Vec<RulingRange> {
    let mut chunks = rulings.chunks(length).peekable();
    let mut ranges = Vec::new();
    let mut from = None;
    loop {
        let rulings = chunks.next().unwrap_or_default().to_vec();
        let to = chunks.peek().and_then(|next| next.first()).map(|first| first.update);
        ranges.push(RulingRange { from, to, rulings });
        if to.is_none() {
            return ranges;
        }
        from = to;
    }
}

#[derive(Debug)]
pub(crate) struct Rulings {
    db: SiteDb,
    sessions: Arc<Sessions>,
}

impl Rulings {
    pub(crate) fn new(db: SiteDb, sessions: Arc<Sessions>) -> Rulings {
        Rulings { db, sessions }
    }

    /// Tells update points whenever something was ruled, or one of them came.
    pub(crate) async fn run(&self, shutdown: CancellationToken) -> Result<(), Error> {
        let mut backoff = Backoff::new(RETRY_MIN, RETRY_MAX, RETRY_JITTER_PERCENT)?;
        let (mut catalog, mut points) = (self.db.watch(&[Group::Catalog]), self.sessions.watch());
        let work = async {
            loop {
                let told = self.tell_all().await;
                let wait = self.wait_after(told, &mut backoff);
                let retry = async {
                    match wait {
                        Some(wait) => tokio::time::sleep(wait).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    biased;
                    () = catalog.changed() => {}
                    _ = points.changed() => {}
                    () = retry => {}
                }
            }
        };
        shutdown.run_until_cancelled(work).await;
        Ok(())
    }

    /// How long until the next try; none is needed after success.
    fn wait_after(&self, told: Result<(), Error>, backoff: &mut Backoff) -> Option<Duration> {
        match told {
            Ok(()) => {
                backoff.reset();
                None
            }
            // It was waited for already.
            Err(Error::Busy { .. }) => Some(Duration::ZERO),
            Err(error) => {
                let error = error_chain(&error);
                tracing::info!(error, "an update point could not be told what is declined");
                Some(backoff.wait(self.db.ambient()))
            }
        }
    }

    /// Whoever has something else to do is left for the next time.
    async fn tell_all(&self) -> Result<(), Error> {
        let points = self.db.read(|r| r.update_points(r.identity().code())).await?;
        let mut failure = Ok(());
        for point in points.iter().filter(|point| self.sessions.is_connected(point.id)) {
            match self.tell_if_idle(point).await {
                Ok(()) => {}
                Err(Error::Busy { .. }) if failure.is_err() => {}
                Err(error) => failure = Err(error),
            }
        }
        failure
    }

    async fn tell_if_idle(&self, point: &RoleRecord) -> Result<(), Error> {
        if self.news(point, 0).await?.is_none() {
            return Ok(());
        }
        let busy = |_| Error::Busy { name: point.name.clone() };
        let turn = timeout(BUSY_WAIT, self.sessions.turn(point)).await.map_err(busy)??;
        self.tell_in(turn, point, 0).await
    }

    /// Tells `point` what a catalog has to know that is at `version`, or at a later one that it was
    /// told for before.
    pub(crate) async fn tell(&self, point: &RoleRecord, version: u64) -> Result<(), Error> {
        if self.news(point, version).await?.is_none() {
            return Ok(());
        }
        let turn = self.sessions.turn(point).await?;
        self.tell_in(turn, point, version).await
    }

    /// What `point` does not know yet.
    async fn news(&self, point: &RoleRecord, version: u64) -> Result<Option<News>, Error> {
        let id = point.id;
        let read = move |r: &Reader<'_>| {
            let known = r.sync_point(id)?;
            let version = version.max(known.version).max(known.ruled_for);
            Ok::<_, Error>((known.rulings, version, r.catalog_rulings(version)?))
        };
        let (told, version, rulings) = self.db.read(read).await?;
        let digest = CatalogRuling::digest(&rulings);
        // A replica of a foreign server takes its decisions from there.
        let is_known = told == digest.0 || (told.is_empty() && rulings.is_empty());
        let has_news = !is_known && !self.sessions.is_replica(id);
        Ok(has_news.then_some(News { rulings, digest, version }))
    }

    /// In one turn, so that parts of two lists do not mix.
    async fn tell_in(&self, mut turn: Turn, point: &RoleRecord, version: u64) -> Result<(), Error> {
        // Somebody else may have told it before its turn came.
        let Some(news) = self.news(point, version).await? else { return Ok(()) };
        let News { rulings, digest, version } = news;
        let id = point.id;
        for range in ranges(&rulings, RULINGS_PER_ORDER) {
            let number = self.db.write(|w| w.next("sync_order")).await?;
            let mut answers = self.sessions.order(turn, number, Order::SetRulings(range)).await?;
            let Answer::Synchronized(_) = answers.next().await? else { return Err(Error::Answer) };
            turn = answers.into_turn();
        }
        drop(turn);
        tracing::info!(point = point.name, rulings = rulings.len(), "told what is declined");
        Ok(self.db.write(move |w| w.set_point_rulings(id, digest, version)).await?)
    }
}

#[cfg(test)]
mod tests;
