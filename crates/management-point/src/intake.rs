//! Registrations and reports: into the spool, and from there to the site server.
//!
//! What was acknowledged to a client is forwarded until the site server has committed it. A crash
//! in between forwards it again, which the site server notices. An entry that it refuses is set
//! aside with the reason.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ambient::{Ambient, failpoint};
use model::{ClientId, error_chain};
use rpc::forward::{self, Next, Verdict};
use rpc::limits::REPORTS_MAX;
use rpc::pb::management as pb;
use sqlite_engine::spool::Spool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use transport::{Backoff, answered};

use crate::Error;
use crate::limits::{RETRY_MAX, RETRY_MIN, SITE, SUBMIT_WAIT};
use crate::point::Site;

#[derive(Debug)]
pub(crate) struct Intake {
    ambient: Ambient,
    spool: Spool,
    more: Notify,
    /// Clients that shall send everything. Losing this costs one more report.
    incomplete: Mutex<BTreeSet<ClientId>>,
    /// Clients that shall send their whole inventory; likewise.
    undescribed: Mutex<BTreeSet<ClientId>>,
}

impl Intake {
    pub(crate) fn new(ambient: Ambient, spool: Spool) -> Intake {
        let (more, incomplete, undescribed) = (Notify::new(), Mutex::default(), Mutex::default());
        Intake { ambient, spool, more, incomplete, undescribed }
    }

    pub(crate) async fn register(&self, request: &pb::RegisterClientRequest) -> Result<(), Error> {
        self.append(forward::registration(request)).await
    }

    /// Takes a report and says whether the client's next one shall be full.
    pub(crate) async fn report(
        &self,
        client: ClientId,
        report: &[u8],
        is_full: bool,
    ) -> Result<pb::Outcome, Error> {
        self.append(forward::report(pb::Voice::Unspecified, report)).await?;
        failpoint("mp.state_spooled");
        Ok(first_word(self.incomplete().remove(&client), is_full))
    }

    /// Takes an inventory report and says whether the client's next one shall be full.
    pub(crate) async fn inventory(
        &self,
        client: ClientId,
        report: &[u8],
        is_full: bool,
    ) -> Result<pb::Outcome, Error> {
        self.append(forward::inventory(pb::Voice::Unspecified, report)).await?;
        Ok(first_word(self.undescribed().remove(&client), is_full))
    }

    /// The site wants everything from a client: its next report hears so.
    pub(crate) fn expect_everything(&self, client: ClientId) {
        self.incomplete().insert(client);
    }

    #[cfg(test)]
    pub(crate) async fn usage(&self) -> Result<sqlite_engine::spool::Usage, Error> {
        Ok(self.spool.usage().await?)
    }

    async fn append(&self, entry: Vec<u8>) -> Result<(), Error> {
        self.spool.append(vec![entry]).await?;
        self.more.notify_one();
        Ok(())
    }

    fn incomplete(&self) -> MutexGuard<'_, BTreeSet<ClientId>> {
        self.incomplete.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn undescribed(&self) -> MutexGuard<'_, BTreeSet<ClientId>> {
        self.undescribed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forwards until `shutdown`.
    pub(crate) async fn run(&self, site: &Site, shutdown: &CancellationToken) -> Result<(), Error> {
        let mut backoff = Backoff::new(RETRY_MIN, RETRY_MAX, 50)?;
        loop {
            let ended = match shutdown.run_until_cancelled(self.step(site)).await {
                Some(Ok(())) => {
                    backoff.reset();
                    shutdown.run_until_cancelled(self.more.notified()).await
                }
                Some(Err(error)) => {
                    tracing::info!(error = %error_chain(&error), "reports wait for the site");
                    let wait = tokio::time::sleep(backoff.wait(&self.ambient));
                    shutdown.run_until_cancelled(wait).await
                }
                None => None,
            };
            if ended.is_none() {
                return Ok(());
            }
        }
    }

    /// Forwards all that is spooled.
    async fn step(&self, site: &Site) -> Result<(), Error> {
        let mut count = REPORTS_MAX;
        loop {
            let entries = self.spool.read(0, count).await?;
            let entries = entries.into_iter().map(|entry| (entry.id, entry.body)).collect();
            let Some(mut next) = forward::next(entries) else { return Ok(()) };
            let usage = self.spool.usage().await?;
            next.say_backlog(usage.queued, usage.quarantined);
            let answer = ask(site.clone(), &next).await;
            if answer.is_ok() {
                failpoint("mp.state_forwarded");
            }
            count = REPORTS_MAX;
            for verdict in next.settle(answer) {
                match verdict {
                    Verdict::Acknowledge(id) => self.spool.acknowledge(id).await?,
                    Verdict::SetAside(id, reason) => self.set_aside(id, reason).await?,
                    Verdict::SendFull(client) => drop(self.incomplete().insert(client)),
                    Verdict::SendInventory(client) => drop(self.undescribed().insert(client)),
                    Verdict::OneByOne => count = 1,
                    Verdict::Later(status) => return Err(status.into()),
                }
            }
        }
    }

    async fn set_aside(&self, id: u64, reason: String) -> Result<(), Error> {
        self.spool.quarantine(id, reason.as_str()).await?;
        let count = self.spool.usage().await?.quarantined;
        tracing::warn!(reason, count, "what a client sent was set aside");
        Ok(())
    }
}

/// What a client hears before the site has heard of its report.
fn first_word(was_incomplete: bool, is_full: bool) -> pb::Outcome {
    match was_incomplete && !is_full {
        true => pb::Outcome::SendFull,
        false => pb::Outcome::Unspecified,
    }
}

async fn ask(mut site: Site, next: &Next) -> Result<Vec<i32>, Status> {
    match next {
        Next::Unreadable { .. } => Ok(Vec::new()),
        Next::Register { request, .. } => {
            let answer = answered(SUBMIT_WAIT, SITE, site.register_client(request.clone())).await;
            answer.map(|_| Vec::new())
        }
        Next::Submit { request, .. } => {
            let answer = answered(SUBMIT_WAIT, SITE, site.submit_states(request.clone())).await;
            answer.map(|answer| answer.outcomes)
        }
        Next::SubmitInventories { request, .. } => {
            let asked = site.submit_inventories(request.clone());
            answered(SUBMIT_WAIT, SITE, asked).await.map(|answer| answer.outcomes)
        }
    }
}
