//! ECDSA P-256 keys of certificates, and the pin of a root.
//!
//! Owns their text and byte forms. Refuses to know who holds a key. A key of another algorithm is
//! refused, so that one verification algorithm is enough everywhere.

use std::fmt;

use model::Sha256;
use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SigningKey as _};
use ring::digest::{SHA256, digest};
use rustls_pki_types::{
    CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer,
};

use crate::Error;

/// The private key of a certificate.
pub struct KeyPair(pub(crate) rcgen::KeyPair);

impl KeyPair {
    pub fn generate() -> Result<KeyPair, Error> {
        rcgen::KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map(KeyPair)
            .map_err(Error::GenerateKey)
    }

    pub fn from_pem(pem: &str) -> Result<KeyPair, Error> {
        rcgen::KeyPair::from_pkcs8_pem_and_sign_algo(pem, &PKCS_ECDSA_P256_SHA256)
            .map(KeyPair)
            .map_err(Error::ReadKey)
    }

    #[must_use]
    pub fn to_pem(&self) -> String {
        self.0.serialize_pem()
    }

    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey::from_spki(&self.0.subject_public_key_info()).expect("our own keys are P-256")
    }

    /// The form a TLS library takes.
    #[must_use]
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.0.serialize_der()).into()
    }

    /// A certificate request (PKCS #10, DER). It proves the key and names nobody: who the holder
    /// is, the issuer decides.
    pub fn request(&self) -> Result<Vec<u8>, Error> {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let request = params.serialize_request(&self.0).map_err(Error::MakeRequest)?;
        Ok(request.der().to_vec())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.0.sign(message).map_err(Error::Sign)
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPair(hidden)")
    }
}

/// The public key of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(pub(crate) rcgen::SubjectPublicKeyInfo);

impl PublicKey {
    /// The key of a certificate request, whose signature proves that its maker holds the key.
    /// Names and extensions the request asks for are ignored.
    pub fn from_request(request: &[u8]) -> Result<PublicKey, Error> {
        let request = CertificateSigningRequestDer::from(request);
        let parsed = rcgen::CertificateSigningRequestParams::from_der(&request)
            .map_err(Error::ReadRequest)?;
        PublicKey::from_spki(&parsed.public_key.subject_public_key_info())
    }

    /// A key whose possession somebody else has proven, as SubjectPublicKeyInfo in DER.
    pub fn from_spki(spki: &[u8]) -> Result<PublicKey, Error> {
        let key = rcgen::SubjectPublicKeyInfo::from_der(spki).map_err(Error::ReadPublicKey)?;
        if key.algorithm() != &PKCS_ECDSA_P256_SHA256 {
            return Err(Error::ForeignAlgorithm);
        }
        Ok(PublicKey(key))
    }

    #[must_use]
    pub fn spki(&self) -> Vec<u8> {
        self.0.subject_public_key_info()
    }

    /// What people compare: the first half of the digest, in groups. Nobody finds another key with
    /// the same 128 bits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let groups = self.digest().0;
        let groups = groups.chunks(2).take(8).map(|two| format!("{:02x}{:02x}", two[0], two[1]));
        groups.collect::<Vec<_>>().join("-")
    }

    /// What a used join token remembers of the key that used it.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        sha256(&[&self.spki()])
    }
}

/// SHA-256 of a root's public key: what a join token carries, so that nobody can hand a joining
/// machine another root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootPin(pub Sha256);

impl RootPin {
    pub(crate) fn of(spki: &[u8]) -> RootPin {
        RootPin(sha256(&[spki]))
    }
}

impl fmt::Display for RootPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What names one certificate.
#[must_use]
pub fn certificate_digest(certificate: &CertificateDer<'_>) -> Sha256 {
    sha256(&[certificate])
}

pub(crate) fn sha256(parts: &[&[u8]]) -> Sha256 {
    let digest = digest(&SHA256, &parts.concat());
    Sha256::from_slice(digest.as_ref()).expect("SHA-256 has 32 bytes")
}
