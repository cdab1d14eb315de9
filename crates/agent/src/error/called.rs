//! What a failed call or connection was, in words for people.
//!
//! Owns the step from the errors of the transport to ours: nothing of how this program is built
//! gets into a text that an administrator reads, and no reason is told twice.

use std::error::Error as StdError;
use std::io::ErrorKind;

use model::error_chain;
use tonic::{Code, Status};

use super::Error;

/// A call that was made of `url` and has this status.
pub(super) fn failed(url: &str, status: &Status) -> Error {
    let url = url.to_owned();
    if let Some(error) = causes(status).find_map(|cause| cause.downcast_ref()) {
        return unreached(url, error);
    }
    let said = match status.message() {
        "" => status.code().description(),
        message => message,
    };
    match (status.code(), causes(status).last()) {
        (Code::Unavailable | Code::Unknown | Code::Cancelled, Some(cause)) => {
            Error::Broken { url, source: cause.to_string().into() }
        }
        (code, cause) => {
            let own = rpc::status::from_error(model::ErrorClass::Internal, &Error::Stopping);
            let said = cause.map_or_else(|| said.to_owned(), ToString::to_string);
            let is_senseless = matches!(code, Code::Internal | Code::OutOfRange)
                && status.message() != own.message();
            Error::Call { url, class: rpc::status::class(status), is_senseless, said }
        }
    }
}

/// Why, as far as it was not the server that said so; the innermost cause last.
fn causes(status: &Status) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(status.source(), |cause| (*cause).source())
}

/// A connection to `url` that did not come about.
pub(super) fn unreached(url: String, error: &transport::Error) -> Error {
    use transport::Error as Transport;
    match error {
        Transport::Connect { source, .. } if source.kind() == ErrorKind::TimedOut => {
            Error::Reach { url, source: "it took too long".into() }
        }
        Transport::Connect { source, .. } | Transport::Handshake(source) => {
            Error::Reach { url, source: source.to_string().into() }
        }
        Transport::Untrusted { reason, .. } | Transport::ForeignServer { reason, .. } => {
            Error::Distrusted { url, reason: reason.clone() }
        }
        Transport::Peer(_) | Transport::WrongPeer { .. } => {
            Error::Distrusted { url, reason: error_chain(error) }
        }
        other => Error::Reach { url, source: error_chain(other).into() },
    }
}

#[cfg(test)]
mod tests;
