//! The servers of policy, and the connections to them.
//!
//! Owns the order in which servers are tried and the bounds of every wait on the network. Refuses
//! to know what is asked. A server that does not answer is an error of that one question.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ambient::Ambient;
use model::{PeerKind, RoleKind, ServerRef, Timestamp, error_chain};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::{Response, Status};
use transport::{BoxStream, Connect, Connection, Credentials, Expect, Security};

use client::fallback::{Search, usable};

use crate::download::Pace;
use crate::summary::Refusals;
use crate::{Error, limits};

pub(crate) struct Servers {
    ambient: Ambient,
    connect: Arc<dyn Connect>,
    credentials: Credentials,
    /// Asked last, and until policy names others.
    first: ServerRef,
    listed: Mutex<Vec<ServerRef>>,
    open: Mutex<BTreeMap<String, Connection>>,
    /// Kinds of which no server has answered.
    unserved: Mutex<Search<RoleKind>>,
    /// The same for people: since when, and why.
    failing: Mutex<BTreeMap<RoleKind, (Timestamp, String)>>,
    /// Those that were not believed.
    pub(crate) refusals: Refusals,
    /// Of all content.
    pub(crate) pace: Pace,
    pub(crate) stop: CancellationToken,
}

impl Servers {
    pub(crate) fn new(
        ambient: Ambient,
        connect: Arc<dyn Connect>,
        credentials: Credentials,
        first: ServerRef,
    ) -> Servers {
        let (listed, open, unserved, failing, refusals, pace, stop) = Default::default();
        Servers {
            ambient,
            connect,
            credentials,
            first,
            listed,
            open,
            unserved,
            failing,
            refusals,
            pace,
            stop,
        }
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// What policy says now.
    pub(crate) fn list(&self, servers: &[ServerRef]) {
        *lock(&self.listed) = servers.to_vec();
    }

    /// The servers of a kind that may be tried now, in their order: those of the client's own
    /// boundary groups, and others once those have failed long enough (BG-02).
    pub(crate) fn of(&self, kind: RoleKind) -> Vec<ServerRef> {
        let mut servers = self.listed(kind);
        if self.first.kind == kind && !servers.iter().any(|known| known.url == self.first.url) {
            servers.push(self.first.clone());
        }
        let minutes = lock(&self.unserved).lasted(&kind, self.now());
        usable(&servers, minutes)
    }

    fn listed(&self, kind: RoleKind) -> Vec<ServerRef> {
        let listed = lock(&self.listed);
        listed.iter().filter(|server| server.kind == kind).cloned().collect()
    }

    /// A server of this kind has answered.
    pub(crate) fn served(&self, kind: RoleKind) {
        lock(&self.unserved).end(&kind);
        lock(&self.failing).remove(&kind);
    }

    /// One of this kind has failed, for a reason that people understand.
    pub(crate) fn failed(&self, kind: RoleKind, reason: String) {
        let now = self.now();
        let mut failing = lock(&self.failing);
        failing.entry(kind).or_insert_with(|| (now, String::new())).1 = reason;
    }

    /// Since when none of this kind has served, and why not.
    pub(crate) fn failing(&self, kind: RoleKind) -> Option<(Timestamp, String)> {
        lock(&self.failing).get(&kind).cloned()
    }

    /// None of those that may be tried has.
    pub(crate) fn unserved(&self, kind: RoleKind) {
        lock(&self.unserved).minutes(kind, self.now());
    }

    /// No management point has answered since one was asked last: this computer may be elsewhere.
    pub(crate) fn is_alone(&self) -> bool {
        lock(&self.unserved).has(&RoleKind::ManagementPoint)
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.ambient.now_ms())
    }

    /// A connection to exactly this server: mutual TLS, except for plain content.
    pub(crate) fn connection(&self, server: &ServerRef, url: &str) -> Result<Connection, Error> {
        let mut open = lock(&self.open);
        if let Some(connection) = open.get(url) {
            return Ok(connection.clone());
        }
        let security = self.security(server, url);
        let connection = Connection::new(self.connect.clone(), url, security)?;
        if open.len() >= limits::CONNECTIONS_MAX {
            open.clear();
        }
        open.insert(url.to_owned(), connection.clone());
        Ok(connection)
    }

    /// A stream of its own to exactly this server, on which HTTP/1.1 is spoken.
    pub(crate) async fn open(&self, server: &ServerRef, url: &str) -> Result<BoxStream, Error> {
        let opened = transport::open(self.connect.clone(), url, self.security(server, url)).await;
        opened.map_err(Error::unreached(url))
    }

    fn security(&self, server: &ServerRef, url: &str) -> Security {
        if server.kind == RoleKind::DistributionPoint && url == server.http_url {
            return Security::Plain;
        }
        let credentials = self.credentials.clone();
        Security::Mutual { credentials, expect: expected(server) }
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

#[cfg(test)]
mod tests;
