//! After completion: update points are told which version they hold, child sites that there is one,
//! and the other update points of the site follow one at a time (SYNC-10 … SYNC-12).

use model::{CatalogVersion, Languages, RoleRecord};
use site_db::{Reader, SyncRun, SyncSource};

use super::Synchronizer;
use super::effects::check_set;
use crate::Error;
use crate::limits::LOSSES_MAX;
use crate::machine::Event;
use crate::session::{Answer, Order, Target};

impl Synchronizer {
    /// After completion: the first update point may tell its clients, child sites are asked to
    /// synchronize (SYNC-10), then the other update points have their turn (SYNC-11).
    pub(super) async fn follow(&mut self, run: &mut SyncRun) -> Result<Event, Error> {
        let first = self.first().await?;
        let catalog = self.db.read(|r| r.catalog_version()).await?;
        let reached = catalog.filter(|catalog| catalog.version == run.version);
        self.complete(&first, reached).await?;
        self.tell_children(run.version);
        let Some(replica) = self.turn.replica.clone() else {
            return self.next_replica(run, first).await;
        };
        let name = replica.name.clone();
        let target = Target {
            source: SyncSource { url: first.url, ..SyncSource::default() },
            site: Some(first.site),
            is_full: run.is_full,
            languages: reached.map_or(Languages::ALL, |catalog| catalog.languages),
            wanted: reached.map(|catalog| (catalog.version, catalog.set_digest)),
            ..Target::default()
        };
        let done = self.synchronize_replica(run, &replica, target, reached).await;
        if matches!(done, Err(Error::PointLost)) && self.turn.losses < LOSSES_MAX {
            return Err(Error::PointLost);
        }
        self.turn.replica = None;
        self.turn.tried.insert(replica.id);
        Ok(match done {
            Ok(()) => Event::ReplicaDone { name },
            Err(error) => {
                self.turn.failures += 1;
                Event::ReplicaFailed { name, cause: model::error_chain(&error) }
            }
        })
    }

    async fn next_replica(&mut self, run: &SyncRun, first: RoleRecord) -> Result<Event, Error> {
        let (version, is_full, tried) = (run.version, run.is_full, self.turn.tried.clone());
        let next = move |r: &Reader<'_>| {
            for point in r.update_points(r.identity().code())?.into_iter().skip(1) {
                let behind = is_full || r.sync_point(point.id)?.version < version;
                if behind && !tried.contains(&point.id) {
                    return Ok::<_, Error>(Some(point));
                }
            }
            Ok(None)
        };
        self.turn.replica = self.db.read(next).await?;
        Ok(match &self.turn.replica {
            Some(next) => Event::Replica { name: next.name.clone(), source: first.url },
            None => Event::Tried { failures: self.turn.failures },
        })
    }

    async fn synchronize_replica(
        &mut self,
        run: &mut SyncRun,
        replica: &RoleRecord,
        target: Target,
        reached: Option<CatalogVersion>,
    ) -> Result<(), Error> {
        let done = self.synchronize(run, replica, target).await?;
        if let Some(reached) = &reached {
            check_set(&done, reached)?;
        }
        self.complete(replica, reached).await
    }

    /// Tells an update point that it holds this version, unless it knows.
    async fn complete(
        &mut self,
        point: &RoleRecord,
        reached: Option<CatalogVersion>,
    ) -> Result<(), Error> {
        let Some(CatalogVersion { version, set_digest, .. }) = reached else { return Ok(()) };
        let id = point.id;
        let mut known = self.db.read(move |r| r.sync_point(id)).await?;
        if known.version >= version {
            return Ok(());
        }
        let mut answers = self.ask(point, Order::CompleteVersion { version, set_digest }).await?;
        let Answer::Synchronized(_) = answers.next().await? else { return Err(Error::Answer) };
        known.version = version;
        Ok(self.db.write(move |w| w.save_sync_point(id, &known)).await?)
    }
}
