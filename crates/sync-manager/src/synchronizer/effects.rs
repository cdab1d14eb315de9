//! What each step does: orders to update points, and their answers into the site database.

use std::collections::BTreeSet;

use model::{CatalogVersion, Category, CategoryTree, Group, RoleRecord};
use site_db::{Reader, SyncRequest, SyncRun, SyncSource, SyncStep};
use transport::Backoff;

use super::Synchronizer;
use crate::Error;
use crate::items::{apply_page, sweep};
use crate::limits::{
    EXPIRED_PER_WRITE, PATIENCE, PROGRESS_MESSAGE_MS, RETRY_JITTER_PERCENT, RETRY_MAX, RETRY_MIN,
};
use crate::machine::{Event, Place};
use crate::messages::{Message, progress_line};
use crate::session::{Answer, Answers, Order, Synchronized, Target};
use crate::supersedence::{due, expire};

impl Synchronizer {
    pub(super) async fn perform(&mut self, run: &mut SyncRun) -> Result<Event, Error> {
        match run.step {
            SyncStep::UpdatePoint => self.synchronize_first(run).await,
            SyncStep::Database => self.take_changes(run).await,
            SyncStep::Replicas => self.follow(run).await,
            SyncStep::Succeeded | SyncStep::Failed | SyncStep::Cancelled => {
                Err(Error::transition(run.step, &"going on"))
            }
        }
    }

    /// Names of the first update point and of its source, for messages.
    pub(super) async fn names(&self) -> Result<(String, String), Error> {
        let first = match self.first().await {
            Ok(first) => first.name,
            Err(Error::NoPoint { .. }) => String::new(),
            Err(error) => return Err(error),
        };
        Ok(match self.source(false).await {
            Ok(target) => (first, target.source.url),
            // The run itself fails at this, and says why.
            Err(Error::NoSource { .. } | Error::Database(site_db::Error::Invalid(_))) => {
                (first, String::new())
            }
            Err(error) => return Err(error),
        })
    }

    pub(super) async fn first(&self) -> Result<RoleRecord, Error> {
        let site = self.db.identity().code();
        let points = self.db.read(move |r| r.update_points(site)).await?;
        points.into_iter().next().ok_or(Error::NoPoint { site })
    }

    /// What the first update point synchronizes with (SYNC-02, SYNC-14).
    async fn source(&self, is_full: bool) -> Result<Target, Error> {
        let parent = self.db.identity().parent;
        let read = move |r: &Reader<'_>| {
            let (source, languages) = match parent {
                None => (r.sync_source()?, r.summary_languages()?),
                Some(site) => {
                    let first = r.update_points(site)?.into_iter().next();
                    let url = first.ok_or(Error::NoSource { site })?.url;
                    let languages = r.catalog_version()?.map(|catalog| catalog.languages);
                    (SyncSource { url, ..SyncSource::default() }, languages.unwrap_or_default())
                }
            };
            // A child site has what its parent has: what was chosen once, and imports too.
            let (products, classifications) = match parent {
                None => categories(r)?.selection(),
                Some(_) => Default::default(),
            };
            let (site, wanted) = (parent, None);
            Ok(Target { source, site, is_full, products, classifications, languages, wanted })
        };
        self.db.read(read).await
    }

    pub(super) async fn ask(&mut self, point: &RoleRecord, order: Order) -> Result<Answers, Error> {
        let number = self.db.write(|w| w.next("sync_order")).await?;
        self.turn.order = Some((point.id, number));
        self.sessions.send(point, number, order).await
    }

    async fn synchronize_first(&mut self, run: &mut SyncRun) -> Result<Event, Error> {
        let first = self.first().await?;
        self.sessions.ready(&first).await?;
        if self.sessions.is_replica(first.id) {
            return Err(Error::Replica { name: first.name });
        }
        let mut target = self.source(run.is_full).await?;
        if self.place == Place::Top {
            run.products.clone_from(&target.products);
            let done = self.synchronize(run, &first, target).await?;
            self.turn.set = Some((done.set_digest, done.updates));
            return Ok(Event::Synchronized);
        }
        let mut patience = Backoff::new(RETRY_MIN, RETRY_MAX, RETRY_JITTER_PERCENT)?;
        for attempt in 1.. {
            let wanted = self.replicated_catalog().await?;
            target.wanted = Some((wanted.version, wanted.set_digest));
            target.languages = wanted.languages;
            match self.synchronize(run, &first, target.clone()).await {
                Ok(done) => {
                    check_set(&done, &wanted)?;
                    run.version = wanted.version;
                    run.updates_changed = self.db.read(move |r| arrived(r, wanted.version)).await?;
                    break;
                }
                // The parent's update point may be on its way to the version.
                Err(Error::PointFailed { reason, is_transient: true }) if attempt < PATIENCE => {
                    tracing::info!(run = run.number, reason, "the update point tries again");
                    tokio::time::sleep(patience.wait(self.db.ambient())).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Event::Complete)
    }

    /// The catalog version the parent asked for, or a later one, once all of it is here (R2).
    async fn replicated_catalog(&self) -> Result<CatalogVersion, Error> {
        let mut changes = self.db.watch(&[Group::Catalog]);
        loop {
            let wanted = *self.from_parent.borrow();
            let read = |r: &Reader<'_>| {
                let settled = r.is_settled(Group::Catalog)?;
                Ok::<_, Error>(r.catalog_version()?.filter(|_| settled))
            };
            if let Some(catalog) = self.db.read(read).await?.filter(|c| c.version >= wanted) {
                return Ok(catalog);
            }
            changes.changed().await;
        }
    }

    pub(super) async fn synchronize(
        &mut self,
        run: &mut SyncRun,
        point: &RoleRecord,
        target: Target,
    ) -> Result<Synchronized, Error> {
        // What the version to be reached knows of rulings decides about its set.
        let reached = self.db.read(|r| r.catalog_version()).await?.map_or(0, |last| last.version);
        let version = target.wanted.map_or(reached + 1, |(version, _)| version);
        self.rulings.tell(point, version).await?;
        let mut answers = self.ask(point, Order::Synchronize(target)).await?;
        loop {
            match answers.next().await? {
                Answer::Progress { phase, done, total } => {
                    self.progress(run, (&point.name, &phase), (done, total)).await?;
                }
                Answer::Synchronized(done) => return Ok(done),
                _ => return Err(Error::Answer),
            }
        }
    }

    /// The update point's changes since the last time, page by page (SYNC-06).
    async fn take_changes(&mut self, run: &mut SyncRun) -> Result<Event, Error> {
        let first = self.first().await?;
        let id = first.id;
        let (mut point, last) = self
            .db
            .read(move |r| Ok::<_, Error>((r.sync_point(id)?, r.catalog_version()?)))
            .await?;
        let version = last.map_or(0, |last| last.version) + 1;
        let anchor = if run.is_full { 0 } else { point.anchor };
        let (extractor, mut named) = (point.extractor, BTreeSet::new());
        let mut answers = self.ask(&first, Order::GetChanges { anchor, extractor }).await?;
        loop {
            let Answer::Changes(page) = answers.next().await? else { return Err(Error::Answer) };
            named.extend(page.ids());
            (point.anchor, point.extractor) = (page.anchor, page.extractor);
            let (is_last, count) = (page.is_last, page.ids().count() as u64);
            run.updates_changed += self.db.write(move |w| apply_page(w, page, version)).await?;
            ambient::failpoint("sync.page");
            let done = run.done + count;
            self.progress(run, (&first.name, "updates"), (done, done)).await?;
            if is_last {
                break;
            }
        }
        let asked = run.products.clone();
        let finish = move |w: &site_db::Writer<'_>| {
            let swept = if anchor == 0 { sweep(w, &named)? } else { 0 };
            w.save_sync_point(id, &point)?;
            // A family that was chosen brings along what came of it with this run.
            let (products, _) = categories(w)?.selection();
            if !asked.is_empty() && products.iter().any(|product| !asked.contains(product)) {
                let reason = "new products of what is subscribed".to_owned();
                w.request_sync(&SyncRequest { is_full: false, reason })?;
            }
            Ok::<_, Error>(swept)
        };
        run.updates_changed += self.db.write(finish).await?;
        self.expire_superseded(run).await?;
        Ok(Event::Complete)
    }

    async fn expire_superseded(&self, run: &mut SyncRun) -> Result<(), Error> {
        let now = self.now();
        let due = self.db.read(move |r| due(r, now)).await?;
        for ids in due.chunks(EXPIRED_PER_WRITE) {
            let ids = ids.to_vec();
            run.updates_changed += self.db.write(move |w| expire(w, &ids)).await?;
        }
        if !due.is_empty() {
            tracing::info!(run = run.number, count = due.len(), "superseded updates have expired");
        }
        Ok(())
    }

    /// Where the run can be seen: its row at every percent, a status message once a minute.
    async fn progress(
        &mut self,
        run: &mut SyncRun,
        (point, phase): (&str, &str),
        (done, total): (u64, u64),
    ) -> Result<(), Error> {
        let percent = |done: u64, total: u64| (done * 100).checked_div(total);
        let same = run.phase == phase && percent(run.done, run.total) == percent(done, total);
        (run.phase, run.done, run.total) = (phase.to_owned(), done, total);
        if same && done != total {
            return Ok(());
        }
        let now = self.now();
        let line = progress_line(phase, done, total, now.0 - run.started_at.0);
        tracing::info!(run = run.number, "{line}");
        let id = match run.step {
            SyncStep::UpdatePoint => Some(6704),
            SyncStep::Database => Some(6705),
            _ => None,
        };
        let due = self.turn.messaged_at.get_or_insert(run.started_at);
        let id = id.filter(|_| now.0 - due.0 >= PROGRESS_MESSAGE_MS);
        if id.is_some() {
            *due = now;
        }
        let message = id.map(|id| Message::new(id, point, vec![line]));
        let row = run.clone();
        let save = move |w: &site_db::Writer<'_>| {
            w.save_sync(&row)?;
            message.map_or(Ok(()), |m| w.append_status(&m.at(w.identity().code(), w.now())))
        };
        Ok(self.db.write(save).await?)
    }

    /// The next synchronization takes the whole catalog of the first update point.
    pub(super) async fn forget_anchor(&self) -> Result<(), Error> {
        let RoleRecord { id, .. } = self.first().await?;
        let forget = move |w: &site_db::Writer<'_>| {
            let mut point = w.sync_point(id)?;
            point.anchor = 0;
            w.save_sync_point(id, &point)
        };
        Ok(self.db.write(forget).await?)
    }
}

/// Companies, products and classifications as a tree.
fn categories(r: &Reader<'_>) -> Result<CategoryTree, Error> {
    Ok(r.list::<Category>()?.into_iter().map(|(_, category)| category).collect())
}

/// The updates that came with the versions since the last one completed here.
fn arrived(r: &Reader<'_>, version: u64) -> Result<u64, Error> {
    let complete = r.complete_version()?;
    let items = r.numbered_items()?;
    let news = items.iter().filter(|item| item.since > complete && item.since <= version);
    Ok(news.count() as u64)
}

pub(super) fn check_set(found: &Synchronized, wanted: &CatalogVersion) -> Result<(), Error> {
    let CatalogVersion { version, items, set_digest, languages: _ } = *wanted;
    if found.set_digest == set_digest {
        return Ok(());
    }
    Err(Error::Sets { version, found: found.updates, wanted: items })
}
