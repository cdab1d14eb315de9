//! What can fail when a connection is prepared or its peer is judged.

use std::time::Duration;

use model::{ErrorClass, PeerIdentity, error_chain};
use trust::Refused;

use crate::Expect;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("\"{url}\" is not an address of the form https://host:port")]
    Url { url: String },
    #[error("cannot listen on {address}; is the port taken, or the address not of this machine?")]
    Listen {
        address: String,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot prepare TLS")]
    Tls(#[source] rustls::Error),
    #[error("the own certificate cannot be used")]
    OwnCertificate(#[source] Refused),
    #[error("the new certificate names {found}, but this process is {own}")]
    OtherIdentity { own: PeerIdentity, found: PeerIdentity },
    #[error("the peer's certificate is refused")]
    Peer(#[source] Refused),
    #[error("{peer} is not trusted: {reason}")]
    Untrusted { peer: String, reason: String },
    #[error("{found} answered where {expected} was expected")]
    WrongPeer { expected: Expect, found: PeerIdentity },
    #[error("{found} answered where a site server was expected; name the site server's address")]
    NoSite { found: PeerIdentity },
    #[error("{found} answered where only a site server or a management point lets others join")]
    NotEnrolling { found: PeerIdentity },
    #[error("there is no certificate to believe a server by; name a PEM file that holds some")]
    NoRoots,
    #[error("{host} is not believed: {reason}")]
    ForeignServer { host: String, reason: String },
    #[error("{host} does not speak TLS as we do; is it an https port?")]
    ForeignHandshake {
        host: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the connection was lost or refused during the TLS handshake")]
    Handshake(#[source] std::io::Error),
    #[error("the TLS handshake took longer than {0:?}")]
    SlowHandshake(Duration),
    #[error("cannot connect to {url}")]
    Connect {
        url: String,
        #[source]
        source: std::io::Error,
    },
    #[error("waiting from {min:?} to {max:?} with {jitter_percent} % jitter is no usable back-off")]
    Backoff { min: Duration, max: Duration, jitter_percent: u8 },
}

impl Error {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::Url { .. } | Error::Backoff { .. } | Error::NoRoots => ErrorClass::Invalid,
            Error::Listen { .. }
            | Error::Handshake(_)
            | Error::ForeignHandshake { .. }
            | Error::SlowHandshake(_)
            | Error::Connect { .. } => ErrorClass::Unavailable,
            Error::Tls(_) => ErrorClass::Internal,
            Error::OwnCertificate(_) | Error::OtherIdentity { .. } => ErrorClass::Corrupt,
            Error::Peer(_)
            | Error::Untrusted { .. }
            | Error::ForeignServer { .. }
            | Error::WrongPeer { .. }
            | Error::NoSite { .. }
            | Error::NotEnrolling { .. } => ErrorClass::Denied,
        }
    }
}

/// A failed handshake: our own judgment of the peer if that was the cause, else `otherwise`.
pub(crate) fn handshake_error(
    peer: &str,
    source: std::io::Error,
    otherwise: impl FnOnce(std::io::Error) -> Error,
) -> Error {
    use rustls::{CertificateError, Error as Tls, OtherError};
    match source.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(Tls::InvalidCertificate(CertificateError::Other(OtherError(reason)))) => {
            Error::Untrusted { peer: peer.to_owned(), reason: reason.to_string() }
        }
        _ => otherwise(source),
    }
}

/// A failed call in one sentence: what the server said, or why it was not reached.
#[must_use]
pub fn explain(status: &tonic::Status) -> String {
    let Some(cause) = std::error::Error::source(status) else { return status.message().to_owned() };
    let mut next = Some(cause);
    while let Some(error) = next {
        if let Some(ours) = error.downcast_ref::<Error>() {
            return error_chain(ours);
        }
        next = error.source();
    }
    error_chain(cause)
}
