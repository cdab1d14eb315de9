//! Messages of the update protocols, between servers (MS-WSUSSS) and of computers (MS-WUSP), for
//! both sides.
//!
//! Owns the way from bytes to values and back: SOAP 1.1 envelopes framed as the original server
//! frames them, requests and answers, faults, the paths and actions of the operations, sealed
//! cookies, document blobs, the fragments of documents that computers get, compression on the
//! wire, content paths. Refuses to know sockets, retries, clocks and randomness (times, keys and
//! nonces are handed in) and what an update document says. Decoding is total over hostile input:
//! order-independent, blind to unknown elements, within the limits of [`limits`]; it fails with an
//! [`Error`] naming the element. A server turns that into a [`Fault`] by [`Error::parameter`]; a
//! client meets the server's fault as [`Error::Fault`].

mod auth;
mod blob;
pub mod cabinet;
pub mod client;
mod client_cookie;
mod config_data;
mod content_path;
mod endpoint;
mod envelope;
mod error;
mod escaped;
mod fault;
mod fields;
pub mod fragments;
pub mod limits;
mod record;
pub mod reporting;
mod revision_list;
pub mod rollup;
mod sealed_cookie;
pub mod server;
mod soap_version;
mod update_data;
mod wire_time;
pub mod xpress;

pub use auth::{
    AuthConfig, AuthPlugIn, AuthorizationCookie, Cookie, GetAuthConfig, GetAuthorizationCookie,
    GetCookie,
};
pub use blob::Blob;
pub use client_cookie::{ClientCookieKind, ClientCredential};
pub use config_data::{ConfigData, GetConfigData, Language};
pub use content_path::{content_path, parse_content_path};
pub use endpoint::{Endpoint, Operation, Service, normalize_path};
pub use envelope::{Message, decode, encode};
pub use error::Error;
pub use escaped::Escaped;
pub use fault::{ErrorCode, Fault};
pub use revision_list::{Filter, GetRevisionIdList, RevisionIdList, Selected};
pub use sealed_cookie::{CookieKey, CookieKind, Credential, ProtocolVersion};
pub use soap_version::SoapVersion;
pub use update_data::{FileUrl, GetUpdateData, UpdateData, UpdateIdentity, UpdateRecord};
pub use wire_time::WireTime;

#[cfg(test)]
mod tests;
