//! What can fail when keys, certificates and tokens are made or read.

use model::{ErrorClass, PeerIdentity, SiteCode};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot generate a key")]
    GenerateKey(#[source] rcgen::Error),
    #[error("cannot read a private key; it must be ECDSA P-256 in PKCS #8 PEM")]
    ReadKey(#[source] rcgen::Error),
    #[error("cannot read a public key; it must be ECDSA P-256")]
    ReadPublicKey(#[source] rcgen::Error),
    #[error("the key uses another algorithm than ECDSA P-256; make a new one")]
    ForeignAlgorithm,
    #[error("cannot make a certificate request")]
    MakeRequest(#[source] rcgen::Error),
    #[error("the certificate request is damaged or does not prove possession of its key")]
    ReadRequest(#[source] rcgen::Error),
    #[error("cannot sign with the certificate's key")]
    Sign(#[source] rcgen::Error),
    #[error("cannot issue the certificate of {subject}")]
    Issue {
        subject: String,
        #[source]
        source: rcgen::Error,
    },
    #[error("site {issuer} cannot issue a certificate for {identity}: a site issues for itself")]
    IssueForOther { issuer: SiteCode, identity: PeerIdentity },
    #[error("{identity} cannot be a name in a certificate: the id has characters that break it")]
    UnusableName { identity: PeerIdentity },
    #[error("the {what} is not usable: {reason}")]
    ReadCertificate { what: &'static str, reason: String },
    #[error("the key does not belong to the {what}")]
    ForeignKey { what: &'static str },
    #[error("the join token {reason}")]
    ReadToken { reason: String },
}

impl Error {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::GenerateKey(_) | Error::MakeRequest(_) | Error::Sign(_) => ErrorClass::Internal,
            Error::Issue { .. }
            | Error::ReadPublicKey(_)
            | Error::ForeignAlgorithm
            | Error::ReadRequest(_)
            | Error::UnusableName { .. }
            | Error::ReadToken { .. } => ErrorClass::Invalid,
            Error::IssueForOther { .. } => ErrorClass::Denied,
            Error::ReadKey(_) | Error::ReadCertificate { .. } | Error::ForeignKey { .. } => {
                ErrorClass::Corrupt
            }
        }
    }
}
