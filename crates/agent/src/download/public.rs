//! Servers that offer files to everybody: which addresses are asked, what the servers are believed
//! by, and where they may lead.
//!
//! Nobody vouches for an address: an update point tells it. So it is given nothing but a request
//! for a file, no name and no certificate of ours, and never leads to this computer itself
//! ([`transport::PublicConnect`]) nor away from TLS. What comes is believed by the digest of policy
//! alone. Fails with the address and what is wrong with it.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use ambient::Ambient;
use http::Uri;
use http::uri::{PathAndQuery, Scheme};
use transport::{Belief, BoxStream, Connect, ForeignTls};

use crate::{Error, limits};

/// The way to them.
pub(crate) struct Public {
    ambient: Ambient,
    connect: Arc<dyn Connect>,
    /// A PEM file with what https servers are believed by.
    roots: PathBuf,
    /// What was made of it; it is read when it is first needed.
    tls: Mutex<Option<ForeignTls>>,
}

impl Public {
    pub(crate) fn new(ambient: Ambient, connect: Arc<dyn Connect>, roots: PathBuf) -> Public {
        Public { ambient, connect, roots, tls: Mutex::default() }
    }

    /// A stream on which HTTP/1.1 is spoken.
    pub(super) async fn open(&self, uri: &Uri) -> Result<BoxStream, Error> {
        let url = uri.to_string();
        let stream = self.connect.connect(uri).await;
        let stream = stream.map_err(|error| Error::reach(&url)(error.into()))?;
        if uri.scheme() == Some(&Scheme::HTTP) {
            return Ok(stream);
        }
        let secured = self.tls()?.secure(stream, uri.host().unwrap_or_default()).await;
        secured.map_err(Error::unreached(&url))
    }

    fn tls(&self) -> Result<ForeignTls, Error> {
        let mut kept = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tls) = &*kept {
            return Ok(tls.clone());
        }
        let (operation, path) = ("read", self.roots.clone());
        let pem = std::fs::read_to_string(&path);
        let pem = pem.map_err(|source| Error::Files { operation, path, source })?;
        let tls = ForeignTls::new(&self.ambient, &Belief::Roots(pem.into()))?;
        Ok(kept.insert(tls).clone())
    }
}

impl fmt::Debug for Public {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Public").field("roots", &self.roots).finish_non_exhaustive()
    }
}

/// An address that may be asked.
pub(super) fn address(url: &str) -> Result<Uri, Error> {
    let bad = |reason| Error::Address { url: shown(url), reason };
    if url.len() > limits::ADDRESS_BYTES_MAX {
        return Err(bad("it is too long"));
    }
    let uri: Uri = url.parse().map_err(|_| bad("it is none"))?;
    let authority = uri.authority().ok_or_else(|| bad("it names no server"))?;
    if authority.as_str().contains('@') {
        return Err(bad("it has a user in it"));
    }
    let is_http = [Scheme::HTTP, Scheme::HTTPS].iter().any(|scheme| uri.scheme() == Some(scheme));
    if is_http { Ok(uri) } else { Err(bad("it is neither http nor https")) }
}

/// Where whoever asked for `at` is sent by `location`. Nothing leads from https to http.
pub(super) fn next(at: &Uri, location: &str) -> Result<Uri, Error> {
    let (scheme, path) = (at.scheme_str().unwrap_or_default(), at.path());
    let base = format!("{scheme}://{}", at.authority().map_or("", |authority| authority.as_str()));
    let location = location.split('#').next().unwrap_or_default();
    let next = match location {
        _ if location.split(['/', '?']).next().is_some_and(|first| first.contains(':')) => {
            location.to_owned()
        }
        _ if location.starts_with("//") => format!("{scheme}:{location}"),
        _ if location.starts_with('/') => format!("{base}{location}"),
        _ if location.starts_with('?') => format!("{base}{path}{location}"),
        _ => {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{base}{folder}/{location}")
        }
    };
    let (url, to) = (shown(&at.to_string()), shown(&next));
    let has_tls = at.scheme() == Some(&Scheme::HTTPS);
    match address(&next) {
        Ok(next) if has_tls && next.scheme() != Some(&Scheme::HTTPS) => {
            let reason = "nobody is followed from https to http";
            Err(Error::Astray { url, to, reason })
        }
        Err(Error::Address { reason, .. }) => Err(Error::Astray { url, to, reason }),
        next => next,
    }
}

/// What to ask its server for.
pub(super) fn path(uri: &Uri) -> String {
    uri.path_and_query().map_or("/", PathAndQuery::as_str).to_owned()
}

/// Of an address, enough to recognize it, and no user of one that should have none.
pub(super) fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let at = rest[..end].rfind('@');
    let bare = at.map_or(url.to_owned(), |at| format!("{scheme}://…{}", &rest[at..]));
    bare.chars().take(SHOWN_CHARS).collect()
}

const SHOWN_CHARS: usize = 200;

#[cfg(test)]
mod tests;
