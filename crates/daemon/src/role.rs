//! What the processes of roles have in common: the words with which their configuration says where
//! they are, their way to the site server, and what keeps them members.
//!
//! Refuses to know what a role does. Bad words are noted with their key.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ambient::Ambient;
use model::PeerKind;
use tokio_util::sync::CancellationToken;
use transport::{Connection, Credentials, Expect, Listen, Security, TcpConnect, TcpListen};

use crate::renewal::alongside;
use crate::{Error, Pki, Problems, RenewFrom, Renewal, Revocations};

/// A role that has joined: who it is, and its way to its site server.
#[derive(Clone, Debug)]
pub struct Member {
    pub credentials: Credentials,
    pub site: Connection,
    /// What the site said last, from then on what it says.
    pub revocations: Revocations,
    pki: Pki,
    ambient: Ambient,
}

impl Member {
    /// None until it has joined.
    pub fn of(pki: &Pki, ambient: &Ambient) -> Result<Option<Member>, Error> {
        let parent = pki.membership()?.and_then(|membership| membership.parent);
        let Some((credentials, parent)) = pki.credentials(ambient)?.zip(parent) else {
            return Ok(None);
        };
        let expect = Expect { kind: PeerKind::Site, site: parent.site, id: None };
        let security = Security::Mutual { credentials: credentials.clone(), expect };
        let site = Connection::new(Arc::new(TcpConnect), &parent.url, security)?;
        let revocations = Revocations::default();
        revocations.replace(pki.revoked()?);
        let (pki, ambient) = (pki.clone(), ambient.clone());
        Ok(Some(Member { credentials, site, revocations, pki, ambient }))
    }

    /// Does the work of the role, which ends with `shutdown`, and beside it what keeps it a member:
    /// its certificate is renewed, for `names`, and the site's revocations are followed.
    pub async fn beside<T>(
        self,
        names: Vec<String>,
        shutdown: CancellationToken,
        work: impl Future<Output = T>,
    ) -> T {
        let Member { credentials, site, revocations, pki, ambient } = self;
        let follow = revocations.follow(&pki, &site, &ambient, &shutdown);
        let (pki, ambient, from) = (pki.clone(), ambient.clone(), RenewFrom::Site(site.clone()));
        let renewal = Renewal { ambient, pki, credentials, from, names };
        let upkeep = async {
            tokio::join!(renewal.run(shutdown.clone()), follow);
        };
        alongside(work, upkeep).await
    }
}

/// The data directory, once it is clear that it and the machine's name can be used.
pub fn check_machine(data: &str, name: &str, problems: &mut Problems) -> PathBuf {
    let directory = PathBuf::from(data);
    if !directory.is_absolute() {
        problems.note("data", format!("\"{data}\" is not an absolute path"));
    }
    if name.is_empty() {
        problems.note("name", "is empty; give the name of this machine");
    }
    directory
}

/// Where to listen, in the form of `example`.
pub fn address(text: &str, example: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("\"{text}\" is not an address and port such as {example}"))
}

/// The same; none if the text is empty.
pub fn address_if_any(text: &str, example: &str) -> Result<Option<SocketAddr>, String> {
    if text.is_empty() { Ok(None) } else { address(text, example).map(Some) }
}

/// The URL that others are told: the one given, or that of the port on this machine.
#[must_use]
pub fn url(given: &str, scheme: &str, name: &str, address: Option<SocketAddr>) -> String {
    match address {
        Some(address) if given.is_empty() => format!("{scheme}://{name}:{}", address.port()),
        Some(_) | None => given.to_owned(),
    }
}

/// Opens a port; `role` is for the log.
pub async fn listen(address: SocketAddr, role: &str) -> Result<Box<dyn Listen>, transport::Error> {
    let listener = TcpListen::bind(&address.to_string()).await?;
    tracing::info!(address = %listener.local_address(), "the {role} listens");
    Ok(Box::new(listener))
}

/// The same, if the port is to be opened.
pub async fn listen_if_any(
    address: Option<SocketAddr>,
    role: &str,
) -> Result<Option<Box<dyn Listen>>, transport::Error> {
    match address {
        Some(address) => listen(address, role).await.map(Some),
        None => Ok(None),
    }
}
