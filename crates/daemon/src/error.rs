//! What can fail before a process serves, and when its certificate is renewed.

use std::path::PathBuf;

use model::{ErrorClass, PeerIdentity};

use crate::Problems;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read the configuration {path}", path = path.display())]
    ReadConfig {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the configuration is not usable:\n{0}")]
    Config(Problems),
    #[error("the log filter is not usable")]
    Log(#[source] tracing_subscriber::filter::ParseError),
    #[error("cannot set up metrics")]
    Metrics(#[source] metrics_exporter_prometheus::BuildError),
    #[error("cannot {operation} {path}", path = path.display())]
    Files {
        operation: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "{path} is open to other users (mode {mode:o}); run: chmod {wanted:o} {path}",
        path = path.display()
    )]
    OpenToOthers { path: PathBuf, mode: u32, wanted: u32 },
    #[error(
        "{path} can be changed by others (its owner is {owner}, its mode {mode:04o}), and what \
         lies there is believed; run: {remedy}",
        path = path.display()
    )]
    InOtherHands { path: PathBuf, owner: u32, mode: u32, remedy: String },
    #[error(
        "{holder} works in {path} already; stop it first, or name another directory",
        path = path.display()
    )]
    InUse { path: PathBuf, holder: String },
    #[error("{path} is damaged: {reason}", path = path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("{path} cannot be used", path = path.display())]
    Unusable {
        path: PathBuf,
        #[source]
        source: trust::Error,
    },
    #[error("cannot make the hierarchy's certificates")]
    Found(#[source] trust::Error),
    #[error("cannot use the join token")]
    Token(#[source] trust::Error),
    #[error("the join token is for a {token}, this is a {program}; get one for a {program}")]
    WrongKind { token: &'static str, program: &'static str },
    #[error(
        "this process joined as {identity} already; remove {path} to join anew",
        path = path.display()
    )]
    JoinedAlready { identity: PeerIdentity, path: PathBuf },
    #[error("{url} did not let this process join: {}", transport::explain(.status))]
    Join { url: String, status: tonic::Status },
    #[error("the answer of {url} is not usable: {reason}")]
    JoinAnswer { url: String, reason: String },
    #[error("the site did not renew the certificate: {}", transport::explain(.0))]
    Renew(tonic::Status),
    #[error("the site does not tell whose certificates were revoked: {}", transport::explain(.0))]
    Follow(tonic::Status),
    #[error("cannot make a certificate")]
    Certificate(#[source] trust::Error),
    #[error("cannot use a certificate or connection")]
    Transport(#[from] transport::Error),
}

impl Error {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::ReadConfig { .. }
            | Error::Config(_)
            | Error::Log(_)
            | Error::Token(_)
            | Error::WrongKind { .. } => ErrorClass::Invalid,
            Error::Metrics(_) | Error::Found(_) => ErrorClass::Internal,
            Error::Files { .. } => ErrorClass::Unavailable,
            Error::OpenToOthers { .. } | Error::InOtherHands { .. } => ErrorClass::Denied,
            Error::Damaged { .. } | Error::Unusable { .. } | Error::JoinAnswer { .. } => {
                ErrorClass::Corrupt
            }
            Error::JoinedAlready { .. } | Error::InUse { .. } => ErrorClass::Conflict,
            Error::Join { status, .. } | Error::Renew(status) | Error::Follow(status) => {
                rpc::status::class(status)
            }
            Error::Certificate(source) => source.class(),
            Error::Transport(source) => source.class(),
        }
    }
}
