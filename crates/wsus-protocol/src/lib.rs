//! Messages of the update protocol between servers (MS-WSUSSS), for both sides.
//!
//! Owns the way from bytes to values and back: SOAP 1.1 envelopes framed as the original server
//! frames them, requests and answers, faults, the paths and actions of the operations, sealed
//! cookies, document blobs, content paths. Refuses to know sockets, retries, clocks and
//! randomness (times, keys and nonces are handed in) and what an update document says. Decoding
//! is total over hostile input: order-independent, blind to unknown elements, within the limits
//! of [`limits`]; it fails with an [`Error`] naming the element. A server turns that into a
//! [`Fault`] by [`Error::parameter`]; a client meets the server's fault as [`Error::Fault`].

mod auth;
mod blob;
mod config_data;
mod content_path;
mod endpoint;
mod envelope;
mod error;
mod fault;
mod fields;
pub mod limits;
mod revision_list;
mod sealed_cookie;
mod update_data;
mod wire_time;

pub use auth::{
    AuthConfig, AuthPlugIn, AuthorizationCookie, Cookie, GetAuthConfig, GetAuthorizationCookie,
    GetCookie,
};
pub use blob::Blob;
pub use config_data::{ConfigData, GetConfigData, Language};
pub use content_path::{content_path, parse_content_path};
pub use endpoint::{Operation, normalize_path};
pub use envelope::{Message, decode, encode};
pub use error::Error;
pub use fault::{ErrorCode, Fault};
pub use revision_list::{Filter, GetRevisionIdList, RevisionIdList, Selected};
pub use sealed_cookie::{CookieKey, CookieKind, Credential, ProtocolVersion};
pub use update_data::{FileUrl, GetUpdateData, UpdateData, UpdateIdentity, UpdateRecord};
pub use wire_time::WireTime;

#[cfg(test)]
mod tests;
