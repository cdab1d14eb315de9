//! Servers with certificates that an authority outside the hierarchy issued, sound or not.

use std::fmt;
use std::io;
use std::sync::Arc;

use model::Sha256;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;
use transport::{Accepted, BoxFuture, Listen, TcpListen};
use trust::certificate_digest;

/// An authority of a test's own.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    #[must_use]
    pub fn new(name: &str) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, key()).expect("it signs itself");
        Authority { issuer }
    }

    /// Its certificate, as administrators name it.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    #[must_use]
    pub fn pin(&self) -> Sha256 {
        certificate_digest(self.issuer.der())
    }

    /// A server for `name`, valid from the beginning of one year to that of another.
    #[must_use]
    pub fn server(&self, name: &str, (from, to): (i32, i32)) -> TlsServer {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a good name");
        (params.not_before, params.not_after) =
            (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        let key = key();
        let leaf = params.signed_by(&key, &self.issuer).expect("it is issued");
        let chain = vec![leaf.der().clone(), self.issuer.der().clone()];
        let pin = certificate_digest(&chain[0]);
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        TlsServer { acceptor: acceptor(chain, key), pin }
    }
}

/// What a server proves itself by.
#[derive(Clone)]
pub struct TlsServer {
    acceptor: TlsAcceptor,
    /// Of its certificate.
    pub pin: Sha256,
}

impl TlsServer {
    /// Speaks TLS on every connection that comes in; those that end in the handshake are gone.
    #[must_use]
    pub fn listen(&self, inner: TcpListen) -> Box<dyn Listen> {
        Box::new(TlsListen { inner, acceptor: self.acceptor.clone() })
    }
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsServer({})", self.pin)
    }
}

struct TlsListen {
    inner: TcpListen,
    acceptor: TlsAcceptor,
}

impl fmt::Debug for TlsListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsListen({})", self.inner.local_address())
    }
}

impl Listen for TlsListen {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Accepted>> {
        Box::pin(async {
            loop {
                let Accepted { stream, address, identity } = self.inner.accept().await?;
                if let Ok(stream) = self.acceptor.accept(stream).await {
                    return Ok(Accepted { stream: Box::new(stream), address, identity });
                }
            }
        })
    }
}

fn acceptor(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks them")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("its own key");
    TlsAcceptor::from(Arc::new(config))
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}
