//! Connections: listening, connecting, TLS, who the peer is, and whether it may call.
//!
//! Owns every socket and every TLS configuration of the hierarchy. A [`Server`] answers on
//! anything that implements [`Listen`], a [`Connection`] reaches anything that implements
//! [`Connect`]; TCP, memory and simulated networks are the same to both, and no signature names a
//! socket. Refuses to know what is said on a connection. A broken or refused connection ends
//! alone, is logged once, and never ends a listener.

mod answer;
mod backoff;
mod connection;
mod error;
mod foreign;
mod gate;
mod net;
mod ports;
mod server;
mod tls;

pub use answer::answered;
pub use backoff::Backoff;
pub use connection::{Connection, Security, open};
pub use error::{Error, explain};
pub use foreign::{Belief, ForeignTls};
pub use gate::{Limits, Peer, Revoked, peer, peer_address};
pub use net::{
    Accepted, BoxFuture, BoxStream, Connect, Listen, MemoryConnect, MemoryListen, PublicConnect,
    Stream, TcpConnect, TcpListen, memory,
};
pub use ports::{Ports, TaskGroup};
pub use server::Server;
pub use tls::{Credentials, Expect};

#[cfg(test)]
mod tests;
