//! TLS to servers outside the hierarchy, which prove by public rules who they are.
//!
//! Owns the judgment of their certificates: issued under given roots for the name that was asked
//! for, or pinned by a digest. Refuses to know what is asked of them, and never presents a
//! certificate of ours. A refusal says what is wrong with the certificate and what helps.

use std::fmt;
use std::sync::Arc;

use ambient::Ambient;
use model::{Sha256, Timestamp};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};
use tokio_rustls::TlsConnector;
use trust::certificate_digest;

use crate::tls::Time;
use crate::{BoxStream, Error};

/// What a server outside the hierarchy is believed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Belief {
    /// It has a certificate for its name, issued under one of these roots (PEM).
    Roots(Arc<str>),
    /// Its certificate has this SHA-256, or was issued for its name by one that has it and that
    /// it presents.
    Pin(Sha256),
}

/// A client of such servers; clones share its sessions, which are resumed.
#[derive(Clone)]
pub struct ForeignTls(Arc<ClientConfig>);

impl ForeignTls {
    pub fn new(ambient: &Ambient, belief: &Belief) -> Result<ForeignTls, Error> {
        let provider = Arc::new(ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match belief {
            Belief::Roots(pem) => under(roots(pem)?, provider.clone())?,
            Belief::Pin(pin) => Arc::new(Pinned { pin: *pin, provider: provider.clone() }),
        };
        let time = Arc::new(Time(ambient.clone()));
        let mut config = ClientConfig::builder_with_details(provider, time)
            .with_safe_default_protocol_versions()
            .map_err(Error::Tls)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(ForeignTls(Arc::new(config)))
    }

    /// Speaks TLS over `stream` with the server called `host`.
    pub async fn secure(&self, stream: BoxStream, host: &str) -> Result<BoxStream, Error> {
        let host = host.trim_matches(['[', ']']).to_owned();
        let bad = |_| Error::Url { url: host.clone() };
        let name = ServerName::try_from(host.clone()).map_err(bad)?;
        let connected = TlsConnector::from(self.0.clone()).connect(name, stream).await;
        match connected {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(refusal(host, error)),
        }
    }
}

impl fmt::Debug for ForeignTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForeignTls")
    }
}

fn roots(pem: &str) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes());
    let (added, _) = roots.add_parsable_certificates(certificates.filter_map(Result::ok));
    if added == 0 {
        return Err(Error::NoRoots);
    }
    Ok(roots)
}

fn under(
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Error> {
    let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    built.map_err(|_| Error::NoRoots)
}

/// Believes one certificate, and what it issued.
#[derive(Debug)]
struct Pinned {
    pin: Sha256,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // The very certificate that was pinned: neither its name nor its dates matter.
        if certificate_digest(end_entity) == self.pin {
            return Ok(ServerCertVerified::assertion());
        }
        let issuer = intermediates.iter().find(|c| certificate_digest(c) == self.pin);
        let Some(issuer) = issuer else { return Err(CertificateError::UnknownIssuer.into()) };
        let mut roots = RootCertStore::empty();
        roots.add(issuer.clone().into_owned())?;
        let verifier = under(roots, self.provider.clone()).map_err(|error| {
            rustls::Error::from(CertificateError::Other(OtherError(Arc::new(error))))
        })?;
        verifier.verify_server_cert(end_entity, intermediates, name, ocsp, now)
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

/// Why the handshake failed, and what helps if the certificate is to blame.
fn refusal(host: String, error: std::io::Error) -> Error {
    let at = |time: &UnixTime| {
        Timestamp(i64::try_from(time.as_secs()).unwrap_or(i64::MAX / 1_000).saturating_mul(1_000))
    };
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(cause)) = cause else {
        return Error::ForeignHandshake { host, source: error };
    };
    let reason = match cause {
        CertificateError::UnknownIssuer => "no root that is believed here issued its certificate; \
             add the root to the believed ones, or pin the certificate"
            .to_owned(),
        CertificateError::NotValidForNameContext { presented, .. } if !presented.is_empty() => {
            // As in DnsName("wsus.example.com").
            let bare = |name: &String| name.split('"').nth(1).unwrap_or(name).to_owned();
            let names: Vec<String> = presented.iter().map(bare).collect();
            let names = names.join(", ");
            format!("its certificate is for {names}; ask for that name, or pin the certificate")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is not for this name; ask for the name it is for, or pin the \
             certificate"
                .to_owned()
        }
        CertificateError::ExpiredContext { not_after, .. } => {
            let ended = at(not_after);
            format!("its certificate expired at {ended}; it must be renewed there")
        }
        CertificateError::Expired => "its certificate expired; it must be renewed there".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            let begins = at(not_before);
            format!("its certificate is valid from {begins} on; is the clock here right?")
        }
        CertificateError::NotValidYet => {
            "its certificate is not valid yet; is the clock here right?".to_owned()
        }
        other => format!("its certificate is not sound: {other}"),
    };
    Error::ForeignServer { host, reason }
}
