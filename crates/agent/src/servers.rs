//! The servers of policy, and the connections to them.
//!
//! Owns the order in which servers are tried and the bounds of every wait on the network. Refuses
//! to know what is asked. A server that does not answer is an error of that one question.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{PeerKind, RoleKind, ServerRef, error_chain};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::{Response, Status};
use transport::{Connect, Connection, Credentials, Expect, Security};

use crate::{Error, limits};

pub(crate) struct Servers {
    connect: Arc<dyn Connect>,
    credentials: Credentials,
    /// Asked last, and until policy names others.
    first: ServerRef,
    listed: Mutex<Vec<ServerRef>>,
    open: Mutex<BTreeMap<String, Connection>>,
    pub(crate) stop: CancellationToken,
}

impl Servers {
    pub(crate) fn new(
        connect: Arc<dyn Connect>,
        credentials: Credentials,
        first: ServerRef,
    ) -> Servers {
        let (listed, open, stop) = Default::default();
        Servers { connect, credentials, first, listed, open, stop }
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// What policy says now.
    pub(crate) fn list(&self, servers: &[ServerRef]) {
        *lock(&self.listed) = servers.to_vec();
    }

    /// The servers of a kind, in the order to try them.
    pub(crate) fn of(&self, kind: RoleKind) -> Vec<ServerRef> {
        let mut servers = lock(&self.listed).clone();
        if !servers.iter().any(|listed| listed.url == self.first.url) {
            servers.push(self.first.clone());
        }
        servers.retain(|server| server.kind == kind);
        servers
    }

    /// A connection to exactly this server: mutual TLS, except for plain content.
    pub(crate) fn connection(&self, server: &ServerRef, url: &str) -> Result<Connection, Error> {
        let mut open = lock(&self.open);
        if let Some(connection) = open.get(url) {
            return Ok(connection.clone());
        }
        let plain = server.kind == RoleKind::DistributionPoint && url == server.http_url;
        let security = if plain {
            Security::Plain
        } else {
            let credentials = self.credentials.clone();
            Security::Mutual { credentials, expect: expected(server) }
        };
        let connection = Connection::new(self.connect.clone(), url, security)?;
        if open.len() >= limits::CONNECTIONS_MAX {
            open.clear();
        }
        open.insert(url.to_owned(), connection.clone());
        Ok(connection)
    }

    /// Waits for a server, but not for ever, and not when the agent is to stop.
    pub(crate) async fn bounded<T>(
        &self,
        url: &str,
        answer: impl Future<Output = T>,
    ) -> Result<T, Error> {
        let limit = limits::SILENCE_MAX;
        let answer = self.stop.run_until_cancelled(timeout(limit, answer)).await;
        let silent = |_| Error::Silent { url: url.to_owned(), limit };
        answer.ok_or(Error::Stopping)?.map_err(silent)
    }

    /// The answer to a call.
    pub(crate) async fn answer<T>(
        &self,
        url: &str,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Error> {
        let answer = self.bounded(url, call).await?;
        Ok(answer.map_err(Error::call(url))?.into_inner())
    }
}

/// What was wrong with a server, whose place the next one takes. What ends the agent is no fault
/// of a server.
pub(crate) fn pass_over(url: &str, what: &'static str, error: Error) -> Result<String, Error> {
    if matches!(error, Error::Stopping | Error::Store(_)) {
        return Err(error);
    }
    let reason = error_chain(&error);
    tracing::info!(url, reason, "{what}");
    Ok(reason)
}

impl std::fmt::Debug for Servers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Servers").field("first", &self.first.url).finish_non_exhaustive()
    }
}

/// Whom a connection to a server must reach.
pub(crate) fn expected(server: &ServerRef) -> Expect {
    Expect { kind: PeerKind::Role(server.kind), site: server.site, id: None }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
