//! Keys, certificates, join tokens and signed statements: made and verified.
//!
//! Owns the shape of the hierarchy's trust: a self-signed root, one intermediate per site code,
//! leaf certificates with exactly one URI name (`tierline://hierarchy/site/kind/id`), join tokens
//! that pin the root, and Ed25519 signatures that are separated by purpose. Refuses to know
//! sockets and files. Whatever a peer presents is either verified whole or [`Refused`] with the
//! reason; nothing here panics on foreign bytes.
//!
//! Certificate keys are drawn from the entropy of the operating system inside `ring`, also where
//! [`ambient::Ambient`] is seeded: a reproducible private key would be worth nothing. Serial
//! numbers, token secrets and signing seeds come from `Ambient`.

mod authority;
mod chain;
mod error;
mod key;
mod publisher;
mod signature;
mod token;

pub use authority::{Intermediate, Root};
pub use chain::{
    Anchor, Refused, Validity, certificates_from_pem, certificates_to_pem, verify_chain,
    verify_pinned,
};
pub use error::Error;
pub use key::{KeyPair, PublicKey, RootPin, certificate_digest};
pub use publisher::{Publisher, verify_published};
pub use rustls_pki_types::CertificateDer;
pub use signature::{Purpose, SigningKey, sign_statement, verify_signature, verify_statement};
pub use token::{JoinToken, TokenSecret};
