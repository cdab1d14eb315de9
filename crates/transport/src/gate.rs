//! Who may call, and how many at once.
//!
//! Owns the check of every request against `rpc::access` and the separate limits per class of
//! peers, so that a storm of one class starves no other. Refuses to know what a call does. A
//! refusal is an answer (a gRPC status, or HTTP 403 and 429), never a broken connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, Response, header};
use model::{ErrorClass, PeerIdentity, PeerKind};
use rpc::status::refuse;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

/// Says whether a peer's certificate was revoked.
pub type Revoked = Arc<dyn Fn(&PeerIdentity) -> bool + Send + Sync>;

/// How long a request waits for its turn before it is told to come back later.
const TURN_WAIT_MAX: Duration = Duration::from_secs(30);

/// Who sent a request; in the extensions of every request.
#[derive(Clone, Debug)]
pub struct Peer {
    /// None without a certificate.
    pub identity: Option<Arc<PeerIdentity>>,
    pub address: Arc<str>,
}

impl Peer {
    /// None where there is no network in between.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        let address: SocketAddr = self.address.parse().ok()?;
        Some(address.ip().to_canonical())
    }
}

/// The identity of the caller of a method that the access table gives to certain peers only.
pub fn peer<T>(request: &tonic::Request<T>) -> Result<&PeerIdentity, Status> {
    let peer = request.extensions().get::<Peer>();
    let identity = peer.and_then(|peer| peer.identity.as_deref());
    identity.ok_or_else(|| refuse(ErrorClass::Denied, "the caller presented no certificate"))
}

/// The IP address that a request came from, where the connection has one.
pub fn peer_address<T>(request: &tonic::Request<T>) -> Option<IpAddr> {
    request.extensions().get::<Peer>()?.ip()
}

/// How much a listener takes on at once. Requests count while their answer is being prepared; a
/// stream that stands open does not count.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections of all peers together; each costs about 100 KiB at worst.
    pub connections: usize,
    /// Requests of sites and administrators.
    pub sites: usize,
    /// Requests of site system roles.
    pub roles: usize,
    /// Requests of clients and of peers without a certificate.
    pub clients: usize,
}

impl Default for Limits {
    /// Room for the largest site (15,000 clients that hold a connection each).
    fn default() -> Limits {
        Limits { connections: 20_000, sites: 128, roles: 128, clients: 256 }
    }
}

pub(crate) struct Gate {
    revoked: Revoked,
    sites: Arc<Semaphore>,
    roles: Arc<Semaphore>,
    clients: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new(limits: &Limits, revoked: Revoked) -> Gate {
        Gate {
            revoked,
            sites: Arc::new(Semaphore::new(limits.sites)),
            roles: Arc::new(Semaphore::new(limits.roles)),
            clients: Arc::new(Semaphore::new(limits.clients)),
        }
    }

    pub(crate) fn is_revoked(&self, peer: &Peer) -> bool {
        peer.identity.as_deref().is_some_and(|identity| (self.revoked)(identity))
    }

    /// Lets a request in: the permit is held while it is answered.
    pub(crate) async fn enter(
        &self,
        path: &str,
        headers: &HeaderMap,
        peer: &Peer,
    ) -> Result<OwnedSemaphorePermit, Refusal> {
        let rpc = is_rpc(path, headers);
        let refusal = |class, reason| Refusal { rpc, class, reason };
        if self.is_revoked(peer) {
            let reason = "the certificate was revoked; the machine must join again".to_owned();
            return Err(refusal(ErrorClass::Denied, reason));
        }
        if rpc {
            check_access(path, peer).map_err(|reason| refusal(ErrorClass::Denied, reason))?;
        }
        let turn = match peer.identity.as_ref().map(|identity| identity.kind) {
            Some(PeerKind::Site | PeerKind::Administrator) => &self.sites,
            Some(PeerKind::Role(_)) => &self.roles,
            Some(PeerKind::Client) | None => &self.clients,
        };
        match tokio::time::timeout(TURN_WAIT_MAX, turn.clone().acquire_owned()).await {
            Ok(permit) => Ok(permit.expect("the semaphores are never closed")),
            Err(_) => Err(refusal(ErrorClass::Exhausted, "busy; try again later".to_owned())),
        }
    }
}

/// The path decides too, so that no content type goes around the table.
pub(crate) fn is_rpc(path: &str, headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    path.starts_with("/tierline.")
        || path.starts_with("/grpc.")
        || kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
}

fn check_access(path: &str, peer: &Peer) -> Result<(), String> {
    let kind = peer.identity.as_ref().map(|identity| identity.kind);
    if rpc::access::admits(path, kind) {
        return Ok(());
    }
    Err(match (&peer.identity, rpc::access::callers(path)) {
        (_, None) => format!("nobody may call {path}"),
        (None, Some(_)) => format!("{path} needs a certificate; join the hierarchy first"),
        (Some(identity), Some(_)) => format!("{identity} may not call {path}"),
    })
}

/// Why a request is not answered by a handler.
#[derive(Debug)]
pub(crate) struct Refusal {
    rpc: bool,
    class: ErrorClass,
    reason: String,
}

impl Refusal {
    pub(crate) fn into_response(self) -> Response<Body> {
        if self.rpc {
            return refuse(self.class, self.reason).into_http();
        }
        let mut response = Response::new(Body::from(self.reason));
        let code = rpc::status::http(self.class);
        *response.status_mut() = code.try_into().expect("the table holds real HTTP codes");
        response
    }
}
