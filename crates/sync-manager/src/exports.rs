//! Bundles for administrators: from the first update point, signed here, a part at a time to
//! whoever asked.
//!
//! Owns one export at a time, at the pace of whoever fetches it, up to a limit. It begins while no
//! synchronization is under way, and keeps the turn of the update point; everything else at the
//! site goes on. What can be refused is refused before the first part is made.

use std::sync::Arc;

use catalog_bundle::{MAGIC, Manifest, close};
use model::{RoleRecord, SiteKind, error_chain};
use rpc::limits::IMPORT_PART_BYTES;
use site_db::{CatalogFacts, Direction, PendingExport, Reader, SiteDb, StoredBundle};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::bundles::sign;
use crate::limits::{EXPORT_BACKLOG, EXPORT_MAX, EXPORT_SILENCE, RETRY_MIN};
use crate::session::{Answer, Order, Sessions, Turn};

/// A manifest and what is missing in its bundle.
type Made = (Vec<u8>, Vec<String>);

#[derive(Debug)]
pub(crate) struct Exports {
    db: SiteDb,
    sessions: Arc<Sessions>,
}

impl Exports {
    pub(crate) fn new(db: SiteDb, sessions: Arc<Sessions>) -> Exports {
        Exports { db, sessions }
    }

    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut changes = self.db.watch(&[]);
        let work = async {
            loop {
                match self.step().await {
                    Ok(true) => {}
                    Ok(false) => changes.changed().await,
                    Err(error) => {
                        tracing::error!(error = %error_chain(&error), "exports stumbled");
                        sleep(RETRY_MIN).await;
                    }
                }
            }
        };
        shutdown.run_until_cancelled(work).await;
    }

    /// Sends one bundle that somebody asked for, unless a synchronization is under way.
    async fn step(&self) -> Result<bool, Error> {
        let Some(asked) = self.db.read(|r| r.pending_export()).await? else { return Ok(false) };
        match self.export(&asked).await {
            Ok(is_done) => Ok(is_done),
            Err(error) => {
                let reason = error_chain(&error);
                tracing::warn!(export = asked.id, error = reason, "the catalog was not exported");
                self.db.write(move |w| w.fail_export(asked.id, &reason)).await?;
                Ok(true)
            }
        }
    }

    /// Says whether it was the time for it.
    async fn export(&self, asked: &PendingExport) -> Result<bool, Error> {
        let first = self.db.read(check).await?;
        if !self.sessions.is_connected(first.id) {
            return Err(Error::NotConnected { name: first.name });
        }
        if self.is_synchronizing().await? {
            return Ok(false);
        }
        let turn = self.sessions.turn(&first).await?;
        // One that began since has the update point only between its steps, and would change the
        // catalog after this.
        if self.is_synchronizing().await? {
            return Ok(false);
        }
        tracing::info!(export = asked.id, since = asked.since, "the catalog is exported");
        self.send(asked, &first, turn).await?;
        Ok(true)
    }

    async fn is_synchronizing(&self) -> Result<bool, Error> {
        let last = self.db.read(|r| r.sync_run()).await?;
        Ok(last.is_some_and(|run| !run.step.is_ended()))
    }

    async fn send(
        &self,
        asked: &PendingExport,
        first: &RoleRecord,
        turn: Turn,
    ) -> Result<(), Error> {
        let number = self.db.write(|w| w.next("sync_order")).await?;
        let PendingExport { id, since, has_content, .. } = *asked;
        let order = Order::Export { since, has_content };
        let mut answers = self.sessions.order(turn, number, order).await?;
        let mut sent = 0;
        let done = async {
            loop {
                match answers.next().await? {
                    Answer::ExportPart(data) if data.len() <= IMPORT_PART_BYTES => {
                        sent += data.len() as u64;
                        self.wait_for_room(id).await?;
                        self.db.write(move |w| w.add_export_part(id, &data)).await?;
                    }
                    Answer::Exported { manifest, missing } => return Ok((manifest, missing)),
                    Answer::Progress { .. } => {}
                    _ => return Err(Error::Answer),
                }
            }
        };
        let too_slow = |_| Error::TooSlow { hours: EXPORT_MAX.as_secs() / 3_600 };
        match timeout(EXPORT_MAX, done).await.map_err(too_slow).flatten() {
            Ok(made) => self.close(asked, made, sent).await,
            Err(error) => {
                // It may have ended by itself.
                let cancel = Order::Cancel { order: number };
                let _ = self.sessions.send_more(first.id, number, cancel).await;
                Err(error)
            }
        }
    }

    /// Signs the manifest, if it is of the catalog as this site knows it.
    async fn close(
        &self,
        asked: &PendingExport,
        (bytes, missing): Made,
        sent: u64,
    ) -> Result<(), Error> {
        let manifest = Manifest::from_bytes(&bytes)?;
        if manifest.since != asked.since || MAGIC.len() as u64 + manifest.size() != sent {
            return Err(Error::Answer);
        }
        let PendingExport { id, account, .. } = asked.clone();
        let close = move |w: &site_db::Writer<'_>| {
            let (seal, signer) = sign(w, &manifest, &bytes)?;
            let trailer = close(&bytes, &seal, manifest.size());
            for part in trailer.chunks(IMPORT_PART_BYTES) {
                w.add_export_part(id, part)?;
            }
            let made = StoredBundle {
                direction: Direction::Export,
                file: String::new(),
                facts: facts(&manifest),
                signer: Some(signer),
                imported: 0,
                unchanged: 0,
                at: w.now(),
                account,
            };
            w.note_bundle(id, &made)?;
            Ok::<_, Error>(w.end_export(id, &missing)?)
        };
        self.db.write(close).await
    }

    /// Until few enough parts wait to be asked for.
    async fn wait_for_room(&self, id: i64) -> Result<(), Error> {
        let mut changes = self.db.watch(&[]);
        let room = async {
            while self.db.read(move |r| r.export_backlog(id)).await? >= EXPORT_BACKLOG {
                changes.changed().await;
            }
            Ok(())
        };
        timeout(EXPORT_SILENCE, room).await.map_err(|_| Error::NobodyTakes)?
    }
}

/// The first update point, if this site can sign what it holds.
fn check(r: &Reader<'_>) -> Result<RoleRecord, Error> {
    let site = r.identity().code();
    if r.identity().kind == SiteKind::Secondary {
        return Err(Error::NoSigner);
    }
    let first = r.update_points(site)?.into_iter().next().ok_or(Error::NoPoint { site })?;
    let recorded = r.catalog_version()?.map_or(0, |catalog| catalog.version);
    let found = r.sync_point(first.id)?.version;
    if found != recorded {
        return Err(Error::OtherCatalog { found, recorded });
    }
    Ok(first)
}

fn facts(manifest: &Manifest) -> CatalogFacts {
    let (documents, removed, files) = manifest.counts();
    CatalogFacts {
        kind: "bundle".to_owned(),
        server_id: manifest.server_id.to_string(),
        since: manifest.since,
        anchor: manifest.anchor,
        version: manifest.version,
        set_digest: Some(manifest.set_digest),
        documents,
        removed,
        files,
        is_same_set: true,
    }
}
