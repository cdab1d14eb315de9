//! Join tokens: one string that lets a machine join and tells it whom to trust.
//!
//! Owns the string's form. Refuses to know whether a token was used or has expired; the site that
//! gave it stores its hash and decides. A damaged or shortened string is an error that says so.

use std::fmt;
use std::str::FromStr;

use ambient::Ambient;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{HierarchyId, PeerKind, Sha256, SiteCode};

use crate::Error;
use crate::key::{RootPin, sha256};

/// Names the form; another form gets another number.
const PREFIX: &str = "tierline1.";

/// Enough to notice a token that was cut off or mistyped.
const CHECKSUM_BYTES: usize = 4;

/// The 128 random bits that make a token good for one use.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenSecret([u8; 16]);

impl TokenSecret {
    #[must_use]
    pub fn generate(ambient: &Ambient) -> TokenSecret {
        TokenSecret(ambient.bytes())
    }

    /// Of an invitation: whoever has it may ask, and an administrator decides.
    #[must_use]
    pub fn none() -> TokenSecret {
        TokenSecret([0; 16])
    }

    /// No token has this secret: all bits of a random one are never 0.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == TokenSecret::none()
    }

    pub fn from_slice(bytes: &[u8]) -> Result<TokenSecret, Error> {
        let bytes = bytes.try_into().map_err(|_| bad("has a secret of the wrong length"))?;
        Ok(TokenSecret(bytes))
    }

    /// For the one message that presents it.
    #[must_use]
    pub fn reveal(&self) -> &[u8; 16] {
        &self.0
    }

    /// What the site stores instead of the secret. 128 random bits need no slow hash.
    #[must_use]
    pub fn hash(&self) -> Sha256 {
        sha256(&[b"tierline 1 join token\0", &self.0])
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret(hidden)")
    }
}

/// What a joining site, role, client or administrator is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinToken {
    /// Where to join.
    pub url: String,
    pub hierarchy: HierarchyId,
    pub pin: RootPin,
    pub kind: PeerKind,
    /// The site the certificate will name: a joining site's own code.
    pub site: SiteCode,
    pub secret: TokenSecret,
}

impl JoinToken {
    /// The string to hand over. It holds the secret.
    #[must_use]
    pub fn encode(&self) -> String {
        let JoinToken { url, hierarchy, pin, kind, site, secret } = self;
        let kind = kind.as_str();
        let mut bytes = Vec::new();
        bytes.extend(hierarchy.as_bytes());
        bytes.extend(pin.0.0);
        bytes.extend(site.as_str().bytes());
        bytes.extend(secret.0);
        bytes.extend(kind.bytes());
        bytes.push(0);
        bytes.extend(url.bytes());
        let checksum = checksum(&bytes);
        bytes.extend(checksum);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Whether it carries no secret but only says whom to ask, and whom to believe.
    #[must_use]
    pub fn is_invitation(&self) -> bool {
        self.secret.is_none()
    }

    /// What the site stores to recognize the token.
    #[must_use]
    pub fn hash(&self) -> Sha256 {
        self.secret.hash()
    }
}

impl FromStr for JoinToken {
    type Err = Error;

    /// Reads a token; white space that copying brought in is ignored.
    fn from_str(text: &str) -> Result<JoinToken, Error> {
        let text: String = text.split_ascii_whitespace().collect();
        let body = text
            .strip_prefix(PREFIX)
            .ok_or_else(|| bad(format!("does not start with \"{PREFIX}\"; is it a join token?")))?;
        let damaged = || bad("is damaged or cut off; copy it again, whole");
        let bytes = URL_SAFE_NO_PAD.decode(body).map_err(|_| damaged())?;
        let (payload, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or_else(damaged)?;
        if checksum(payload) != *sum {
            return Err(damaged());
        }
        parse_payload(payload)
            .ok_or_else(|| bad("is of an unknown form; was it made by a newer release?"))
    }
}

fn parse_payload(payload: &[u8]) -> Option<JoinToken> {
    let (hierarchy, rest) = payload.split_at_checked(16)?;
    let (pin, rest) = rest.split_at_checked(32)?;
    let (site, rest) = rest.split_at_checked(3)?;
    let (secret, rest) = rest.split_at_checked(16)?;
    let (kind, url) = std::str::from_utf8(rest).ok()?.split_once('\0')?;
    Some(JoinToken {
        url: url.to_owned(),
        hierarchy: HierarchyId::from_slice(hierarchy).ok()?,
        pin: RootPin(Sha256::from_slice(pin).ok()?),
        kind: kind.parse().ok()?,
        site: std::str::from_utf8(site).ok()?.parse().ok()?,
        secret: TokenSecret::from_slice(secret).ok()?,
    })
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = sha256(&[b"tierline 1 token checksum\0", bytes]);
    *digest.0.first_chunk().expect("a SHA-256 digest is longer than the checksum")
}

fn bad(reason: impl Into<String>) -> Error {
    Error::ReadToken { reason: reason.into() }
}

#[cfg(test)]
mod tests;
