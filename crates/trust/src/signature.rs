//! Ed25519 signatures of sites, and the statements that say which key is a site's.
//!
//! Owns the separation by purpose: a signature made for one purpose never verifies for another.
//! Refuses to know what the signed bytes mean. A bad signature is [`Refused`], never a panic.

use std::fmt;

use ambient::Ambient;
use model::{KeyStatement, PeerKind, SiteCode, Timestamp};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;

use crate::{Anchor, Error, KeyPair, Refused, verify_chain};

/// What a signature is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The head of a replicated stream after one of its owner's transactions.
    StreamHead,
    /// The head of a client's policy.
    PolicyHead,
    /// Which signing key is a site's.
    KeyStatement,
    /// The manifest of a catalog that travels as a file.
    CatalogBundle,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Purpose::StreamHead => "stream head",
            Purpose::PolicyHead => "policy head",
            Purpose::KeyStatement => "key statement",
            Purpose::CatalogBundle => "catalog bundle",
        }
    }

    /// What is really signed. No name is a prefix of another, because each ends with a zero.
    fn message(self, bytes: &[u8]) -> Vec<u8> {
        [b"tierline 1 ", self.name().as_bytes(), b"\0", bytes].concat()
    }
}

/// A site's Ed25519 key. Kept as its seed.
pub struct SigningKey {
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

impl SigningKey {
    #[must_use]
    pub fn generate(ambient: &Ambient) -> SigningKey {
        SigningKey::from_seed(ambient.bytes())
    }

    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> SigningKey {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
            .expect("every 32 bytes are a seed of an Ed25519 key");
        SigningKey { seed, pair }
    }

    /// What a store keeps secret.
    #[must_use]
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        let key = self.pair.public_key().as_ref();
        key.try_into().expect("an Ed25519 public key has 32 bytes")
    }

    #[must_use]
    pub fn sign(&self, purpose: Purpose, bytes: &[u8]) -> Vec<u8> {
        self.pair.sign(&purpose.message(bytes)).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(hidden)")
    }
}

pub fn verify_signature(
    purpose: Purpose,
    key: &[u8; 32],
    bytes: &[u8],
    signature: &[u8],
) -> Result<(), Refused> {
    UnparsedPublicKey::new(&ED25519, key)
        .verify(&purpose.message(bytes), signature)
        .map_err(|_| Refused::BadSignature { what: purpose.name() })
}

/// States with a site's certificate that `key` signs for it. `chain` is the site's leaf and its
/// intermediate; `holder` is the leaf's key.
pub fn sign_statement(
    (site, epoch, key): (SiteCode, u32, [u8; 32]),
    holder: &KeyPair,
    chain: &[CertificateDer<'_>],
) -> Result<KeyStatement, Error> {
    let signature = holder.sign(&statement_message(site, epoch, &key))?;
    let chain = chain.iter().map(|certificate| certificate.to_vec()).collect();
    Ok(KeyStatement { site, epoch, key, chain, signature })
}

/// Verifies that the site itself, under the hierarchy's root, states its key.
pub fn verify_statement(
    statement: &KeyStatement,
    anchor: &Anchor,
    now: Timestamp,
) -> Result<(), Refused> {
    let KeyStatement { site, epoch, key, chain, signature } = statement;
    let chain: Vec<_> = chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    let peer = verify_chain(&chain, anchor, now)?;
    if peer.kind != PeerKind::Site || peer.site != *site {
        return Err(Refused::ForeignStatement { peer, site: *site });
    }
    let bad = |_| Refused::BadSignature { what: Purpose::KeyStatement.name() };
    let leaf = EndEntityCert::try_from(&chain[0]).map_err(bad)?;
    let message = statement_message(*site, *epoch, key);
    leaf.verify_signature(webpki::ring::ECDSA_P256_SHA256, &message, signature).map_err(bad)
}

fn statement_message(site: SiteCode, epoch: u32, key: &[u8; 32]) -> Vec<u8> {
    let bytes = [site.as_str().as_bytes(), &epoch.to_le_bytes(), key].concat();
    Purpose::KeyStatement.message(&bytes)
}

#[cfg(test)]
mod tests;
