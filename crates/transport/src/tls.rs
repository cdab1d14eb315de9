//! TLS of both ends: rustls with the ring provider, verified by [`trust`], timed by `Ambient`.
//!
//! Owns the own certificate, which renewal replaces in place, and the judgment of presented ones.
//! Refuses to know what the peer may do. Server names play no part between our own processes: a
//! peer is its URI name; the names in certificates serve Windows computers, which check them
//! themselves.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ambient::Ambient;
use model::{HierarchyId, PeerIdentity, PeerKind, RoleKind, SiteCode, Timestamp, error_chain};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, OtherError,
    RootCertStore, ServerConfig, SignatureScheme,
};
use trust::{Anchor, KeyPair, RootPin, verify_chain, verify_pinned};

use crate::Error;

/// Who this process is. Clones share the certificate, so that a renewed one is used by every
/// listener and connection from its next handshake on.
#[derive(Clone)]
pub struct Credentials(Arc<Own>);

struct Own {
    ambient: Ambient,
    anchor: Anchor,
    identity: PeerIdentity,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Credentials {
    /// `chain` is the leaf and its intermediate.
    pub fn new(
        ambient: Ambient,
        anchor: Anchor,
        chain: &[CertificateDer<'static>],
        key: &KeyPair,
    ) -> Result<Credentials, Error> {
        let now = Timestamp(ambient.now_ms());
        let identity = verify_chain(chain, &anchor, now).map_err(Error::OwnCertificate)?;
        let current = RwLock::new(certified(chain, &anchor, key)?);
        Ok(Credentials(Arc::new(Own { ambient, anchor, identity, current })))
    }

    #[must_use]
    pub fn identity(&self) -> &PeerIdentity {
        &self.0.identity
    }

    #[must_use]
    pub fn anchor(&self) -> &Anchor {
        &self.0.anchor
    }

    pub(crate) fn ambient(&self) -> &Ambient {
        &self.0.ambient
    }

    /// Takes a renewed certificate into use.
    pub fn replace(&self, chain: &[CertificateDer<'static>], key: &KeyPair) -> Result<(), Error> {
        let Own { ambient, anchor, identity, current } = &*self.0;
        let now = Timestamp(ambient.now_ms());
        let found = verify_chain(chain, anchor, now).map_err(Error::OwnCertificate)?;
        if found != *identity {
            return Err(Error::OtherIdentity { own: identity.clone(), found });
        }
        let renewed = certified(chain, anchor, key)?;
        *current.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(())
    }

    /// The same certificate in the hands of somebody who trusts another root.
    #[cfg(test)]
    pub(crate) fn trusting(&self, anchor: &Anchor) -> Credentials {
        let Own { ambient, identity, .. } = &*self.0;
        Credentials(Arc::new(Own {
            ambient: ambient.clone(),
            anchor: anchor.clone(),
            identity: identity.clone(),
            current: RwLock::new(self.current()),
        }))
    }

    #[cfg(test)]
    pub(crate) fn presented(&self) -> Vec<CertificateDer<'static>> {
        self.current().cert.clone()
    }

    fn current(&self) -> Arc<CertifiedKey> {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A server that asks for a certificate without requiring one: joining and login come without.
    pub(crate) fn server(&self) -> Result<(Arc<ServerConfig>, Arc<Verifier>), Error> {
        let verifier =
            Arc::new(Verifier::new(&self.0.ambient, Expected::Member(self.0.anchor.clone()))?);
        let time = Arc::new(Time(self.0.ambient.clone()));
        let mut config = ServerConfig::builder_with_details(provider(), time)
            .with_safe_default_protocol_versions()
            .map_err(Error::Tls)?
            .with_client_cert_verifier(verifier.clone())
            .with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok((Arc::new(config), verifier))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.0.identity)
    }
}

impl ResolvesServerCert for Credentials {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl ResolvesClientCert for Credentials {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Presents the root as well, so that a joining process finds the one its token pins.
fn certified(
    chain: &[CertificateDer<'static>],
    anchor: &Anchor,
    key: &KeyPair,
) -> Result<Arc<CertifiedKey>, Error> {
    let mut presented = chain.to_vec();
    if !presented.contains(anchor.root()) {
        presented.push(anchor.root().clone());
    }
    let certified = CertifiedKey::from_der(presented, key.private_key(), &provider());
    certified.map(Arc::new).map_err(Error::Tls)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Whom a client wants to reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    pub kind: PeerKind,
    pub site: SiteCode,
    /// Any of that kind at that site, if absent.
    pub id: Option<String>,
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Expect { kind, site, id } = self;
        write!(f, "{site}/{}/{}", kind.as_str(), id.as_deref().unwrap_or("*"))
    }
}

pub(crate) enum Expected {
    /// Any peer of the hierarchy.
    Member(Anchor),
    One(Anchor, Expect),
    AnySite(Anchor),
    /// Whoever lets others join, under a pinned root.
    Enrolling(RootPin, HierarchyId),
}

/// The client's side, and the verifier that says afterwards who answered.
pub(crate) fn client(
    ambient: &Ambient,
    own: Option<&Credentials>,
    expected: Expected,
) -> Result<(Arc<ClientConfig>, Arc<Verifier>), Error> {
    let verifier = Arc::new(Verifier::new(ambient, expected)?);
    let builder = ClientConfig::builder_with_details(provider(), Arc::new(Time(ambient.clone())))
        .with_safe_default_protocol_versions()
        .map_err(Error::Tls)?
        .dangerous()
        .with_custom_certificate_verifier(verifier.clone());
    let mut config = match own {
        Some(own) => builder.with_client_cert_resolver(Arc::new(own.clone())),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    // A resumed session would not present its certificate again; connections are few and long.
    config.resumption = Resumption::disabled();
    Ok((Arc::new(config), verifier))
}

/// Judges what a peer presents; the same rules for either end.
pub(crate) struct Verifier {
    ambient: Ambient,
    expected: Expected,
    provider: Arc<CryptoProvider>,
    hints: Vec<DistinguishedName>,
}

impl Verifier {
    fn new(ambient: &Ambient, expected: Expected) -> Result<Verifier, Error> {
        let mut roots = RootCertStore::empty();
        if let Expected::Member(anchor) = &expected {
            roots.add(anchor.root().clone()).map_err(Error::Tls)?;
        }
        // Naming our root keeps computers from presenting certificates of other authorities.
        let hints = roots.subjects();
        Ok(Verifier { ambient: ambient.clone(), expected, provider: provider(), hints })
    }

    pub(crate) fn identify(&self, presented: &[CertificateDer<'_>]) -> Result<PeerIdentity, Error> {
        let now = Timestamp(self.ambient.now_ms());
        match &self.expected {
            Expected::Member(anchor) => verify_chain(presented, anchor, now).map_err(Error::Peer),
            Expected::One(anchor, expect) => {
                let found = verify_chain(presented, anchor, now).map_err(Error::Peer)?;
                let same_id = expect.id.as_ref().is_none_or(|id| *id == found.id);
                if found.kind == expect.kind && found.site == expect.site && same_id {
                    return Ok(found);
                }
                Err(Error::WrongPeer { expected: expect.clone(), found })
            }
            Expected::AnySite(anchor) => {
                let found = verify_chain(presented, anchor, now).map_err(Error::Peer)?;
                match found.kind {
                    PeerKind::Site => Ok(found),
                    PeerKind::Role(_) | PeerKind::Client | PeerKind::Administrator => {
                        Err(Error::NoSite { found })
                    }
                }
            }
            Expected::Enrolling(pin, hierarchy) => {
                let (found, _) =
                    verify_pinned(presented, *pin, *hierarchy, now).map_err(Error::Peer)?;
                match found.kind {
                    PeerKind::Site | PeerKind::Role(RoleKind::ManagementPoint) => Ok(found),
                    PeerKind::Role(_) | PeerKind::Client | PeerKind::Administrator => {
                        Err(Error::NotEnrolling { found })
                    }
                }
            }
        }
    }

    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
    ) -> Result<(), rustls::Error> {
        let presented: Vec<_> = std::iter::once(leaf).chain(others).cloned().collect();
        let refuse = |error: Error| {
            let reason = match &error {
                Error::Peer(reason) => error_chain(reason),
                other => error_chain(other),
            };
            let text: Box<dyn std::error::Error + Send + Sync> = reason.into();
            CertificateError::Other(OtherError(text.into())).into()
        };
        self.identify(&presented).map(drop).map_err(refuse)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.judge(end_entity, intermediates).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.judge(end_entity, intermediates).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        ServerCertVerifier::verify_tls12_signature(self, message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        ServerCertVerifier::verify_tls13_signature(self, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ServerCertVerifier::supported_verify_schemes(self)
    }
}

#[derive(Debug)]
pub(crate) struct Time(pub(crate) Ambient);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        let millis = u64::try_from(self.0.now_ms()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_millis(millis)))
    }
}
