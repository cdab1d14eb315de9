//! Saying what changed, and getting it to the site exactly once.

use std::time::Duration;

use model::ReportOutcome;
use rpc::convert::decode_report;
use tokio::time::Instant;

use super::Agent;
use crate::calls::{ManagementPoint, first_to_answer};
use crate::client::ledger::{self, Extent};
use crate::{Error, limits};

impl Agent {
    /// Makes reports of what changed since the last ones, durable before they are sent.
    pub(super) async fn say(&mut self) -> Result<(), Error> {
        let known = self.store.record().await?;
        let is_crowded = self.store.unsent().await? >= limits::REPORTS_MAX;
        // A site takes nothing but everything from an incarnation it does not know.
        let extent =
            if known.serial == 0 || is_crowded { Extent::Everything } else { Extent::Changes };
        let holds = self.holds();
        let news = ledger::changes(&self.said, &holds, self.now());
        let has_refused = self.refusals.has_untold();
        if news.is_empty() && known == self.record && !has_refused {
            return Ok(());
        }
        let urgent = has_refused
            || news.iter().any(|change| {
                let before = self.said.get(&change.update.id);
                change.state.enforcement.is_some()
                    || before.is_some_and(|held| held.state.enforcement.is_some())
            });
        let batch = Duration::from_millis(self.policy.settings().state_batch_ms);
        let due = if urgent { Instant::now() } else { Instant::now() + batch };
        self.sends.until(due);
        self.write(extent, holds).await
    }

    fn holds(&self) -> ledger::States {
        let scan = self.scan.as_ref();
        scan.map_or_else(|| self.said.clone(), |scan| ledger::states(scan, &self.progress))
    }

    async fn write(&mut self, extent: Extent, holds: ledger::States) -> Result<(), Error> {
        let (client, record) = (self.client, &self.record);
        let mut reports = ledger::reports(client, record, extent, &self.said, &holds, self.now());
        let refused = self.refusals.untold();
        if let Some(last) = reports.last_mut() {
            last.refused.clone_from(&refused);
        }
        self.record.serial = reports.last().map_or(record.serial, |report| report.serial_to);
        self.store.say(self.record.clone(), reports, extent).await?;
        self.refusals.tell(refused.len());
        self.said = holds;
        Ok(())
    }

    /// Sends what is due, the oldest first, until a management point has all of it.
    pub(super) async fn send(&mut self) -> Result<(), Error> {
        if self.refusals.has_untold() {
            self.say().await?;
        }
        if !self.sends.is_due() {
            return Ok(());
        }
        let mut has_resent = false;
        while let Some((serial, body)) = self.store.oldest_report().await? {
            let stored = |source| Error::DecodeStored { what: "report", source };
            let report = decode_report(&body).map_err(stored)?;
            let (servers, report) = (&*self.servers, &report);
            let send = |server| async move {
                ManagementPoint::new(servers, &server)?.send_state(report).await
            };
            let sent = first_to_answer(servers, "no report taken", send).await?;
            let Some(outcome) = sent else {
                self.sends.failed(&self.ambient);
                return Ok(());
            };
            self.sends.succeeded();
            self.step.sent += 1;
            match outcome {
                // None: safe on the management point, which is as good as applied.
                None | Some(ReportOutcome::Applied | ReportOutcome::Known) => {
                    self.store.acknowledge(serial).await?;
                }
                Some(ReportOutcome::SendFull) => {
                    tracing::info!(serial, "the site asks for everything");
                    self.write(Extent::Everything, self.said.clone()).await?;
                    if has_resent {
                        // A site that is not content with everything is not asked twice at once.
                        self.sends.due = Some(Instant::now() + limits::RETRY_MAX);
                        return Ok(());
                    }
                    has_resent = true;
                }
            }
        }
        self.sends.due = None;
        Ok(())
    }
}
