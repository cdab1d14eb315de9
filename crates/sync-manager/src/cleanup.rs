//! Deletes what expired long ago and is in no use: at the top-level site, every hour (SUPX-06,
//! SUPX-07).
//!
//! Owns the run: its row is there before anything is deleted, every batch and its count are one
//! transaction, and a run that a crash interrupted goes on. What may go is a pure decision over the
//! items as they stand, made anew whenever somebody else wrote meanwhile. Catalogs of update points
//! let the same updates go with the next catalog version, so that their sets stay equal; while a
//! synchronization compares sets, nothing is deleted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use model::{
    Cleanable, Cleaned, Group, Item, Kind, Ruled, Ruling, StreamId, Timestamp, UpdateId, Verdict,
    deletable, error_chain,
};
use rpc::object::ObjectBody as _;
use site_db::{
    CLEANUP_EVERY_MS, Changes, CleanupRun, Own, Reader, SiteDb, SyncStep, Writer, own_ruling,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::limits::{CLEANED_PER_WRITE, RETRY_MIN};
use crate::messages::Message;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

#[derive(Debug)]
pub(crate) struct Cleaner {
    db: SiteDb,
    local: Changes,
}

/// What can go, as the catalog stood at a position of its stream.
struct Plan {
    updates: Vec<UpdateId>,
    position: u64,
    /// What groups named.
    assigned: Arc<BTreeSet<UpdateId>>,
}

/// What became of a batch.
enum Batch {
    Done(CleanupRun, u64),
    /// Somebody else changed the catalog, or a group; what may go has to be found anew.
    Outdated,
    /// A synchronization compares sets.
    Busy,
}

impl Cleaner {
    pub(crate) fn new(db: SiteDb) -> Cleaner {
        Cleaner { local: db.watch(&[]), db }
    }

    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        if !self.db.identity().is_top() {
            return;
        }
        let work = async {
            loop {
                if let Err(error) = self.step().await {
                    tracing::error!(error = %error_chain(&error), "cleanup stumbled");
                    sleep(RETRY_MIN).await;
                }
            }
        };
        shutdown.run_until_cancelled(work).await;
    }

    /// The run under way, a new one, or a wait until one is due.
    async fn step(&mut self) -> Result<(), Error> {
        let read = |r: &Reader<'_>| Ok::<_, Error>((r.cleanup_run()?, r.cleanup_request()?));
        let (last, request) = self.db.read(read).await?;
        if let Some(run) = last.clone().filter(|run| run.ended_at.is_none()) {
            return self.go_on(run).await;
        }
        let due = last.map_or(Timestamp(i64::MIN), |run| run.started_at.plus_ms(CLEANUP_EVERY_MS));
        let wait = u64::try_from(due.0.saturating_sub(self.db.ambient().now_ms())).unwrap_or(0);
        match request {
            Some(reason) => self.begin(reason).await,
            None if wait == 0 => self.begin("every hour".to_owned()).await,
            None => {
                let wait = Duration::from_millis(wait);
                // Until then, somebody may ask for one.
                let _ = tokio::time::timeout(wait, self.local.changed()).await;
                Ok(())
            }
        }
    }

    async fn begin(&mut self, reason: String) -> Result<(), Error> {
        let total = self.db.read(plan).await?.updates.len() as u64;
        let run = self.db.write(move |w| w.begin_cleanup(&reason, total)).await?;
        if total > 0 {
            tracing::info!(run = run.number, total, "deleting old expired updates");
        }
        Ok(())
    }

    /// Batch by batch, to the end of the run.
    async fn go_on(&mut self, mut run: CleanupRun) -> Result<(), Error> {
        loop {
            let Plan { updates, mut position, assigned } = self.db.read(plan).await?;
            if updates.is_empty() {
                return self.end(run).await;
            }
            run.total = run.done + updates.len() as u64;
            for batch in updates.chunks(CLEANED_PER_WRITE) {
                let (batch, row, assigned) = (batch.to_vec(), run.clone(), Arc::clone(&assigned));
                let delete = move |w: &Writer<'_>| delete(w, row, &batch, (position, &assigned));
                match self.db.write(delete).await? {
                    Batch::Done(saved, at) => (run, position) = (saved, at),
                    Batch::Outdated => break,
                    Batch::Busy => {
                        self.local.changed().await;
                        break;
                    }
                }
                ambient::failpoint("cleanup.batch");
                let (number, deleted) = (run.number, run.deleted);
                tracing::info!(run = number, deleted, total = run.total, "deleted expired updates");
            }
        }
    }

    async fn end(&self, mut run: CleanupRun) -> Result<(), Error> {
        let (number, done, deleted) = (run.number, run.done, run.deleted);
        let end = move |w: &Writer<'_>| {
            run.ended_at = Some(w.now());
            w.save_cleanup(&run)?;
            if run.deleted > 0 {
                let strings = vec![run.done.to_string(), run.deleted.to_string()];
                let message = Message::new(60_130, "", strings);
                w.append_status(&message.at(w.identity().code(), w.now()))?;
            }
            Ok::<_, Error>(())
        };
        self.db.write(end).await?;
        if done > 0 {
            tracing::info!(run = number, processed = done, deleted, "cleanup is done");
        }
        Ok(())
    }
}

/// Where this site's catalog stands.
fn position(r: &Reader<'_>) -> Result<u64, Error> {
    let stream = StreamId { group: Group::Catalog, owner: r.identity().owner };
    Ok(r.stream(stream)?.map_or(0, |stream| stream.local.position.seq))
}

fn plan(r: &Reader<'_>) -> Result<Plan, Error> {
    let position = position(r)?;
    let age_ms = i64::from(r.cleanup_age_days()?).saturating_mul(DAY_MS);
    // Mostly nothing is, and the items need not be read.
    let assigned = Arc::new(r.assigned_updates()?);
    if r.expired_count()? == 0 {
        return Ok(Plan { updates: Vec::new(), position, assigned });
    }
    let mut used = kept(r)?;
    used.extend(assigned.iter());
    let mut items = Vec::new();
    r.visit(Kind::Item, |_, body| {
        let Item { update, expired, expired_at, hidden, bundles, prerequisites, .. } =
            Item::decode(&body)?;
        items.push(Cleanable {
            id: update.id,
            expired_at: expired_at.filter(|_| expired),
            is_part: hidden,
            parts: bundles.iter().map(|part| part.id).collect(),
            prerequisites,
        });
        Ok(())
    })?;
    let updates = deletable(&items, &used, r.now().plus_ms(-age_ms));
    Ok(Plan { updates, position, assigned })
}

/// The updates that an administrator keeps.
pub(crate) fn kept(r: &Reader<'_>) -> Result<BTreeSet<UpdateId>, Error> {
    let mut kept = BTreeSet::new();
    r.visit(Kind::Ruling, |_, body| {
        let ruling = Ruling::decode(&body)?;
        kept.extend((ruling.verdict == Verdict::Kept).then_some(ruling.update));
        Ok(())
    })?;
    Ok(kept)
}

/// Deletes a batch that was planned at a position of the catalog and with these groups, and counts
/// it.
fn delete(
    w: &Writer<'_>,
    mut run: CleanupRun,
    batch: &[UpdateId],
    (planned_at, assigned): (u64, &BTreeSet<UpdateId>),
) -> Result<Batch, Error> {
    let is_comparing = |step| matches!(step, SyncStep::UpdatePoint | SyncStep::Database);
    if w.sync_run()?.is_some_and(|run| is_comparing(run.step)) {
        return Ok(Batch::Busy);
    }
    // A group may name a bundle whose parts were to go.
    if position(w)? != planned_at || w.assigned_updates()? != *assigned {
        return Ok(Batch::Outdated);
    }
    let version = w.catalog_version()?.map_or(0, |last| last.version) + 1;
    let mut changes = Vec::new();
    for id in batch {
        let Some(item) = w.get::<Item>(id.as_bytes())? else { continue };
        changes.push(Own::delete(Kind::Item, id.as_bytes().to_vec()));
        changes.extend(own_ruling(*id, ruled(w, &item, version)?));
        w.release_publication(*id)?;
        run.deleted += 1;
    }
    w.write_own(Group::Catalog, changes)?;
    run.done += batch.len() as u64;
    w.save_cleanup(&run)?;
    Ok(Batch::Done(run, position(w)?))
}

/// What remembers the item, so that it does not come back unless it changed. What catalogs lost by
/// themselves may come back any time.
fn ruled(w: &Writer<'_>, item: &Item, version: u64) -> Result<Ruled, Error> {
    if item.withdrawn {
        return Ok(Ruled::Unchanged);
    }
    let id = item.update.id;
    let held: Option<Ruling> = w.get(id.as_bytes())?;
    let ruling = held.unwrap_or_else(|| Ruling::new(id, Verdict::Expired, "", w.now()));
    let (revision, number) = (item.update.revision, item.number);
    Ok(Ruled::Put(Ruling { cleaned: Some(Cleaned { revision, number, version }), ..ruling }))
}

#[cfg(test)]
mod tests;
