//! Joining a hierarchy with a token, or with an invitation and an administrator's approval.
//!
//! Owns the joining side of enrolment. Refuses to know whether the token is still good: the site
//! says. Repeatable after a crash at any point, because the keys are on disk before the request is
//! sent and the site answers a repeated request with the same key as it did before.

use std::sync::Arc;
use std::time::Duration;

use ambient::{Ambient, failpoint};
use model::{PeerIdentity, PeerKind, SiteKind, error_chain};
use rpc::pb::enrolment::enrolment_service_client::EnrolmentServiceClient;
use rpc::pb::enrolment::{EnrolRequest, EnrolResponse};
use tokio_util::sync::CancellationToken;
use transport::{Connect, Connection, Credentials, Security, TcpConnect};
use trust::{Anchor, CertificateDer, Intermediate, JoinToken};

use crate::{Error, Membership, Parent, Pki};

/// Somebody who has just approved does not wait long, and a thousand computers that wait are few
/// requests a second.
const ASK_EVERY: Duration = Duration::from_secs(60);

/// As what a process joins.
#[derive(Clone, Debug)]
pub struct Joining {
    pub kind: PeerKind,
    /// Of a site.
    pub site_kind: Option<SiteKind>,
    /// Shown to administrators.
    pub name: String,
    /// Where peers will reach it; empty for clients.
    pub url: String,
    /// Where it serves plain HTTP, if it does.
    pub http_url: String,
    /// DNS names and addresses that stand in its certificate.
    pub names: Vec<String>,
}

/// Joins, and keeps what was learned in `pki`.
pub async fn join(
    ambient: &Ambient,
    connect: Arc<dyn Connect>,
    pki: &Pki,
    token: &JoinToken,
    joining: &Joining,
) -> Result<Membership, Error> {
    if token.kind != joining.kind {
        let (token, program) = (token.kind.as_str(), joining.kind.as_str());
        return Err(Error::WrongKind { token, program });
    }
    if let Some(Membership { identity, .. }) = pki.membership()?
        && (identity.hierarchy, identity.site) != (token.hierarchy, token.site)
    {
        return Err(Error::JoinedAlready { identity, path: pki.directory().to_owned() });
    }
    let request = request(pki, token, joining)?;
    failpoint("join-keys-written");
    let security =
        Security::Pinned { ambient: ambient.clone(), pin: token.pin, hierarchy: token.hierarchy };
    let connection = Connection::new(connect, &token.url, security)?;
    let answer = EnrolmentServiceClient::new(connection.channel())
        .enrol(request)
        .await
        .map_err(|status| Error::Join { url: token.url.clone(), status })?;
    failpoint("join-answered");
    keep(ambient, pki, token, joining, answer.into_inner())
}

/// Asks with an invitation again and again until an administrator has approved; none: `shutdown`
/// came first. Whatever stands in the way may go away, a refusal too.
pub async fn join_when_approved(
    ambient: &Ambient,
    pki: &Pki,
    invitation: &JoinToken,
    joining: &Joining,
    shutdown: &CancellationToken,
) -> Result<Option<Membership>, Error> {
    let fingerprint = pki.own_key()?.public_key().fingerprint();
    loop {
        match join(ambient, Arc::new(TcpConnect), pki, invitation, joining).await {
            Ok(membership) => {
                tracing::info!(identity = %membership.identity, "an administrator has approved");
                return Ok(Some(membership));
            }
            Err(error @ Error::Join { .. }) => {
                let reason = error_chain(&error);
                tracing::warn!(fingerprint, reason, "this computer is not enrolled yet");
            }
            Err(error) => return Err(error),
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(ASK_EVERY)).await.is_none() {
            return Ok(None);
        }
    }
}

fn request(pki: &Pki, token: &JoinToken, joining: &Joining) -> Result<EnrolRequest, Error> {
    let csr = pki.own_key()?.request().map_err(Error::Certificate)?;
    let authority_csr = match joining.site_kind {
        Some(SiteKind::Primary) => {
            Some(pki.authority_key()?.request().map_err(Error::Certificate)?)
        }
        Some(SiteKind::Central | SiteKind::Secondary) | None => None,
    };
    let Joining { kind, site_kind, name, url, http_url, names } = joining.clone();
    Ok(EnrolRequest {
        secret: token.secret.reveal().to_vec(),
        kind: kind.as_str().to_owned(),
        site: token.site.to_string(),
        csr,
        name,
        url,
        http_url,
        authority_csr,
        site_kind: site_kind.map(|kind| kind.as_str().to_owned()),
        names,
    })
}

/// Checks the whole answer before any of it is written.
fn keep(
    ambient: &Ambient,
    pki: &Pki,
    token: &JoinToken,
    joining: &Joining,
    answer: EnrolResponse,
) -> Result<Membership, Error> {
    let bad = |reason: String| Error::JoinAnswer { url: token.url.clone(), reason };
    let EnrolResponse {
        root,
        chain,
        authority,
        identity: _,
        site_uuid,
        parent,
        parent_kind,
        parent_url,
    } = answer;
    let anchor = Anchor::new(root.into()).map_err(|e| bad(e.to_string()))?;
    if (anchor.pin(), anchor.hierarchy()) != (token.pin, token.hierarchy) {
        return Err(bad("its root is not the one the token pins".to_owned()));
    }
    let mut chain: Vec<CertificateDer<'static>> = chain.into_iter().map(Into::into).collect();
    let issuer = match authority {
        Some(der) => Some(Intermediate::load(der.into(), pki.authority_key()?)),
        None => None,
    };
    let issuer = issuer.transpose().map_err(Error::Certificate)?;
    if let Some(issuer) = &issuer {
        let identity = PeerIdentity {
            hierarchy: token.hierarchy,
            site: token.site,
            kind: token.kind,
            id: token.site.to_string(),
        };
        let key = pki.own_key()?.public_key();
        let leaf = issuer.issue(ambient, &key, &identity, &joining.names);
        chain = vec![leaf.map_err(Error::Certificate)?, issuer.certificate().clone()];
    }
    let credentials = Credentials::new(ambient.clone(), anchor.clone(), &chain, &pki.own_key()?)?;
    let identity = credentials.identity().clone();
    if (identity.kind, identity.site) != (token.kind, token.site) {
        return Err(bad(format!("the certificate names {identity}")));
    }
    let invalid = |e: model::Invalid| bad(e.to_string());
    let site_uuid = site_uuid.map(|bytes| uuid::Uuid::from_slice(&bytes)).transpose();
    let membership = Membership {
        identity,
        site_uuid: site_uuid.map_err(|_| bad("its site uuid is no UUID".to_owned()))?,
        parent: Some(Parent {
            site: parent.parse().map_err(invalid)?,
            kind: parent_kind.parse().map_err(invalid)?,
            url: parent_url,
        }),
    };
    if let Some(issuer) = &issuer {
        pki.write_intermediate(issuer.certificate().clone())?;
    }
    pki.write_anchor(&anchor)?;
    pki.write_chain(&chain)?;
    pki.write_membership(&membership)?;
    Ok(membership)
}
