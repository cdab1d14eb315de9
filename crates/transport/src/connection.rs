//! Calling: a connection to one peer, made when first used and made again when it broke.
//!
//! Owns the verification of who answers. Refuses to know what is called. Failing to connect is an
//! error of the call that needed the connection.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ambient::Ambient;
use http::Uri;
use hyper_util::rt::TokioIo;
use model::{HierarchyId, PeerIdentity};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;
use trust::RootPin;

use crate::error::handshake_error;
use crate::server::{CONNECTION_WINDOW, KEEPALIVE_EVERY, KEEPALIVE_WAIT, STREAM_WINDOW};
use crate::tls::{Expected, Verifier, client};
use crate::{BoxStream, Connect, Credentials, Error, Expect};

/// Connecting and the handshake together.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// How the two ends know each other.
#[derive(Clone, Debug)]
pub enum Security {
    /// No TLS: the connector itself leads to the right peer (memory, simulation).
    Plain,
    /// Mutual TLS, with exactly the peer that is expected.
    Mutual { credentials: Credentials, expect: Expect },
    /// Mutual TLS with whichever site server of the hierarchy answers: for administrators, who
    /// name a server by its address.
    AnySite { credentials: Credentials },
    /// For joining: no own certificate yet, and nothing known but the root's pin.
    Pinned { ambient: Ambient, pin: RootPin, hierarchy: HierarchyId },
}

type Tls = (Arc<ClientConfig>, Arc<Verifier>);

impl Security {
    fn tls(self) -> Result<Option<Tls>, Error> {
        match self {
            Security::Plain => Ok(None),
            Security::Mutual { credentials, expect } => {
                let expected = Expected::One(credentials.anchor().clone(), expect);
                client(credentials.ambient(), Some(&credentials), expected).map(Some)
            }
            Security::AnySite { credentials } => {
                let expected = Expected::AnySite(credentials.anchor().clone());
                client(credentials.ambient(), Some(&credentials), expected).map(Some)
            }
            Security::Pinned { ambient, pin, hierarchy } => {
                client(&ambient, None, Expected::Enrolling(pin, hierarchy)).map(Some)
            }
        }
    }
}

/// One connection for whoever speaks HTTP/1.1 on it; nothing is made again when it breaks.
pub async fn open(
    connect: Arc<dyn Connect>,
    url: &str,
    security: Security,
) -> Result<BoxStream, Error> {
    let bad = || Error::Url { url: url.to_owned() };
    let uri: Uri = url.parse().map_err(|_| bad())?;
    uri.authority().ok_or_else(bad)?;
    let mut tls = security.tls()?;
    if let Some((config, _)) = &mut tls {
        Arc::make_mut(config).alpn_protocols = vec![b"http/1.1".to_vec()];
    }
    Dialer { connect, uri, tls, answered: Arc::default() }.dial().await
}

/// A connection for generated clients; clones share it.
#[derive(Clone)]
pub struct Connection {
    url: Arc<str>,
    channel: Channel,
    answered: Arc<Mutex<Option<PeerIdentity>>>,
}

impl Connection {
    pub fn new(
        connect: Arc<dyn Connect>,
        url: &str,
        security: Security,
    ) -> Result<Connection, Error> {
        let bad = || Error::Url { url: url.to_owned() };
        let uri: Uri = url.parse().map_err(|_| bad())?;
        let authority = uri.authority().ok_or_else(bad)?;
        // TLS is ours and not tonic's, which therefore sees a plain endpoint.
        let endpoint = Endpoint::from_shared(format!("http://{authority}"))
            .map_err(|_| bad())?
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(KEEPALIVE_EVERY)
            .keep_alive_timeout(KEEPALIVE_WAIT)
            .keep_alive_while_idle(true);
        let tls = security.tls()?;
        let answered = Arc::new(Mutex::new(None));
        let dialer = Arc::new(Dialer { connect, uri, tls, answered: answered.clone() });
        let channel = endpoint.connect_with_connector_lazy(service_fn(move |_| {
            let dialer = dialer.clone();
            async move { dialer.dial().await.map(TokioIo::new) }
        }));
        Ok(Connection { url: url.into(), channel, answered })
    }

    /// For a generated client, or for plain HTTP requests to the same peer.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Who answered last; none before the first use and without TLS.
    #[must_use]
    pub fn peer(&self) -> Option<PeerIdentity> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({})", self.url)
    }
}

struct Dialer {
    connect: Arc<dyn Connect>,
    uri: Uri,
    tls: Option<Tls>,
    answered: Arc<Mutex<Option<PeerIdentity>>>,
}

impl Dialer {
    async fn dial(&self) -> Result<BoxStream, Error> {
        match timeout(CONNECT_MAX, self.dial_unbounded()).await {
            Ok(result) => result,
            Err(late) => Err(self.connect_error(late.into())),
        }
    }

    async fn dial_unbounded(&self) -> Result<BoxStream, Error> {
        let stream = self.connect.connect(&self.uri).await.map_err(|e| self.connect_error(e))?;
        let Some((config, verifier)) = &self.tls else { return Ok(stream) };
        let host = self.uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name =
            ServerName::try_from(host).map_err(|_| Error::Url { url: self.uri.to_string() })?;
        let connector = TlsConnector::from(config.clone());
        let stream = connector.connect(name, stream).await.map_err(|source| {
            handshake_error(&self.uri.to_string(), source, |source| self.connect_error(source))
        })?;
        let presented = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let peer = verifier.identify(presented)?;
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(peer);
        Ok(Box::new(stream))
    }

    fn connect_error(&self, source: std::io::Error) -> Error {
        Error::Connect { url: self.uri.to_string(), source }
    }
}
