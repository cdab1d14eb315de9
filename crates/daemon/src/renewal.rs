//! Renewal of the process's own certificate when half of its life is over.
//!
//! Owns when, and the taking into use without a restart. Refuses to know who issues: the site's
//! own intermediate, or the site server over its connection. A failure is tried again at the next
//! look; there is half a life left to succeed in.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use ambient::Ambient;
use model::{Timestamp, error_chain};
use rpc::pb::enrolment::RenewRequest;
use rpc::pb::enrolment::enrolment_service_client::EnrolmentServiceClient;
use tokio_util::sync::CancellationToken;
use transport::{Connection, Credentials};
use trust::Validity;

use crate::{Error, Pki};

const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);

/// Who issues the fresh certificate.
#[derive(Debug)]
pub enum RenewFrom {
    /// The site's own intermediate in `pki`.
    Own,
    Site(Connection),
}

#[derive(Debug)]
pub struct Renewal {
    pub ambient: Ambient,
    pub pki: Pki,
    pub credentials: Credentials,
    pub from: RenewFrom,
    /// DNS names and addresses of the certificate.
    pub names: Vec<String>,
}

/// Does `upkeep` as long as `work` takes.
pub(crate) async fn alongside<T>(
    work: impl Future<Output = T>,
    upkeep: impl Future<Output = ()>,
) -> T {
    let mut work = pin!(work);
    tokio::select! {
        biased;
        outcome = &mut work => return outcome,
        () = upkeep => {}
    }
    work.await
}

impl Renewal {
    /// Renews as long as the work takes that ends with `shutdown`.
    pub async fn beside<T>(self, shutdown: CancellationToken, work: impl Future<Output = T>) -> T {
        alongside(work, self.run(shutdown)).await
    }

    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            match self.step().await {
                Ok(None) => {}
                Ok(Some(until)) => tracing::info!(%until, "the certificate was renewed"),
                Err(error) => {
                    tracing::warn!(error = %error_chain(&error), "the certificate was not renewed");
                }
            }
            if shutdown.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_none() {
                return;
            }
        }
    }

    /// Renews if it is time; says until when the fresh certificate lasts.
    pub async fn step(&self) -> Result<Option<Timestamp>, Error> {
        let Some(leaf) = self.pki.chain()?.and_then(|chain| chain.into_iter().next()) else {
            return Ok(None);
        };
        let validity = Validity::of(&leaf).map_err(Error::Certificate)?;
        if Timestamp(self.ambient.now_ms()) < validity.renew_at() {
            return Ok(None);
        }
        let key = self.pki.own_key()?;
        let chain = match &self.from {
            RenewFrom::Own => {
                let identity = self.credentials.identity();
                let Some(issuer) = self.pki.intermediate(identity.site)? else { return Ok(None) };
                let leaf = issuer.issue(&self.ambient, &key.public_key(), identity, &self.names);
                vec![leaf.map_err(Error::Certificate)?, issuer.certificate().clone()]
            }
            RenewFrom::Site(connection) => {
                let csr = key.request().map_err(Error::Certificate)?;
                let request = RenewRequest { csr, names: self.names.clone(), on_behalf_of: None };
                let mut client = EnrolmentServiceClient::new(connection.channel());
                let answer = client.renew(request).await.map_err(Error::Renew)?;
                answer.into_inner().chain.into_iter().map(Into::into).collect()
            }
        };
        // Verified by `replace` before it is written.
        self.credentials.replace(&chain, &key)?;
        self.pki.write_chain(&chain)?;
        let fresh = Validity::of(&chain[0]).map_err(Error::Certificate)?;
        Ok(Some(fresh.not_after))
    }
}
