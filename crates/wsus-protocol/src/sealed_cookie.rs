//! The inside of our cookies: sealed, bounded, opaque to the peer (MS-WSUSSS 2.2.4.8).
//!
//! Layout: format (1 byte), nonce (12), then AES-256-GCM over kind (1), account (16), server
//! (16), expiry in ticks (8, little endian), major and minor version (2 + 2), and the tag (16).
//! Nothing is parsed before the tag has been verified.

use std::fmt;
use std::str::FromStr;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use uuid::Uuid;

use crate::limits::COOKIE_BYTES_MAX;
use crate::{Cookie, ErrorCode, WireTime};

const FORMAT: u8 = 1;
const NONCE_BYTES: usize = 12;
const PLAIN_BYTES: usize = 45;
/// The only major version of the protocol there is.
const MAJOR: u16 = 1;

/// Which of the two cookies it is, so that one cannot pass for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookieKind {
    Authorization = 1,
    Session = 2,
}

/// What a cookie tells the server that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credential {
    pub account: Uuid,
    /// The catalog the cookie was made for; another one means the server has changed.
    pub server_id: Uuid,
    pub expires: WireTime,
    pub protocol_version: ProtocolVersion,
}

/// `major.minor`, as a peer names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProtocolVersion {
    pub major: u16,
    pub minor: u16,
}

impl ProtocolVersion {
    /// What current Windows servers speak.
    pub const CURRENT: ProtocolVersion = ProtocolVersion { major: MAJOR, minor: 20 };
}

impl FromStr for ProtocolVersion {
    type Err = ErrorCode;

    fn from_str(text: &str) -> Result<ProtocolVersion, ErrorCode> {
        let number = |part: &str| part.parse().ok().filter(|_| !part.starts_with('+'));
        let parts = text.split_once('.');
        parts
            .and_then(|(major, minor)| Some((number(major)?, number(minor)?)))
            .map(|(major, minor)| ProtocolVersion { major, minor })
            .ok_or(ErrorCode::InvalidParameters)
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The key of one server; cookies of another key are unreadable.
pub struct CookieKey {
    key: LessSafeKey,
}

impl fmt::Debug for CookieKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieKey")
    }
}

impl CookieKey {
    #[must_use]
    pub fn new(key: &[u8; 32]) -> CookieKey {
        let key = UnboundKey::new(&AES_256_GCM, key).expect("the cipher takes keys of 32 bytes");
        CookieKey { key: LessSafeKey::new(key) }
    }

    /// `nonce` must never come twice for one key.
    #[must_use]
    pub fn seal(&self, kind: CookieKind, content: &Credential, nonce: [u8; 12]) -> Vec<u8> {
        let Credential { account, server_id, expires, protocol_version } = content;
        let mut plain = Vec::with_capacity(PLAIN_BYTES + AES_256_GCM.tag_len());
        plain.push(kind as u8);
        plain.extend_from_slice(account.as_bytes());
        plain.extend_from_slice(server_id.as_bytes());
        plain.extend_from_slice(&expires.ticks().to_le_bytes());
        plain.extend_from_slice(&protocol_version.major.to_le_bytes());
        plain.extend_from_slice(&protocol_version.minor.to_le_bytes());
        self.seal_bytes(FORMAT, plain, nonce)
    }

    /// The content of a genuine cookie of this kind that has not expired.
    #[must_use]
    pub fn open(&self, kind: CookieKind, sealed: &[u8], now: WireTime) -> Option<Credential> {
        let plain = self.open_bytes(FORMAT, sealed)?;
        let (kind_read, rest) = plain.split_first()?;
        let (account, rest) = rest.split_first_chunk()?;
        let (server_id, rest) = rest.split_first_chunk()?;
        let (ticks, rest) = rest.split_first_chunk()?;
        let (major, rest) = rest.split_first_chunk()?;
        let (minor, rest) = rest.split_first_chunk()?;
        let content = Credential {
            account: Uuid::from_bytes(*account),
            server_id: Uuid::from_bytes(*server_id),
            expires: WireTime::from_ticks(i64::from_le_bytes(*ticks)),
            protocol_version: ProtocolVersion {
                major: u16::from_le_bytes(*major),
                minor: u16::from_le_bytes(*minor),
            },
        };
        let valid = *kind_read == kind as u8 && rest.is_empty() && now < content.expires;
        valid.then_some(content)
    }

    pub(crate) fn seal_bytes(&self, format: u8, mut plain: Vec<u8>, nonce: [u8; 12]) -> Vec<u8> {
        let nonce_given = Nonce::assume_unique_for_key(nonce);
        self.key
            .seal_in_place_append_tag(nonce_given, Aad::from([format]), &mut plain)
            .expect("a cookie is far below the cipher's limit");
        [&[format], nonce.as_slice(), &plain].concat()
    }

    /// What was sealed; nothing for damage of any kind.
    pub(crate) fn open_bytes(&self, format: u8, sealed: &[u8]) -> Option<Vec<u8>> {
        let body = sealed.strip_prefix(&[format]).filter(|_| sealed.len() <= COOKIE_BYTES_MAX)?;
        let (nonce, body) = body.split_first_chunk::<NONCE_BYTES>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let mut body = body.to_vec();
        let bytes = self.key.open_in_place(nonce, Aad::from([format]), &mut body).ok()?.len();
        body.truncate(bytes);
        Some(body)
    }

    /// The check before every call that takes a cookie, in the order the protocol prescribes.
    pub fn admit(
        &self,
        cookie: Option<&Cookie>,
        server_id: Uuid,
        now: WireTime,
    ) -> Result<Credential, ErrorCode> {
        let content = cookie
            .and_then(|cookie| self.open(CookieKind::Session, &cookie.data, now))
            .ok_or(ErrorCode::InvalidCookie)?;
        if content.protocol_version.major != MAJOR {
            return Err(ErrorCode::IncompatibleProtocolVersion);
        }
        if content.server_id != server_id {
            return Err(ErrorCode::ServerChanged);
        }
        Ok(content)
    }
}
