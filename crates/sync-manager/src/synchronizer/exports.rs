//! Bundles for administrators: from the first update point, signed here, a part at a time to
//! whoever asked.

use catalog_bundle::{MAGIC, Manifest, close};
use model::error_chain;
use rpc::limits::IMPORT_PART_BYTES;
use site_db::{CatalogFacts, Direction, PendingExport, StoredBundle};
use tokio::time::timeout;

use super::Synchronizer;
use crate::Error;
use crate::bundles::sign;
use crate::limits::{EXPORT_BACKLOG, EXPORT_SILENCE};
use crate::session::{Answer, Order};

impl Synchronizer {
    /// Sends one bundle that somebody asked for.
    pub(super) async fn hand_out_export(&mut self) -> Result<bool, Error> {
        let Some(asked) = self.db.read(|r| r.pending_export()).await? else { return Ok(false) };
        tracing::info!(export = asked.id, since = asked.since, "the catalog is exported");
        if let Err(error) = self.export(&asked).await {
            let reason = error_chain(&error);
            tracing::warn!(export = asked.id, error = reason, "the catalog was not exported");
            self.db.write(move |w| w.fail_export(asked.id, &reason)).await?;
        }
        Ok(true)
    }

    async fn export(&mut self, asked: &PendingExport) -> Result<(), Error> {
        let first = self.first().await?;
        if !self.sessions.is_connected(first.id) {
            return Err(Error::NotConnected { name: first.name });
        }
        let number = self.db.write(|w| w.next("sync_order")).await?;
        let PendingExport { id, since, has_content, .. } = *asked;
        let order = Order::Export { since, has_content };
        let mut answers = self.sessions.send(&first, number, order).await?;
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
        match done.await {
            Ok((manifest, missing)) => self.close_export(asked, (manifest, missing), sent).await,
            Err(error) => {
                // It may have ended by itself.
                let cancel = Order::Cancel { order: number };
                let _ = self.sessions.send_more(first.id, number, cancel).await;
                Err(error)
            }
        }
    }

    /// Signs the manifest, if it is of the catalog as this site knows it.
    async fn close_export(
        &self,
        asked: &PendingExport,
        (bytes, missing): (Vec<u8>, Vec<String>),
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
