//! The inside of a computer's cookies (MS-WUSP 2.2.3.4 and 2.2.3.5).
//!
//! Sealed like those of servers, in a format of their own: kind (1 byte), client (16), server
//! (16), expiry, change of configuration, change of the catalog, version of the catalog at the last
//! scan and when that ended, audience and how much of it was told (8 each, little endian), major
//! and minor version (2 + 2). Refuses to know who is registered.

use uuid::Uuid;

use crate::{Cookie, CookieKey, ErrorCode, ProtocolVersion, WireTime};

const FORMAT: u8 = 2;
const PLAIN_BYTES: usize = 93;

/// Which of the two cookies it is, so that one cannot pass for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCookieKind {
    Authorization = 1,
    Session = 2,
}

/// What a computer's cookie tells the server that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientCredential {
    pub client: Uuid,
    /// The catalog whose numbers of revisions the computer knows.
    pub server_id: Uuid,
    pub expires: WireTime,
    /// When the configuration the computer has read was made.
    pub config_changed: WireTime,
    /// The change of the catalog up to which the computer knows what others depend on; what it
    /// counts is the server's affair, as with what follows.
    pub deployments_seen: u64,
    /// The version of the catalog that its last whole scan was answered from; 0 before the first.
    pub scanned: u64,
    /// When the last answer of that scan was given.
    pub scan_ended: WireTime,
    /// The set of decisions that the computer was told; 0: nobody knows.
    pub audience: u64,
    /// Up to which revision it was told them.
    pub told_through: u64,
    pub protocol_version: ProtocolVersion,
}

impl CookieKey {
    /// `nonce` must never come twice for one key.
    #[must_use]
    pub fn seal_client(
        &self,
        kind: ClientCookieKind,
        content: &ClientCredential,
        nonce: [u8; 12],
    ) -> Vec<u8> {
        let ProtocolVersion { major, minor } = content.protocol_version;
        let mut plain = Vec::with_capacity(PLAIN_BYTES + 16);
        plain.push(kind as u8);
        plain.extend_from_slice(content.client.as_bytes());
        plain.extend_from_slice(content.server_id.as_bytes());
        plain.extend_from_slice(&content.expires.ticks().to_le_bytes());
        plain.extend_from_slice(&content.config_changed.ticks().to_le_bytes());
        plain.extend_from_slice(&content.deployments_seen.to_le_bytes());
        plain.extend_from_slice(&content.scanned.to_le_bytes());
        plain.extend_from_slice(&content.scan_ended.ticks().to_le_bytes());
        plain.extend_from_slice(&content.audience.to_le_bytes());
        plain.extend_from_slice(&content.told_through.to_le_bytes());
        plain.extend_from_slice(&major.to_le_bytes());
        plain.extend_from_slice(&minor.to_le_bytes());
        self.seal_bytes(FORMAT, plain, nonce)
    }

    /// The content of a genuine cookie of this kind, expired or not.
    #[must_use]
    pub fn open_client(&self, kind: ClientCookieKind, sealed: &[u8]) -> Option<ClientCredential> {
        let plain = self.open_bytes(FORMAT, sealed)?;
        let (kind_read, rest) = plain.split_first()?;
        let (client, rest) = rest.split_first_chunk()?;
        let (server_id, rest) = rest.split_first_chunk()?;
        let (expires, rest) = rest.split_first_chunk()?;
        let (config_changed, rest) = rest.split_first_chunk()?;
        let (seen, rest) = rest.split_first_chunk()?;
        let (scanned, rest) = rest.split_first_chunk()?;
        let (scan_ended, rest) = rest.split_first_chunk()?;
        let (audience, rest) = rest.split_first_chunk()?;
        let (told_through, rest) = rest.split_first_chunk()?;
        let (major, rest) = rest.split_first_chunk()?;
        let (minor, rest) = rest.split_first_chunk()?;
        let time = |ticks: &[u8; 8]| WireTime::from_ticks(i64::from_le_bytes(*ticks));
        let content = ClientCredential {
            client: Uuid::from_bytes(*client),
            server_id: Uuid::from_bytes(*server_id),
            expires: time(expires),
            config_changed: time(config_changed),
            deployments_seen: u64::from_le_bytes(*seen),
            scanned: u64::from_le_bytes(*scanned),
            scan_ended: time(scan_ended),
            audience: u64::from_le_bytes(*audience),
            told_through: u64::from_le_bytes(*told_through),
            protocol_version: ProtocolVersion {
                major: u16::from_le_bytes(*major),
                minor: u16::from_le_bytes(*minor),
            },
        };
        (*kind_read == kind as u8 && rest.is_empty()).then_some(content)
    }

    /// The check before every call of a computer that takes a cookie: damage of any kind, another
    /// server, age, then a configuration made after the one the computer knows.
    pub fn admit_client(
        &self,
        cookie: Option<&Cookie>,
        server_id: Uuid,
        now: WireTime,
        config_changed: WireTime,
    ) -> Result<ClientCredential, ErrorCode> {
        let content = cookie
            .and_then(|cookie| self.open_client(ClientCookieKind::Session, &cookie.data))
            .ok_or(ErrorCode::InvalidCookie)?;
        if content.server_id != server_id {
            return Err(ErrorCode::ServerChanged);
        }
        if content.expires <= now {
            return Err(ErrorCode::CookieExpired);
        }
        if content.config_changed < config_changed {
            return Err(ErrorCode::ConfigChanged);
        }
        Ok(content)
    }
}
