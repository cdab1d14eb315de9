//! The certificate that signs published files, and whether others' signatures hold.
//!
//! Owns a key of its own, apart from the hierarchy's: computers trust its certificate as a
//! publisher and for nothing else. Refuses to know the form of a signed file.

use ambient::Ambient;
use model::{HierarchyId, Sha1, Sha256};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::SignatureVerificationAlgorithm;
use webpki::{EndEntityCert, ring as algorithms};

use crate::authority::{DAY_MS, check_key, distinguished_name, issue_error, stamp};
use crate::key::sha256;
use crate::{Error, KeyPair};

/// Files are not signed anew, and without a time stamp a signature ends with its certificate.
const PUBLISHER_MS: i64 = 10 * 365 * DAY_MS;

const NAME: &str = "Tierline publisher";

/// Signs what a site publishes. Only the top-level site holds it.
#[derive(Debug)]
pub struct Publisher {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Publisher {
    pub fn create(ambient: &Ambient, hierarchy: HierarchyId) -> Result<Publisher, Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished_name(hierarchy, NAME);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        stamp(&mut params, ambient, PUBLISHER_MS, None)?;
        let fail = |source| issue_error(NAME, source);
        let certificate = params.self_signed(&key.0).map_err(fail)?;
        Ok(Publisher { certificate: certificate.into(), key })
    }

    /// Puts a stored certificate and its key together again.
    pub fn load(certificate: CertificateDer<'static>, key: KeyPair) -> Result<Publisher, Error> {
        check_key(&certificate, &key, "publisher's certificate")?;
        Ok(Publisher { certificate, key })
    }

    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    #[must_use]
    pub fn key(&self) -> &KeyPair {
        &self.key
    }

    /// ECDSA with SHA-256, in DER.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.key.sign(message)
    }

    #[must_use]
    pub fn subject(&self) -> &'static str {
        NAME
    }

    #[must_use]
    pub fn fingerprint(&self) -> Sha256 {
        sha256(&[&self.certificate])
    }

    /// As Windows names certificates.
    #[must_use]
    pub fn thumbprint(&self) -> Sha1 {
        let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, &self.certificate);
        Sha1(digest.as_ref().try_into().expect("SHA-1 has 20 bytes"))
    }
}

/// With SHA-256, by the keys publishers use.
const ALGORITHMS: [&dyn SignatureVerificationAlgorithm; 3] = [
    algorithms::RSA_PKCS1_2048_8192_SHA256,
    algorithms::ECDSA_P256_SHA256,
    algorithms::ECDSA_P384_SHA256,
];

/// Whether `signature` over `message` was made with the key of a certificate. Says nothing of
/// whether its holder is to be believed.
#[must_use]
pub fn verify_published(certificate: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let certificate = CertificateDer::from(certificate);
    let Ok(certificate) = EndEntityCert::try_from(&certificate) else { return false };
    let holds = |algorithm: &&dyn SignatureVerificationAlgorithm| {
        certificate.verify_signature(*algorithm, message, signature).is_ok()
    };
    ALGORITHMS.iter().any(holds)
}

#[cfg(test)]
mod tests;
