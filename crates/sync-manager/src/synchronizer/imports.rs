//! Catalog files that administrators handed in, to the first update point (SYNC-33). A bundle goes
//! there only when its signature is believed.

use model::RoleRecord;
use site_db::{ImportReport, PendingImport, Writer};

use super::Synchronizer;
use super::errands::{ORDER, broke_off, reported};
use crate::Error;
use crate::bundles::{Verdict, judge};
use crate::limits::TRIES_MAX;
use crate::session::{Order, Warrant};

impl Synchronizer {
    /// Hands one waiting catalog file to the first update point, if it is connected.
    pub(super) async fn hand_over_import(&mut self) -> Result<bool, Error> {
        let Some(import) = self.db.read(|r| r.pending_import()).await? else { return Ok(false) };
        let first = match self.first().await {
            Ok(first) if self.sessions.is_connected(first.id) => first,
            Ok(_) | Err(Error::NoPoint { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let judged = import.clone();
        let (signer, manifest) = match self.db.read(move |r| judge(r, &judged)).await? {
            Verdict::NoBundle => (None, None),
            Verdict::Believed { signer, manifest, named } => {
                if let Some(root) = named {
                    self.db.write(move |w| w.trust_root(&root)).await?;
                }
                (Some(signer), Some(manifest))
            }
            Verdict::Refused { reason } => {
                let report = ImportReport { refused: reason, ..ImportReport::default() };
                self.db.write(move |w| w.finish_import(&import, &report, None)).await?;
                return Ok(true);
            }
        };
        let warrant = Warrant { manifest, is_unsigned: import.consent.is_unsigned };
        let report = self.import(&first, &import, warrant).await?;
        self.db.write(move |w| w.finish_import(&import, &report, signer)).await?;
        Ok(true)
    }

    /// What the first update point made of a file.
    async fn import(
        &self,
        first: &RoleRecord,
        import: &PendingImport,
        warrant: Warrant,
    ) -> Result<ImportReport, Error> {
        let id = import.id;
        let begin = move |w: &Writer<'_>| Ok::<_, Error>((w.try_import(id)?, w.next(ORDER)?));
        let (tries, number) = self.db.write(begin).await?;
        if tries > TRIES_MAX {
            return Ok(broke_off());
        }
        let part = async |part: u32| {
            let data = self.db.read(move |r| r.import_part(id, part)).await?;
            let (name, is_last) = (import.name.clone(), part + 1 >= import.parts);
            Ok::<_, Error>(Order::ImportPart { name, data, is_last, warrant })
        };
        let mut answers = self.sessions.send(first, number, part(0).await?).await?;
        let report = async {
            for next in 1..import.parts {
                self.sessions.send_more(first.id, number, part(next).await?).await?;
            }
            reported(&mut answers).await
        };
        self.bounded((first.id, number), report).await
    }
}
