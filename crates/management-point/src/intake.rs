//! Registrations and reports: into the spool, and from there to the site server.
//!
//! What was acknowledged to a client is forwarded until the site server has committed it. A crash
//! in between forwards it again, which the site server notices. An entry that it refuses is set
//! aside with the reason.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ambient::{Ambient, failpoint};
use model::{ClientId, Timestamp, error_chain};
use rpc::forward::{self, Answer, Incomplete, Next, ToldBacklog, Verdict};
use rpc::limits::REPORTS_MAX;
use rpc::pb::client::StateReport;
use rpc::pb::management as pb;
use sqlite_engine::spool::Spool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use transport::{Backoff, answered};

use crate::Error;
use crate::limits::{RETRY_MAX, RETRY_MIN, SITE, SUBMIT_WAIT};
use crate::point::Site;
use crate::wake::WakeUps;

#[derive(Debug)]
pub(crate) struct Intake {
    ambient: Ambient,
    spool: Spool,
    more: Notify,
    incomplete: Mutex<Incomplete>,
    /// Clients that shall send their whole inventory; likewise.
    undescribed: Mutex<BTreeSet<ClientId>>,
    told: Mutex<ToldBacklog>,
}

impl Intake {
    pub(crate) fn new(ambient: Ambient, spool: Spool) -> Intake {
        let (more, incomplete, undescribed) = (Notify::new(), Mutex::default(), Mutex::default());
        Intake { ambient, spool, more, incomplete, undescribed, told: Mutex::default() }
    }

    pub(crate) async fn register(&self, request: &pb::RegisterClientRequest) -> Result<(), Error> {
        self.append(forward::registration(request)).await
    }

    /// Takes a report and says whether the client's next one shall be full, or that it is behind
    /// and after which serial; then it is of no use, and not kept.
    pub(crate) async fn report(
        &self,
        client: ClientId,
        report: &StateReport,
    ) -> Result<(pb::Outcome, u64), Error> {
        let first_word = self.incomplete().first_word(client, report);
        if first_word.0 != pb::Outcome::Behind {
            let report = forward::encode_report(report);
            self.append(forward::report(pb::Voice::Unspecified, &report)).await?;
            failpoint("mp.state_spooled");
        }
        Ok(first_word)
    }

    /// Takes an inventory report and says whether the client's next one shall be full.
    pub(crate) async fn inventory(
        &self,
        client: ClientId,
        report: &[u8],
        is_full: bool,
    ) -> Result<pb::Outcome, Error> {
        self.append(forward::inventory(pb::Voice::Unspecified, report)).await?;
        let is_wanted = self.undescribed().remove(&client) && !is_full;
        Ok(if is_wanted { pb::Outcome::SendFull } else { pb::Outcome::Unspecified })
    }

    /// The site wants everything from a client: its next report hears so.
    pub(crate) fn expect_everything(&self, client: ClientId) {
        self.incomplete().want_anyhow(client);
    }

    /// The site is there again, and is told anew what waits here.
    pub(crate) fn greet(&self) {
        self.told().forget();
        self.more.notify_one();
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

    fn incomplete(&self) -> MutexGuard<'_, Incomplete> {
        self.incomplete.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self) -> MutexGuard<'_, ToldBacklog> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn undescribed(&self) -> MutexGuard<'_, BTreeSet<ClientId>> {
        self.undescribed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forwards until `shutdown`.
    pub(crate) async fn run(
        &self,
        site: &Site,
        wake_ups: &WakeUps,
        shutdown: &CancellationToken,
    ) -> Result<(), Error> {
        let mut backoff = Backoff::new(RETRY_MIN, RETRY_MAX, 50)?;
        loop {
            let ended = match shutdown.run_until_cancelled(self.step(site, wake_ups)).await {
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

    /// Forwards all that is spooled, wakes whoever shall say everything, and says at last that
    /// nothing waits.
    async fn step(&self, site: &Site, wake_ups: &WakeUps) -> Result<(), Error> {
        let mut count = REPORTS_MAX;
        loop {
            let entries = self.spool.read(0, count).await?;
            let entries = entries.into_iter().map(|entry| (entry.id, entry.body)).collect();
            let usage = self.spool.usage().await?;
            let next = forward::next(entries);
            let Some(mut next) = next.or_else(|| self.told().last_word(usage.quarantined)) else {
                return Ok(());
            };
            next.say_backlog(usage.queued, usage.quarantined);
            let answer = ask(site.clone(), &next).await;
            if answer.is_ok() {
                self.told().note(&next);
                failpoint("mp.state_forwarded");
            }
            count = REPORTS_MAX;
            let verdicts = next.settle(answer);
            self.want_full(&verdicts, wake_ups);
            for verdict in verdicts {
                match verdict {
                    Verdict::Acknowledge(id) => self.spool.acknowledge(id).await?,
                    Verdict::SetAside(id, reason) => self.set_aside(id, reason).await?,
                    Verdict::SendFull(..) => {}
                    Verdict::SendInventory(client) => drop(self.undescribed().insert(client)),
                    Verdict::OneByOne => count = 1,
                    Verdict::Later(status) => return Err(status.into()),
                }
            }
        }
    }

    /// Wakes all those at once that shall say everything and were not woken just now: each
    /// wake-up is looked at by everybody who listens.
    fn want_full(&self, verdicts: &[Verdict], wake_ups: &WakeUps) {
        let now = Timestamp(self.ambient.now_ms());
        let clients = self.incomplete().want_all(verdicts, now);
        if !clients.is_empty() {
            wake_ups.wake(&clients, pb::WakeUp::State);
        }
    }

    async fn set_aside(&self, id: u64, reason: String) -> Result<(), Error> {
        self.spool.quarantine(id, reason.as_str()).await?;
        let count = self.spool.usage().await?.quarantined;
        tracing::warn!(reason, count, "what a client sent was set aside");
        Ok(())
    }
}

async fn ask(mut site: Site, next: &Next) -> Result<Answer, Status> {
    match next {
        Next::Unreadable { .. } => Ok(Answer::default()),
        Next::Register { request, .. } => {
            let answer = answered(SUBMIT_WAIT, SITE, site.register_client(request.clone())).await;
            answer.map(|_| Answer::default())
        }
        Next::Submit { request, .. } => {
            let answer = answered(SUBMIT_WAIT, SITE, site.submit_states(request.clone())).await;
            answer.map(Answer::from)
        }
        Next::SubmitInventories { request, .. } => {
            let asked = site.submit_inventories(request.clone());
            answered(SUBMIT_WAIT, SITE, asked).await.map(Answer::from)
        }
    }
}
