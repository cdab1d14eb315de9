//! The administrator: logs in as one does and calls what the command line calls.
//!
//! Owns the certificate and one client per site. Refuses to know what the calls are for.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ambient::Ambient;
use model::SiteCode;
use rpc::pb::admin::admin_service_client::AdminServiceClient;
use rpc::pb::enrolment::EnrolRequest;
use rpc::pb::enrolment::enrolment_service_client::EnrolmentServiceClient;
use tokio::time::Instant;
use tonic::transport::Channel;
use tonic::{Response, Status, Streaming};
use transport::{Connection, Credentials, Security, TcpConnect};
use trust::{Anchor, CertificateDer, JoinToken, KeyPair};

use crate::Error;

/// How often something that takes its time is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The administration service of a site.
pub(crate) type Desk = AdminServiceClient<Channel>;

/// What an administrator holds after the login.
#[derive(Debug)]
pub struct Account {
    /// The server that was logged in to.
    pub url: String,
    pub site: SiteCode,
    pub anchor: Anchor,
    pub chain: Vec<CertificateDer<'static>>,
    pub key: KeyPair,
}

#[derive(Debug)]
pub(crate) struct Operator {
    pub(crate) account: Account,
    credentials: Credentials,
    desks: BTreeMap<&'static str, Desk>,
}

impl Operator {
    /// Exchanges the token in `file` for a certificate, as `tierline login` does.
    pub(crate) async fn login(ambient: &Ambient, file: &Path) -> Result<Operator, Error> {
        let text = std::fs::read_to_string(file).map_err(Error::files("read", file))?;
        let failed = |error: trust::Error| Error::start("the administrator")(error);
        let token: JoinToken = text.parse().map_err(failed)?;
        let key = KeyPair::generate().map_err(failed)?;
        let request = EnrolRequest {
            secret: token.secret.reveal().to_vec(),
            kind: token.kind.as_str().to_owned(),
            site: token.site.to_string(),
            csr: key.request().map_err(failed)?,
            ..EnrolRequest::default()
        };
        let (pin, hierarchy) = (token.pin, token.hierarchy);
        let security = Security::Pinned { ambient: ambient.clone(), pin, hierarchy };
        let connection = Connection::new(Arc::new(TcpConnect), &token.url, security)
            .map_err(Error::start("the administrator"))?;
        let mut client = EnrolmentServiceClient::new(connection.channel());
        let answer = ask("log in", client.enrol(request)).await?;
        let anchor = Anchor::new(answer.root.into()).map_err(failed)?;
        let chain: Vec<_> = answer.chain.into_iter().map(Into::into).collect();
        let credentials = Credentials::new(ambient.clone(), anchor.clone(), &chain, &key)
            .map_err(Error::start("the administrator"))?;
        let account = Account { url: token.url, site: token.site, anchor, chain, key };
        Ok(Operator { account, credentials, desks: BTreeMap::new() })
    }

    /// Remembers where a site answers.
    pub(crate) fn meet(&mut self, site: &'static str, url: &str) -> Result<(), Error> {
        let credentials = self.credentials.clone();
        let connection =
            Connection::new(Arc::new(TcpConnect), url, Security::AnySite { credentials })
                .map_err(Error::start(site))?;
        let desk = AdminServiceClient::new(connection.channel())
            .max_decoding_message_size(rpc::limits::MESSAGE_BYTES_MAX);
        self.desks.insert(site, desk);
        Ok(())
    }

    /// The site's administration service. Panics for a site that was not met.
    pub(crate) fn at(&self, site: &str) -> Desk {
        self.desks[site].clone()
    }
}

/// Calls; what a server refuses names what was asked for.
pub(crate) async fn ask<T>(
    what: &'static str,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Error> {
    let answer = call.await;
    answer
        .map(Response::into_inner)
        .map_err(|status| Error::Refused { what, status: Box::new(status) })
}

/// The next part of an answer.
pub(crate) async fn next<T>(
    what: &'static str,
    answer: &mut Streaming<T>,
) -> Result<Option<T>, Error> {
    answer.message().await.map_err(|status| Error::Refused { what, status: Box::new(status) })
}

/// How far something is that takes its time.
pub(crate) enum Look<T> {
    There(T),
    /// With what is seen so far.
    NotYet(String),
}

/// Looks until it is there.
pub(crate) async fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Result<Look<T>, Error>,
) -> Result<T, Error> {
    let end = Instant::now() + limit;
    loop {
        match look().await? {
            Look::There(found) => return Ok(found),
            Look::NotYet(seen) if Instant::now() > end => {
                return Err(Error::Late { what: what.to_owned(), limit, seen });
            }
            Look::NotYet(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}
