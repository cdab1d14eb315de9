//! Catalog files that administrators handed in, to the first update point (SYNC-33). A bundle goes
//! there only when its signature is believed.

use site_db::{ImportReport, PendingImport};

use super::Synchronizer;
use crate::Error;
use crate::bundles::{Verdict, judge};
use crate::session::{Answer, Order, Warrant};

impl Synchronizer {
    /// Hands one waiting catalog file to the first update point, if it is connected.
    pub(super) async fn hand_over_import(&mut self) -> Result<bool, Error> {
        let Some(import) = self.db.read(|r| r.pending_import()).await? else { return Ok(false) };
        let judged = import.clone();
        let verdict = self.db.write(move |w| judge(w, &judged)).await?;
        let (signer, manifest) = match verdict {
            Verdict::NoBundle => (None, None),
            Verdict::Believed { signer, manifest } => (Some(signer), Some(manifest)),
            Verdict::Refused { reason } => {
                let report = ImportReport { refused: reason, ..ImportReport::default() };
                self.db.write(move |w| w.finish_import(&import, &report, None)).await?;
                return Ok(true);
            }
        };
        let warrant = Warrant { manifest, is_unsigned: import.consent.is_unsigned };
        let Some(report) = self.import(&import, warrant).await? else { return Ok(false) };
        self.db.write(move |w| w.finish_import(&import, &report, signer)).await?;
        Ok(true)
    }

    /// What the first update point made of a file; nothing if it is not connected.
    async fn import(
        &mut self,
        import: &PendingImport,
        warrant: Warrant,
    ) -> Result<Option<ImportReport>, Error> {
        let first = match self.first().await {
            Ok(first) if self.sessions.is_connected(first.id) => first,
            Ok(_) | Err(Error::NoPoint { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let id = import.id;
        let part = async |part: u32| {
            let data = self.db.read(move |r| r.import_part(id, part)).await?;
            let (name, is_last) = (import.name.clone(), part + 1 >= import.parts);
            Ok::<_, Error>(Order::ImportPart { name, data, is_last, warrant })
        };
        let number = self.db.write(|w| w.next("sync_order")).await?;
        let mut answers = self.sessions.send(&first, number, part(0).await?).await?;
        for next in 1..import.parts {
            self.sessions.send_more(first.id, number, part(next).await?).await?;
        }
        loop {
            match answers.next().await {
                Ok(Answer::Imported(report)) => return Ok(Some(report)),
                Ok(_) => {}
                Err(Error::PointFailed { reason, .. }) => {
                    return Ok(Some(ImportReport { refused: reason, ..Default::default() }));
                }
                Err(error) => return Err(error),
            }
        }
    }
}
