//! Status messages of the update point (STAT-26): spooled, then sent to its site server.
//!
//! A message counts as sent when the site server has stored it. Without a site they are log lines
//! only. A message the site server refuses is set aside and does not hold up the others.

use std::time::Duration;

use ambient::Ambient;
use model::{ErrorClass, Severity, SiteCode, StatusMessage, Timestamp, error_chain};
use rpc::object::ObjectBody as _;
use rpc::pb::content::SendStatusRequest;
use rpc::pb::content::content_service_client::ContentServiceClient;
use sqlite_engine::spool::Spool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use transport::{Backoff, Connection};

use crate::{Error, limits};

/// The update protocols are open on plain HTTP; said at every start and once a day.
pub(crate) const PLAIN_HTTP_OPEN: u32 = 60_100;
/// A synchronization or an import left something out.
pub(crate) const REVISIONS_REJECTED: u32 = 60_101;

pub(crate) const PLAIN_HTTP_ALERT_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

const COMPONENT: &str = "SMS_WSUS_CONTROL_MANAGER";

#[derive(Debug)]
pub(crate) struct Statuses {
    pub(crate) ambient: Ambient,
    pub(crate) machine: String,
    /// None without a site.
    pub(crate) spool: Option<(SiteCode, Spool)>,
    pub(crate) wake: Notify,
}

impl Statuses {
    /// Raises a warning. A spool that is full or broken loses it to the log alone.
    pub(crate) async fn warn(&self, id: u32, strings: Vec<String>) {
        tracing::warn!(status.id = id, ?strings, "a status message was raised");
        let Some((site, spool)) = &self.spool else { return };
        let message = StatusMessage {
            id,
            severity: Severity::Warning,
            component: COMPONENT.to_owned(),
            site: *site,
            machine: self.machine.clone(),
            at: Timestamp(self.ambient.now_ms()),
            strings,
        };
        match spool.append(vec![message.encode()]).await {
            Ok(()) => self.wake.notify_one(),
            Err(error) => {
                tracing::error!(error = %error_chain(&error), "a status message was not spooled");
            }
        }
    }

    /// Sends what is spooled until `shutdown`.
    pub(crate) async fn run(
        &self,
        connection: &Connection,
        shutdown: &CancellationToken,
    ) -> Result<(), Error> {
        let Some((_, spool)) = &self.spool else { return Ok(()) };
        let mut backoff = Backoff::new(limits::REDIAL_MIN, limits::REDIAL_MAX, 50)?;
        loop {
            let wait = match self.step(spool, connection).await {
                Ok(()) => {
                    backoff.reset();
                    shutdown.run_until_cancelled(self.wake.notified()).await
                }
                Err(error) => {
                    tracing::info!(error = %error_chain(&error), "status messages wait");
                    let wait = tokio::time::sleep(backoff.wait(&self.ambient));
                    shutdown.run_until_cancelled(wait).await
                }
            };
            if wait.is_none() {
                return Ok(());
            }
        }
    }

    /// Sends all that is spooled, one by one, so that a refusal concerns one message.
    async fn step(&self, spool: &Spool, connection: &Connection) -> Result<(), Error> {
        let mut client = ContentServiceClient::new(connection.channel());
        loop {
            let entries = spool.read(0, limits::STATUS_BATCH).await?;
            if entries.is_empty() {
                return Ok(());
            }
            for entry in entries {
                let request = SendStatusRequest { messages: vec![entry.body.into()] };
                match client.send_status(request).await {
                    Ok(_) => spool.acknowledge(entry.id).await?,
                    Err(status) if rpc::status::class(&status) == ErrorClass::Invalid => {
                        spool.quarantine(entry.id, status.message()).await?;
                    }
                    Err(status) => return Err(Error::Site(Box::new(status))),
                }
            }
        }
    }
}
