//! Catalog files that administrators handed in, to the first update point (SYNC-33).

use site_db::ImportReport;

use super::Synchronizer;
use crate::Error;
use crate::session::{Answer, Order};

impl Synchronizer {
    /// Hands one waiting catalog file to the first update point, if it is connected.
    pub(super) async fn hand_over_import(&mut self) -> Result<bool, Error> {
        let Some(import) = self.db.read(|r| r.pending_import()).await? else { return Ok(false) };
        let first = match self.first().await {
            Ok(first) if self.sessions.is_connected(first.id) => first,
            Ok(_) | Err(Error::NoPoint { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let (id, name) = (import.id, import.name);
        let part = async |part: u32| {
            let data = self.db.read(move |r| r.import_part(id, part)).await?;
            let (name, is_last) = (name.clone(), part + 1 >= import.parts);
            Ok::<_, Error>(Order::ImportPart { name, data, is_last })
        };
        let number = self.db.write(|w| w.next("sync_order")).await?;
        let mut answers = self.sessions.send(&first, number, part(0).await?).await?;
        for next in 1..import.parts {
            self.sessions.send_more(first.id, number, part(next).await?).await?;
        }
        let report = loop {
            match answers.next().await {
                Ok(Answer::Imported(report)) => break report,
                Ok(_) => {}
                Err(Error::PointFailed { reason, .. }) => {
                    break ImportReport { refused: reason, ..Default::default() };
                }
                Err(error) => return Err(error),
            }
        };
        self.db.write(move |w| w.finish_import(id, &report)).await?;
        Ok(true)
    }
}
