//! Answering: the accept loop, the life of a connection, and its bounded end.
//!
//! Owns the tasks of a listener. Refuses to know routes and handlers. What goes wrong on one
//! connection ends that connection and is logged.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use http_body_util::Limited;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use model::error_chain;
use tokio::sync::Semaphore;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::error::handshake_error;
use crate::gate::{Gate, is_rpc};
use crate::tls::Verifier;
use crate::{Accepted, BoxStream, Credentials, Error, Limits, Listen, Peer, Revoked};

/// A peer that has not finished its handshake by then is not coming.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// Headers of an HTTP/1.1 request must be here by then (slow senders hold connections).
const HEADERS_MAX: Duration = Duration::from_secs(10);

/// How often an open connection is looked at: whether its peer was revoked meanwhile, and whether
/// it has asked for anything yet.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// After accept fails (no file descriptors, say), as the cause does not go away at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// How long requests may take to end after shutdown was asked for.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// Streams a peer may hold open on one connection; a management point forwards for many clients.
const STREAMS_MAX: u32 = 1_000;

/// Flow control windows: one stream can fill a fast line, one connection cannot fill the memory.
pub(crate) const STREAM_WINDOW: u32 = 2 * 1024 * 1024;
pub(crate) const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;

/// A silent peer is asked after this time, and given up on if it does not answer.
pub(crate) const KEEPALIVE_EVERY: Duration = Duration::from_secs(30);
pub(crate) const KEEPALIVE_WAIT: Duration = Duration::from_secs(20);

/// What answers on a listener.
pub struct Server {
    pub router: Router,
    /// None for plain HTTP and for links whose listener knows its peers.
    pub credentials: Option<Credentials>,
    pub limits: Limits,
    pub revoked: Revoked,
}

impl Server {
    /// Answers until `shutdown`, then lets requests end, for a bounded time.
    pub async fn run(
        self,
        mut listener: Box<dyn Listen>,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        let Server { router, credentials, limits, revoked } = self;
        let tls = credentials.map(|own| own.server()).transpose()?;
        let tasks = Tasks { tracker: TaskTracker::new(), kill: CancellationToken::new() };
        let shared = Arc::new(Shared {
            tls: tls.map(|(config, verifier)| (TlsAcceptor::from(config), verifier)),
            builder: http_builder(&tasks),
            gate: Gate::new(&limits, revoked),
            router,
        });
        let connections = Arc::new(Semaphore::new(limits.connections));
        let mut next = async || {
            let permit = connections.clone().acquire_owned().await;
            (permit.expect("the semaphore is never closed"), listener.accept().await)
        };
        while let Some((permit, accepted)) = shutdown.run_until_cancelled(next()).await {
            match accepted {
                Ok(accepted) => {
                    let (shared, shutdown) = (shared.clone(), shutdown.clone());
                    tasks.spawn(async move {
                        shared.serve(accepted, shutdown).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(error = %error_chain(&error), "a connection was not accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        tasks.drain().await;
        Ok(())
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Server { credentials, limits, .. } = self;
        f.debug_struct("Server")
            .field("credentials", credentials)
            .field("limits", limits)
            .finish_non_exhaustive()
    }
}

fn http_builder(tasks: &Tasks) -> auto::Builder<Tasks> {
    let mut builder = auto::Builder::new(tasks.clone());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        // The header would carry the machine's clock into simulated runs; gRPC has no use for it.
        .auto_date_header(false)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(KEEPALIVE_EVERY)
        .keep_alive_timeout(KEEPALIVE_WAIT);
    builder
}

/// The tasks of a listener: its connections and their streams.
#[derive(Clone)]
struct Tasks {
    tracker: TaskTracker,
    kill: CancellationToken,
}

impl Tasks {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let kill = self.kill.clone();
        self.tracker.spawn(async move { kill.run_until_cancelled(task).await });
    }

    async fn drain(self) {
        self.tracker.close();
        if timeout(DRAIN_MAX, self.tracker.wait()).await.is_err() {
            tracing::warn!("requests did not end in time and were cut off");
            self.kill.cancel();
            self.tracker.wait().await;
        }
    }
}

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.spawn(task);
    }
}

struct Shared {
    tls: Option<(TlsAcceptor, Arc<Verifier>)>,
    builder: auto::Builder<Tasks>,
    gate: Gate,
    router: Router,
}

impl Shared {
    async fn serve(self: Arc<Self>, accepted: Accepted, shutdown: CancellationToken) {
        let address: Arc<str> = accepted.address.as_str().into();
        match self.identify(accepted).await {
            Ok((stream, peer)) => self.answer(stream, peer, shutdown).await,
            Err(error) => {
                let error = error_chain(&error);
                tracing::info!(peer.address = %address, %error, "a peer was refused");
            }
        }
    }

    async fn identify(&self, accepted: Accepted) -> Result<(BoxStream, Peer), Error> {
        let Accepted { stream, address, identity } = accepted;
        let peer = |identity: Option<_>| Peer {
            identity: identity.map(Arc::new),
            address: address.as_str().into(),
        };
        let Some((acceptor, verifier)) = &self.tls else { return Ok((stream, peer(identity))) };
        let stream = timeout(HANDSHAKE_MAX, acceptor.accept(stream))
            .await
            .map_err(|_| Error::SlowHandshake(HANDSHAKE_MAX))?
            .map_err(|source| handshake_error("the peer", source, Error::Handshake))?;
        // Verified here once more, because a resumed session skips the verifier.
        let presented = stream.get_ref().1.peer_certificates();
        let identity = presented.map(|chain| verifier.identify(chain)).transpose()?;
        Ok((Box::new(stream), peer(identity)))
    }

    async fn answer(self: Arc<Self>, stream: BoxStream, peer: Peer, shutdown: CancellationToken) {
        let asked = Arc::new(AtomicBool::new(false));
        let service = service_fn(|request| {
            asked.store(true, Ordering::Relaxed);
            let (shared, peer) = (self.clone(), peer.clone());
            async move { Ok::<_, Infallible>(shared.respond(request, peer).await) }
        });
        let mut connection = pin!(self.builder.serve_connection(TokioIo::new(stream), service));
        let mut look = interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut looks, mut draining) = (0, false);
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled(), if !draining => {
                    connection.as_mut().graceful_shutdown();
                    draining = true;
                }
                _ = look.tick() => {
                    looks += 1;
                    let silent = looks == 2 && !asked.load(Ordering::Relaxed);
                    if silent || self.gate.is_revoked(&peer) {
                        return;
                    }
                }
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        let error = error_chain(&*error);
                        tracing::debug!(peer.address = %peer.address, %error, "a connection broke");
                    }
                    return;
                }
            }
        }
    }

    async fn respond(&self, request: Request<Incoming>, peer: Peer) -> Response<Body> {
        let (mut head, body) = request.into_parts();
        let turn = match self.gate.enter(head.uri.path(), &head.headers, &peer).await {
            Ok(turn) => turn,
            Err(refusal) => return refusal.into_response(),
        };
        // gRPC messages are limited one by one where they are decoded; streams have no end.
        let body = if is_rpc(head.uri.path(), &head.headers) {
            Body::new(body)
        } else {
            Body::new(Limited::new(body, rpc::limits::MESSAGE_BYTES_MAX))
        };
        head.extensions.insert(peer);
        let Ok(response) = self.router.clone().oneshot(Request::from_parts(head, body)).await;
        drop(turn);
        response
    }
}
