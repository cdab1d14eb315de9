//! Saying what changed, and getting it to the site exactly once.

use std::time::Duration;

use model::{ReportOutcome, StateReport};
use rpc::convert::decode_report;
use tokio::time::Instant;
use transport::BoxFuture;

use super::Agent;
use crate::calls::{ManagementPoint, first_to_answer};
use crate::client::ledger::{self, Extent, Subject};
use crate::store::Unsent;
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
        if news.is_empty() && known == self.record {
            return Ok(());
        }
        let urgent = news.iter().any(|change| {
            let before = self.said.get(&change.update.id);
            change.state.enforcement.is_some()
                || before.is_some_and(|held| held.state.enforcement.is_some())
        });
        let batch = Duration::from_millis(self.policy.settings().state_batch_ms);
        let due = if urgent { Instant::now() } else { Instant::now() + batch };
        self.due.send = Some(self.due.send.map_or(due, |earlier| earlier.min(due)));
        self.write(extent, holds).await
    }

    fn holds(&self) -> ledger::States {
        let scan = self.scan.as_ref();
        scan.map_or_else(|| self.said.clone(), |scan| ledger::states(scan, &self.progress))
    }

    async fn write(&mut self, extent: Extent, holds: ledger::States) -> Result<(), Error> {
        let subject = Subject {
            client: self.client,
            incarnation: self.record.incarnation,
            covered: self.record.covered,
            scanned_at: self.record.scanned_at,
            scan_error: self.record.scan_error.clone(),
        };
        let (serial, at) = (self.record.serial, self.now());
        let reports = ledger::reports(&subject, serial, extent, &self.said, &holds, at);
        self.record.serial = reports.last().map_or(serial, |report| report.serial_to);
        let unsent = match extent {
            Extent::Changes => Unsent::Kept,
            Extent::Everything => Unsent::Replaced,
        };
        self.store.say(self.record.clone(), reports, unsent).await?;
        self.said = holds;
        Ok(())
    }

    /// Sends what is due, the oldest first, until a management point has all of it.
    pub(super) async fn send(&mut self) -> Result<(), Error> {
        if self.due.send.is_none_or(|due| due > Instant::now()) {
            return Ok(());
        }
        let mut has_resent = false;
        while let Some((serial, body)) = self.store.oldest_report().await? {
            let stored = |source| Error::DecodeStored { what: "report", source };
            let report = decode_report(&body).map_err(stored)?;
            let Some(outcome) = self.deliver(report).await? else {
                self.due.send = Some(Instant::now() + self.patience.send.wait(&self.ambient));
                return Ok(());
            };
            self.patience.send.reset();
            self.step.sent += 1;
            match outcome {
                ReportOutcome::Applied | ReportOutcome::Known => {
                    self.store.acknowledge(serial).await?;
                }
                ReportOutcome::SendFull => {
                    tracing::info!(serial, "the site asks for everything");
                    self.write(Extent::Everything, self.said.clone()).await?;
                    if has_resent {
                        // A site that is not content with everything is not asked twice at once.
                        self.due.send = Some(Instant::now() + limits::RETRY_MAX);
                        return Ok(());
                    }
                    has_resent = true;
                }
            }
        }
        self.due.send = None;
        Ok(())
    }

    /// Nothing if no management point takes the report.
    async fn deliver(&self, report: StateReport) -> Result<Option<ReportOutcome>, Error> {
        let report = &report;
        let send = |mut point: ManagementPoint| -> BoxFuture<'_, _> {
            Box::pin(async move { point.send_state(report.into()).await })
        };
        let sent = first_to_answer(&self.servers, "no report taken", send).await?;
        // Safe on the management point: as good as applied.
        Ok(sent.map(|outcome| outcome.unwrap_or(ReportOutcome::Applied)))
    }
}
