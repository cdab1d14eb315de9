//! Files that packages of this site want and that are not in its content library: an update point
//! fetches them and uploads them to the site.
//!
//! Meets distribution-manager in the site database only: it says what is missing, and records what
//! arrived. What was asked for in vain is asked for again later; it holds up nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{Sha1, error_chain};
use site_db::{ContentDemand, Found, SiteDb};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use transport::Backoff;

use crate::Error;
use crate::limits::{RETRY_JITTER_PERCENT, RETRY_MAX, RETRY_MIN, WISHES_MAX};
use crate::session::{Answer, Order, Sessions};

/// A file as packages want it.
type Wanted = (Sha1, u64);

#[derive(Debug)]
pub(crate) struct Wishes {
    db: SiteDb,
    sessions: Arc<Sessions>,
    backoff: Backoff,
    /// Still missing although an update point was asked for them.
    in_vain: BTreeSet<Wanted>,
    /// When they are asked for again.
    retry_at: Option<Instant>,
}

/// What one look at the missing files came to.
#[derive(Clone, Copy, Debug)]
enum Look {
    Nothing,
    Asked,
    InVain { files: usize },
}

impl Wishes {
    pub(crate) fn new(db: SiteDb, sessions: Arc<Sessions>) -> Result<Wishes, Error> {
        let backoff = Backoff::new(RETRY_MIN, RETRY_MAX, RETRY_JITTER_PERCENT)?;
        Ok(Wishes { db, sessions, backoff, in_vain: BTreeSet::new(), retry_at: None })
    }

    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let mut changes = self.db.watch(&[]);
        let work = async {
            loop {
                match self.step().await {
                    Ok(Look::Asked) => {}
                    Ok(Look::Nothing) => {
                        self.begin_anew();
                        self.backoff.reset();
                        changes.changed().await;
                    }
                    Ok(Look::InVain { files }) => {
                        let retry_at = self.retry_at(files);
                        tokio::select! {
                            biased;
                            () = sleep_until(retry_at) => self.begin_anew(),
                            () = changes.changed() => {}
                        }
                    }
                    Err(error) => {
                        tracing::warn!(error = %error_chain(&error), "files were not fetched");
                        sleep(self.backoff.wait(self.db.ambient())).await;
                    }
                }
            }
        };
        shutdown.run_until_cancelled(work).await;
    }

    fn begin_anew(&mut self) {
        (self.in_vain, self.retry_at) = (BTreeSet::new(), None);
    }

    fn retry_at(&mut self, files: usize) -> Instant {
        let begin = || {
            tracing::warn!(files, "files are still missing");
            Instant::now() + self.backoff.wait(self.db.ambient())
        };
        *self.retry_at.get_or_insert_with(begin)
    }

    /// Asks once for what is missing and was not asked for in vain before.
    async fn step(&mut self) -> Result<Look, Error> {
        let mut missing = self.missing().await?;
        let files = missing.len();
        missing.retain(|file, _| !self.in_vain.contains(file));
        let asked: BTreeMap<_, _> = missing.into_iter().take(WISHES_MAX).collect();
        if asked.is_empty() {
            return Ok(if files == 0 { Look::Nothing } else { Look::InVain { files } });
        }
        let site = self.db.identity().code();
        let (points, number) = self
            .db
            .write(move |w| Ok::<_, Error>((w.update_points(site)?, w.next("sync_order")?)))
            .await?;
        let first = points.into_iter().next().ok_or(Error::NoPoint { site })?;
        let id = first.id;
        let languages = self.db.read(move |r| r.file_languages(id)).await?;
        let wanted = asked.values().map(|demand| (demand.update, demand.file.clone()));
        let order = Order::FetchFiles(wanted.collect(), languages);
        let mut answers = self.sessions.send(&first, number, order).await?;
        let failures = loop {
            match answers.next().await? {
                Answer::Fetched { failures } => break failures,
                Answer::Progress { .. } => {}
                _ => return Err(Error::Answer),
            }
        };
        let note = move |w: &site_db::Writer<'_>| {
            // Without a reason: it is for languages alone that this site does not want (SUP-34).
            failures.iter().try_for_each(|(sha1, reason)| match reason.is_empty() {
                true => w.drop_demand(*sha1),
                false => w.note_demand_failure(*sha1, reason),
            })
        };
        self.db.write(note).await?;
        let missing = self.missing().await?;
        if asked.keys().any(|file| !missing.contains_key(file)) {
            self.backoff.reset();
        }
        self.in_vain.extend(asked.into_keys().filter(|file| missing.contains_key(file)));
        Ok(Look::Asked)
    }

    async fn missing(&self) -> Result<BTreeMap<Wanted, ContentDemand>, Error> {
        let demands = self.db.read(|r| r.demands()).await?.into_iter();
        let missing = demands.filter(|demand| demand.found == Found::Missing);
        Ok(missing.map(|demand| ((demand.file.sha1, demand.file.size), demand)).collect())
    }
}
