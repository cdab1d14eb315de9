//! The real protocols: gRPC over mutual TLS, each client with a certificate of its own.
//!
//! Owns the connections and how many questions are on their way at once. Certificates are issued
//! when a client connects, so that nothing has to be kept for one that does not. Refuses to know
//! what is asked for and when. A server that fails gives its place to the next one.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ambient::Ambient;
use client::policy::{Offer, Refused};
use client::{Answer, Asking, Taken};
use model::{
    ClientId, ClientKind, PeerIdentity, PeerKind, ReportOutcome, RoleKind, ServerRef, StateReport,
    Timestamp,
};
use rpc::limits::MESSAGE_BYTES_MAX;
use rpc::pb::client::client_service_client::ClientServiceClient;
use rpc::pb::client::{GetPolicyRequest, GetPolicyResponse, RegisterRequest, SendStateRequest};
use rpc::pb::management::{Outcome, SignedHead};
use rpc::pb::metadata::metadata_service_client::MetadataServiceClient;
use rpc::pb::metadata::{FollowDocumentsRequest, FollowDocumentsResponse};
use tokio::sync::{Semaphore, SemaphorePermit};
use tonic::transport::Channel;
use transport::{Connect, Connection, Credentials, Expect, Security, answered};
use trust::{Anchor, Intermediate, KeyPair};

use crate::Error;
use crate::limits::{ASKED_MAX, CONNECTIONS_MAX, SILENCE_MAX};
use crate::pool::Pool;

/// Who lets the clients in, and where they ask first.
pub struct Account {
    pub ambient: Ambient,
    pub connect: Arc<dyn Connect>,
    pub anchor: Anchor,
    /// Of the site that the clients belong to.
    pub authority: Arc<Intermediate>,
    /// Asked for policy until policy names others.
    pub management_point: ServerRef,
}

/// The way to the servers of a site.
pub struct Wire {
    account: Account,
    /// One key for all certificates: making keys is no part of what a client does.
    key: KeyPair,
    pool: Mutex<Pool>,
    turns: Semaphore,
}

/// A client that asks.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    pub(crate) number: u32,
    pub(crate) client: ClientId,
    pub(crate) name: String,
    pub(crate) os: String,
    pub(crate) architecture: String,
    /// As its policy lists them.
    pub(crate) servers: Arc<[ServerRef]>,
}

impl Wire {
    pub fn new(account: Account) -> Result<Wire, Error> {
        let (pool, turns) = (Pool::new(CONNECTIONS_MAX), Semaphore::new(ASKED_MAX));
        Ok(Wire { account, key: KeyPair::generate()?, pool: Mutex::new(pool), turns })
    }

    pub(crate) async fn turn(&self) -> SemaphorePermit<'_> {
        self.turns.acquire().await.expect("the semaphore is never closed")
    }

    pub(crate) async fn register(&self, asker: &Asker, asking: &Asking) -> Result<(), Error> {
        let request = RegisterRequest {
            kind: ClientKind::Simulated.as_str().to_owned(),
            name: asker.name.clone(),
            os: asker.os.clone(),
            architecture: asker.architecture.clone(),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            incarnation: asking.incarnation,
        };
        self.first_of(asker, RoleKind::ManagementPoint, |channel, url| {
            let (mut point, request) = (ClientServiceClient::new(channel), request.clone());
            async move {
                let answer = answered(SILENCE_MAX, &url, point.register(request)).await;
                answer.map(drop).map_err(Error::call(&url))
            }
        })
        .await
    }

    pub(crate) async fn policy(
        &self,
        asker: &Asker,
        asking: &Asking,
        now: Timestamp,
    ) -> Result<Answer, Error> {
        let request = GetPolicyRequest {
            incarnation: asking.incarnation,
            have_version: asking.version(),
            have_parts: asking.parts().map(|part| part.0.to_vec()).collect(),
        };
        let answered = self.first_of(asker, RoleKind::ManagementPoint, |channel, url| {
            let (point, request) = (ClientServiceClient::new(channel), request.clone());
            let mut point = point.max_decoding_message_size(MESSAGE_BYTES_MAX);
            async move {
                let answer = answered(SILENCE_MAX, &url, point.get_policy(request)).await;
                let answer = answer.map_err(Error::call(&url))?;
                judge(asking, answer, now).map_err(|source| Error::Policy { url, source })
            }
        });
        answered.await
    }

    pub(crate) async fn report(&self, asker: &Asker, report: &StateReport) -> Result<Taken, Error> {
        let outcome = self.first_of(asker, RoleKind::ManagementPoint, |channel, url| {
            let request = SendStateRequest { report: Some(report.into()) };
            let mut point = ClientServiceClient::new(channel);
            async move {
                let answer = answered(SILENCE_MAX, &url, point.send_state(request)).await;
                let answer = answer.map_err(Error::call(&url))?;
                Ok((answer.outcome(), answer.known_serial))
            }
        });
        let (outcome, known) = outcome.await?;
        Ok(match outcome {
            Outcome::Unspecified => Taken::Spooled,
            Outcome::Applied => Taken::BySite(ReportOutcome::Applied),
            Outcome::Known => Taken::BySite(ReportOutcome::Known),
            Outcome::SendFull | Outcome::Rejected => Taken::BySite(ReportOutcome::SendFull),
            Outcome::Behind => Taken::BySite(ReportOutcome::Behind(known)),
        })
    }

    /// What has changed since `at`, up to the completed version, of one update point.
    pub(crate) async fn follow(
        &self,
        asker: &Asker,
        at: FollowDocumentsRequest,
    ) -> Result<Vec<FollowDocumentsResponse>, Error> {
        self.first_of(asker, RoleKind::SoftwareUpdatePoint, |channel, url| {
            let (point, at) = (MetadataServiceClient::new(channel), at.clone());
            let mut point = point.max_decoding_message_size(MESSAGE_BYTES_MAX);
            async move {
                let stream = answered(SILENCE_MAX, &url, point.follow_documents(at)).await;
                let (mut stream, mut pages) = (stream.map_err(Error::call(&url))?, Vec::new());
                while let Some(page) = stream.message().await.map_err(Error::call(&url))? {
                    pages.push(page);
                }
                Ok(pages)
            }
        })
        .await
    }

    /// The answer of the first server of a kind that gives one.
    async fn first_of<T, F: Future<Output = Result<T, Error>>>(
        &self,
        asker: &Asker,
        kind: RoleKind,
        ask: impl Fn(Channel, String) -> F,
    ) -> Result<T, Error> {
        let first = &self.account.management_point;
        let listed = asker.servers.iter().filter(|server| server.url != first.url);
        let mut outcome = Err(Error::Nobody);
        for server in listed.chain([first]).filter(|server| server.kind == kind) {
            outcome = match self.connection(asker, server) {
                Ok(connection) => ask(connection.channel(), server.url.clone()).await,
                Err(error) => Err(error),
            };
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    fn connection(&self, asker: &Asker, server: &ServerRef) -> Result<Connection, Error> {
        let pool = || self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = pool().get(asker.number, &server.url) {
            return Ok(open);
        }
        let credentials = self.credentials(asker.client)?;
        let expect = Expect { kind: PeerKind::Role(server.kind), site: server.site, id: None };
        let security = Security::Mutual { credentials, expect };
        let connection = Connection::new(self.account.connect.clone(), &server.url, security)?;
        pool().put(asker.number, &server.url, connection.clone());
        Ok(connection)
    }

    fn credentials(&self, client: ClientId) -> Result<Credentials, Error> {
        let Account { ambient, anchor, authority, .. } = &self.account;
        let identity = PeerIdentity {
            hierarchy: anchor.hierarchy(),
            site: authority.site(),
            kind: PeerKind::Client,
            id: client.to_string(),
        };
        let leaf = authority.issue(ambient, &self.key.public_key(), &identity, &[])?;
        let chain = [leaf, authority.certificate().clone()];
        Ok(Credentials::new(ambient.clone(), anchor.clone(), &chain, &self.key)?)
    }

    pub(crate) fn anchor(&self) -> &Anchor {
        &self.account.anchor
    }
}

/// What an answer about policy means to who asked.
fn judge(asking: &Asking, answer: GetPolicyResponse, now: Timestamp) -> Result<Answer, Refused> {
    let GetPolicyResponse { head, parts } = answer;
    let Some(SignedHead { head, signature, key_statement: statement }) = head else {
        return Ok(if asking.version() == 0 { Answer::Nothing } else { Answer::Same });
    };
    let offer = Offer { head, signature, statement, parts };
    Ok(Answer::New(Box::new(asking.accept(&offer, now)?)))
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = &self.account.management_point.url;
        f.debug_struct("Wire").field("first", first).finish_non_exhaustive()
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let site = self.authority.site();
        f.debug_struct("Account").field("site", &site).finish_non_exhaustive()
    }
}
