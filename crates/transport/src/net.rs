//! Byte streams: where they come from and where they go, without saying what carries them.
//!
//! Owns the TCP and the memory implementation. Refuses to know TLS and HTTP. Failures are I/O
//! errors of one connection.

use std::fmt::{self, Debug};
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;

use http::Uri;
use model::PeerIdentity;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::mpsc;

use crate::Error;

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A byte stream in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub type BoxStream = Box<dyn Stream>;

/// A connection that came in.
pub struct Accepted {
    pub stream: BoxStream,
    /// Where it came from, for logs.
    pub address: String,
    /// Who it is, where the listener itself knows (memory, simulation). Never believed on a
    /// listener that speaks TLS.
    pub identity: Option<PeerIdentity>,
}

impl Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Accepted({})", self.address)
    }
}

/// Where connections come in.
pub trait Listen: Debug + Send {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Accepted>>;
}

/// How to reach a URL.
pub trait Connect: Debug + Send + Sync {
    fn connect<'a>(&'a self, url: &'a Uri) -> BoxFuture<'a, io::Result<BoxStream>>;
}

/// A TCP port.
#[derive(Debug)]
pub struct TcpListen(TcpListener);

impl TcpListen {
    /// `address` is `host:port`; port 0 lets the system choose.
    pub async fn bind(address: &str) -> Result<TcpListen, Error> {
        let listener = TcpListener::bind(address).await;
        let fail = |source| Error::Listen { address: address.to_owned(), source };
        listener.map(TcpListen).map_err(fail)
    }

    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.0.local_addr().expect("a bound listener has an address")
    }
}

impl Listen for TcpListen {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Accepted>> {
        Box::pin(async {
            let (stream, address) = self.0.accept().await?;
            // Answers are small; they must not wait for more to send.
            stream.set_nodelay(true)?;
            let address = address.to_string();
            Ok(Accepted { stream: Box::new(stream), address, identity: None })
        })
    }
}

/// Reaches URLs over TCP.
#[derive(Clone, Copy, Debug)]
pub struct TcpConnect;

impl Connect for TcpConnect {
    fn connect<'a>(&'a self, url: &'a Uri) -> BoxFuture<'a, io::Result<BoxStream>> {
        Box::pin(async {
            let stream = TcpStream::connect(place(url)).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as BoxStream)
        })
    }
}

/// Reaches URLs of strangers over TCP. A name may lead anywhere: what only this computer or its own
/// link can reach is refused, so that nobody asks services there in our name.
#[derive(Clone, Copy, Debug)]
pub struct PublicConnect;

impl Connect for PublicConnect {
    fn connect<'a>(&'a self, url: &'a Uri) -> BoxFuture<'a, io::Result<BoxStream>> {
        Box::pin(async {
            let found: Vec<SocketAddr> = lookup_host(place(url)).await?.collect();
            let is_public = |address: &&SocketAddr| is_public(address.ip());
            let public: Vec<SocketAddr> = found.iter().filter(is_public).copied().collect();
            if public.is_empty() {
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, OWN));
            }
            let stream = TcpStream::connect(&public[..]).await?;
            // An address of this computer in another network is this computer, too.
            if stream.local_addr()?.ip() == stream.peer_addr()?.ip() {
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, OWN));
            }
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as BoxStream)
        })
    }
}

const OWN: &str = "its name leads to this computer or its own link, which is not asked";

/// Where clouds tell a machine about itself, beside the link-local address that all of them have.
const METADATA: [IpAddr; 4] = [
    // Alibaba, Oracle, Azure, Amazon.
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

fn is_public(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let is_own = address.is_loopback() || address.is_unspecified() || address.is_multicast();
    !is_own
        && !METADATA.contains(&address)
        && match address {
            IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_broadcast() && v4.octets()[0] != 0,
            IpAddr::V6(v6) => !v6.is_unicast_link_local(),
        }
}

fn place(url: &Uri) -> (&str, u16) {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let usual = if url.scheme_str() == Some("http") { 80 } else { 443 };
    (host, url.port_u16().unwrap_or(usual))
}

/// Bytes a memory connection holds in each direction before the writer waits.
const MEMORY_BYTES: usize = 256 * 1024;

/// Connections waiting to be accepted; a hosted role opens a handful.
const MEMORY_WAITING: usize = 16;

/// A link inside one process, for a hosted role. The listener says of each connection that it is
/// `identity`; nobody else can hold the connector.
#[must_use]
pub fn memory(identity: PeerIdentity) -> (MemoryListen, MemoryConnect) {
    let (sender, receiver) = mpsc::channel(MEMORY_WAITING);
    (MemoryListen { receiver, identity }, MemoryConnect(sender))
}

#[derive(Debug)]
pub struct MemoryListen {
    receiver: mpsc::Receiver<DuplexStream>,
    identity: PeerIdentity,
}

impl Listen for MemoryListen {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Accepted>> {
        Box::pin(async {
            let Some(stream) = self.receiver.recv().await else {
                // The role ended; there is nothing to accept until the listener ends too.
                return std::future::pending().await;
            };
            let identity = Some(self.identity.clone());
            Ok(Accepted { stream: Box::new(stream), address: "memory".to_owned(), identity })
        })
    }
}

#[derive(Clone, Debug)]
pub struct MemoryConnect(mpsc::Sender<DuplexStream>);

impl Connect for MemoryConnect {
    fn connect<'a>(&'a self, _url: &'a Uri) -> BoxFuture<'a, io::Result<BoxStream>> {
        Box::pin(async {
            let (ours, theirs) = tokio::io::duplex(MEMORY_BYTES);
            let gone = |_| io::Error::from(io::ErrorKind::ConnectionRefused);
            self.0.send(theirs).await.map_err(gone)?;
            Ok(Box::new(ours) as BoxStream)
        })
    }
}

#[cfg(test)]
mod tests;
