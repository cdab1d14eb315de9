//! Files that packages of this site want and that are not in its content library: an update point
//! fetches them and uploads them to the site.
//!
//! Meets distribution-manager in the site database only: it says what is missing, and records what
//! arrived.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::error_chain;
use site_db::{ContentDemand, Found, SiteDb};
use tokio_util::sync::CancellationToken;
use transport::Backoff;

use crate::Error;
use crate::limits::{RETRY_JITTER_PERCENT, RETRY_MAX, RETRY_MIN, WISHES_MAX};
use crate::session::{Answer, Order, Sessions};

#[derive(Debug)]
pub(crate) struct Wishes {
    db: SiteDb,
    sessions: Arc<Sessions>,
    backoff: Backoff,
}

/// How many files were missing before and after an order.
#[derive(Clone, Copy, Debug)]
struct Missing {
    before: usize,
    after: usize,
}

impl Wishes {
    pub(crate) fn new(db: SiteDb, sessions: Arc<Sessions>) -> Result<Wishes, Error> {
        let backoff = Backoff::new(RETRY_MIN, RETRY_MAX, RETRY_JITTER_PERCENT)?;
        Ok(Wishes { db, sessions, backoff })
    }

    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let mut changes = self.db.watch(&[]);
        let work = async {
            loop {
                match self.step().await {
                    Ok(Missing { after: 0, .. }) => {
                        self.backoff.reset();
                        changes.changed().await;
                    }
                    Ok(missing) if missing.after < missing.before => self.backoff.reset(),
                    Ok(Missing { after, .. }) => {
                        tracing::warn!(files = after, "files are still missing");
                        tokio::time::sleep(self.backoff.wait(self.db.ambient())).await;
                    }
                    Err(error) => {
                        tracing::warn!(error = %error_chain(&error), "files were not fetched");
                        tokio::time::sleep(self.backoff.wait(self.db.ambient())).await;
                    }
                }
            }
        };
        shutdown.run_until_cancelled(work).await;
    }

    /// Asks once for what is missing.
    async fn step(&self) -> Result<Missing, Error> {
        let wanted = self.missing().await?;
        let before = wanted.len();
        if before == 0 {
            return Ok(Missing { before, after: 0 });
        }
        let site = self.db.identity().code();
        let (points, number) = self
            .db
            .write(move |w| Ok::<_, Error>((w.update_points(site)?, w.next("sync_order")?)))
            .await?;
        let first = points.into_iter().next().ok_or(Error::NoPoint { site })?;
        let wanted = wanted.into_iter().take(WISHES_MAX).map(|demand| (demand.update, demand.file));
        let order = Order::FetchFiles(wanted.collect());
        let mut answers = self.sessions.send(&first, number, order).await?;
        let failures = loop {
            match answers.next().await? {
                Answer::Fetched { failures } => break failures,
                Answer::Progress { .. } => {}
                _ => return Err(Error::Answer),
            }
        };
        let note = move |w: &site_db::Writer<'_>| {
            failures.iter().try_for_each(|(sha1, reason)| w.note_demand_failure(*sha1, reason))
        };
        self.db.write(note).await?;
        Ok(Missing { before, after: self.missing().await?.len() })
    }

    async fn missing(&self) -> Result<Vec<ContentDemand>, Error> {
        let demands = self.db.read(|r| r.demands()).await?.into_iter();
        let missing = demands.filter(|demand| demand.found == Found::Missing);
        let by_file = missing.map(|demand| ((demand.file.sha1, demand.file.size), demand));
        let distinct: BTreeMap<_, _> = by_file.collect();
        Ok(distinct.into_values().collect())
    }
}
