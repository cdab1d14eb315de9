//! What can fail at a software update point, and what kind of failure it is.

use std::path::{Path, PathBuf};

use model::{ErrorClass, Languages, UpdateRef};
use wsus_protocol::ErrorCode;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the update catalog failed")]
    Catalog(#[from] update_catalog::Error),
    #[error("the content library failed")]
    Content(#[from] content_library::Error),
    #[error("the status spool or the register of computers failed")]
    Spool(#[from] sqlite_engine::Error),
    #[error("a connection cannot be prepared or served")]
    Transport(#[from] transport::Error),
    #[error("\"{url}\" is not an address of the form http://host:port")]
    Url { url: String },
    #[error("{url} cannot be reached over TLS")]
    Foreign { url: String, source: transport::Error },
    #[error("cannot read the roots in {}; name a PEM file as sup.roots", path.display())]
    Roots { path: PathBuf, source: std::io::Error },
    #[error("\"{url}\" is no proxy of the form http://host:port")]
    ProxyUrl { url: String },
    #[error("{} holds no credentials of a proxy: {reason}", path.display())]
    Credentials { path: PathBuf, reason: &'static str },
    #[error(
        "the proxy {proxy} wants other credentials (HTTP status 407); name a file with \
         user:password as proxy.credentials"
    )]
    ProxyCredentials { proxy: String },
    #[error("the proxy {proxy} could not or would not reach {url} (HTTP status {status})")]
    ProxyAnswer { proxy: String, url: String, status: u16 },
    #[error("{url} led elsewhere more than {max} times")]
    Redirects { url: String, max: u32 },
    #[error("{url} leads to {next}, which is not https any more")]
    WeakerRedirect { url: String, next: String },
    #[error("{url} did not answer")]
    Request { url: String, source: BoxError },
    #[error("{url} answered with HTTP status {status}")]
    HttpStatus { url: String, status: u16 },
    #[error("the answer of {url} is larger than {max} bytes")]
    LargeAnswer { url: String, max: usize },
    #[error("the answer of {url} is not usable")]
    Answer { url: String, source: wsus_protocol::Error },
    #[error("update {} revision {} cannot be packed", update.id, update.revision)]
    Pack { update: UpdateRef, source: wsus_protocol::Error },
    #[error("{url} could not give more than {max} updates; something is wrong with the server")]
    ManyRejected { url: String, max: usize },
    #[error("{url} ended at byte {received} of {expected}")]
    ShortFile { url: String, received: u64, expected: u64 },
    #[error("{name} is for {found} alone, and files are fetched for {wanted}")]
    OtherLanguage { name: String, found: Languages, wanted: Languages },
    #[error("{name} can be had nowhere: {tried}")]
    NoSource { name: String, tried: String },
    #[error(
        "catalog version {version} is the set {expected}, but the {updates} updates here are the \
         set {found}; the source may not hold that version yet"
    )]
    OtherSet { version: u64, expected: model::Sha256, found: model::Sha256, updates: u64 },
    #[error("cannot {operation} {}", path.display())]
    Files { operation: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{name} is not taken: {reason}")]
    Archive { name: String, reason: String },
    #[error("the catalog is not exported: {reason}")]
    Export { reason: &'static str },
    #[error(
        "the catalog ends at anchor {anchor}, before {since}; name an anchor that an earlier \
         export printed, or none for everything"
    )]
    ExportSince { since: u64, anchor: u64 },
    #[error("a part of the bundle cannot be packed")]
    PackBundle(#[from] catalog_bundle::Error),
    #[error("{name} is not taken")]
    ReadCatalog { name: String, source: update_metadata::Error },
    #[error("the site server ended the call")]
    Site(#[source] Box<tonic::Status>),
    #[error("the site server answered with {what} of something else")]
    SiteAnswer { what: &'static str },
    #[error(
        "{missing} parts of a computer's policy are not here; the site server has to give them"
    )]
    PolicyParts { missing: usize },
    #[error("the order of the site server is not usable")]
    Order(#[from] model::Invalid),
}

impl Error {
    pub(crate) fn files(
        operation: &'static str,
        path: &Path,
    ) -> impl FnOnce(std::io::Error) -> Error {
        move |source| Error::Files { operation, path: path.to_owned(), source }
    }

    pub(crate) fn request(url: &str, source: impl Into<BoxError>) -> Error {
        Error::Request { url: url.to_owned(), source: source.into() }
    }

    pub(crate) fn site(status: tonic::Status) -> Error {
        Error::Site(Box::new(status))
    }

    /// The code of the fault that upstream answered with.
    pub(crate) fn fault(&self) -> Option<&ErrorCode> {
        match self {
            Error::Answer { source: wsus_protocol::Error::Fault(fault), .. } => Some(&fault.code),
            _ => None,
        }
    }

    /// Whether the same may succeed later, unchanged.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.class(), ErrorClass::Unavailable | ErrorClass::Exhausted)
    }

    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::Catalog(error) => error.class(),
            Error::Content(error) => error.class(),
            Error::Transport(error) => error.class(),
            Error::Foreign { source, .. } => source.class(),
            Error::ProxyCredentials { .. } | Error::WeakerRedirect { .. } => ErrorClass::Denied,
            Error::ProxyAnswer { status, .. } => match status {
                502..=504 => ErrorClass::Unavailable,
                _ => ErrorClass::Denied,
            },
            Error::Url { .. }
            | Error::ProxyUrl { .. }
            | Error::Roots { .. }
            | Error::Credentials { .. }
            | Error::Redirects { .. }
            | Error::OtherLanguage { .. }
            | Error::Archive { .. }
            | Error::ExportSince { .. }
            | Error::ReadCatalog { .. }
            | Error::Order(_) => ErrorClass::Invalid,
            Error::HttpStatus { status, .. } => match status {
                404 | 410 => ErrorClass::NotFound,
                401 | 403 => ErrorClass::Denied,
                408 | 429 | 502..=504 => ErrorClass::Unavailable,
                _ => ErrorClass::Invalid,
            },
            Error::Answer { .. } => match self.fault() {
                Some(ErrorCode::ServerBusy) => ErrorClass::Unavailable,
                Some(_) => ErrorClass::Denied,
                None => ErrorClass::Corrupt,
            },
            Error::ManyRejected { .. } | Error::LargeAnswer { .. } | Error::SiteAnswer { .. } => {
                ErrorClass::Corrupt
            }
            Error::Pack { .. } => ErrorClass::Internal,
            Error::Export { .. } => ErrorClass::Conflict,
            Error::PackBundle(error) => error.class(),
            Error::Site(status) => rpc::status::class(status),
            Error::Spool(_)
            | Error::Files { .. }
            | Error::Request { .. }
            | Error::ShortFile { .. }
            | Error::NoSource { .. }
            | Error::PolicyParts { .. }
            | Error::OtherSet { .. } => ErrorClass::Unavailable,
        }
    }
}
