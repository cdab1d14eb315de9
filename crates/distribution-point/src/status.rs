//! Status messages of the point: spooled, then sent to its site server (STAT-26).
//!
//! | number | says | strings |
//! | --- | --- | --- |
//! | 60111 | a package version is installed | package, version, files |
//! | 60112 | a package version could not be installed | package, version, cause |

use ambient::Ambient;
use model::{ErrorClass, Severity, SiteCode, StatusMessage, Timestamp, error_chain};
use rpc::object::ObjectBody as _;
use rpc::pb::content::SendStatusRequest;
use rpc::pb::content::content_service_client::ContentServiceClient;
use sqlite_engine::spool::Spool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use transport::{Backoff, Connection};

use crate::Error;
use crate::limits::{RETRY_MAX, RETRY_MIN, STATUS_BATCH};

pub(crate) const INSTALLED: (u32, Severity) = (60_111, Severity::Information);
pub(crate) const FAILED: (u32, Severity) = (60_112, Severity::Error);

const COMPONENT: &str = "SMS_DISTRIBUTION_POINT";

#[derive(Debug)]
pub(crate) struct Statuses {
    pub(crate) ambient: Ambient,
    pub(crate) site: SiteCode,
    pub(crate) machine: String,
    pub(crate) spool: Spool,
    pub(crate) wake: Notify,
}

impl Statuses {
    pub(crate) async fn say(
        &self,
        (id, severity): (u32, Severity),
        strings: Vec<String>,
    ) -> Result<(), Error> {
        let message = StatusMessage {
            id,
            severity,
            component: COMPONENT.to_owned(),
            site: self.site,
            machine: self.machine.clone(),
            at: Timestamp(self.ambient.now_ms()),
            strings,
        };
        self.spool.append(vec![message.encode()]).await.map_err(Error::Spool)?;
        self.wake.notify_one();
        Ok(())
    }

    /// Sends what is spooled until `shutdown`.
    pub(crate) async fn run(
        &self,
        site: &Connection,
        shutdown: &CancellationToken,
    ) -> Result<(), Error> {
        let mut backoff = Backoff::new(RETRY_MIN, RETRY_MAX, 50)?;
        let work = async {
            loop {
                match self.send(site).await {
                    Ok(()) => {
                        backoff.reset();
                        self.wake.notified().await;
                    }
                    Err(error) => {
                        tracing::info!(error = %error_chain(&error), "status messages wait");
                        tokio::time::sleep(backoff.wait(&self.ambient)).await;
                    }
                }
            }
        };
        shutdown.run_until_cancelled(work).await.unwrap_or(Ok(()))
    }

    /// One by one, so that a refusal concerns one message.
    async fn send(&self, site: &Connection) -> Result<(), Error> {
        let mut client = ContentServiceClient::new(site.channel());
        loop {
            let entries = self.spool.read(0, STATUS_BATCH).await.map_err(Error::Spool)?;
            if entries.is_empty() {
                return Ok(());
            }
            for entry in entries {
                let request = SendStatusRequest { messages: vec![entry.body.into()] };
                let settled = match client.send_status(request).await {
                    Ok(_) => self.spool.acknowledge(entry.id).await,
                    Err(status) if rpc::status::class(&status) == ErrorClass::Invalid => {
                        self.spool.quarantine(entry.id, status.message()).await
                    }
                    Err(status) => return Err(status.into()),
                };
                settled.map_err(Error::Spool)?;
            }
        }
    }
}
