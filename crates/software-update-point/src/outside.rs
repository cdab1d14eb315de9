//! Servers outside of the hierarchy: which roots they are believed by, whether a proxy stands
//! between, and files from any of their addresses.
//!
//! Owns the choice of the way and the following of redirects. Refuses to know what a file is for.
//! Fails with the address and the reason.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use bytes::Bytes;
use content_library::ask_from;
use futures_util::StreamExt as _;
use http::{Response, StatusCode, Uri, header};
use transport::{Belief, ForeignTls};

use crate::point::Point;
use crate::proxy::Proxy;
use crate::synchronize::Source;
use crate::web::{Way, Web, within};
use crate::{Error, limits};

/// How servers outside of the hierarchy are reached.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    /// A PEM file with the roots that https servers are believed by.
    pub roots: PathBuf,
    pub proxy: Option<Proxy>,
}

/// What a request is for: a proxy may stand between for one of them and not for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Synchronize,
    Download,
}

/// What was made of the roots in the file; it is read once.
#[derive(Debug, Default)]
pub(crate) struct Roots(Mutex<Option<ForeignTls>>);

/// As it is kept: certificates, or the digest of one.
fn written(belief: Option<&Belief>) -> String {
    match belief {
        None => String::new(),
        Some(Belief::Roots(pem)) => pem.to_string(),
        Some(Belief::Pin(pin)) => pin.to_string(),
    }
}

fn read(text: String) -> Option<Belief> {
    match text.parse() {
        _ if text.is_empty() => None,
        Ok(pin) => Some(Belief::Pin(pin)),
        Err(_) => Some(Belief::Roots(text.into())),
    }
}

/// The last source that was followed to its end: in a line of its own, before what it is believed
/// by.
const SOURCE: &str = "source";

impl Point {
    /// Files are fetched from a source after the process that synchronized with it has ended.
    pub(crate) async fn keep_source(&self, source: &Source) -> Result<(), Error> {
        let belief = match source {
            Source::Foreign { belief, .. } => written(belief.as_ref()),
            Source::Own { .. } => String::new(),
        };
        let text = format!("{source}\n{belief}");
        match self.catalog.setting(SOURCE).await?.unwrap_or_default() == text {
            true => Ok(()),
            false => Ok(self.catalog.keep_setting(SOURCE, text).await?),
        }
    }

    pub(crate) async fn kept_source(&self) -> Result<Option<Source>, Error> {
        let kept = self.catalog.setting(SOURCE).await?.unwrap_or_default();
        let (source, belief) = kept.split_once('\n').unwrap_or_default();
        Ok(Source::parse(source, read(belief.to_owned())))
    }

    /// A server outside of the hierarchy; without a belief of its own an https one is believed by
    /// the roots in the file.
    pub(crate) fn foreign(
        &self,
        url: &str,
        belief: Option<&Belief>,
        purpose: Purpose,
    ) -> Result<Web, Error> {
        let Outside { proxy, .. } = &self.config.outside;
        let is_used = |proxy: &&Proxy| match purpose {
            Purpose::Synchronize => proxy.synchronizes,
            Purpose::Download => proxy.downloads,
        };
        let tls = match (url.starts_with("https://"), belief) {
            (false, _) => None,
            (true, None) => Some(self.system_tls()?),
            (true, Some(belief)) => Some(ForeignTls::new(&self.ambient, belief)?),
        };
        let (connect, proxy) = (self.connect.clone(), proxy.as_ref().filter(is_used).cloned());
        Web::foreign(Way { connect, proxy, tls }, url)
    }

    fn system_tls(&self) -> Result<ForeignTls, Error> {
        let mut kept = self.roots.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tls) = &*kept {
            return Ok(tls.clone());
        }
        let path = &self.config.outside.roots;
        let failed = |source| Error::Roots { path: path.clone(), source };
        let pem = fs::read_to_string(path).map_err(failed)?;
        let tls = ForeignTls::new(&self.ambient, &Belief::Roots(pem.into()))?;
        Ok(kept.insert(tls).clone())
    }

    /// The answer to a GET of any address, from byte `offset` of what it names; redirects are
    /// followed. Its status is the caller's to judge.
    pub(crate) async fn get(
        &self,
        url: &str,
        offset: u64,
    ) -> Result<(String, Response<Body>), Error> {
        let mut url = url.to_owned();
        for _ in 0..=limits::REDIRECTS_MAX {
            let (base, path) = split(&url)?;
            let web = self.foreign(base, None, Purpose::Download)?;
            let request = ask_from(&path, offset).body(Bytes::new());
            let request = request.map_err(|_| Error::Url { url: url.clone() })?;
            let answer = web.send(request).await?;
            match elsewhere(&url, &answer)? {
                Some(next) => url = next,
                None => return Ok((url, answer)),
            }
        }
        Err(Error::Redirects { url, max: limits::REDIRECTS_MAX })
    }

    /// Writes what `url` names, of at most `bytes_max` bytes, to a new file at `path`.
    pub(crate) async fn download(
        &self,
        url: &str,
        path: &Path,
        bytes_max: u64,
    ) -> Result<u64, Error> {
        let (url, answer) = self.get(url, 0).await?;
        if answer.status() != StatusCode::OK {
            return Err(Error::HttpStatus { url, status: answer.status().as_u16() });
        }
        let mut file = File::create(path).map_err(Error::files("make", path))?;
        let mut body = answer.into_body().into_data_stream();
        let mut bytes = 0;
        while let Some(piece) = within(limits::SILENCE_MAX, &url, body.next()).await? {
            let piece = piece.map_err(|error| Error::request(&url, error))?;
            bytes += piece.len() as u64;
            if bytes > bytes_max {
                let max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
                return Err(Error::LargeAnswer { url, max });
            }
            file.write_all(&piece).map_err(Error::files("write", path))?;
        }
        file.sync_all().map_err(Error::files("write", path))?;
        Ok(bytes)
    }
}

/// The server of an address, and the path with its query.
fn split(url: &str) -> Result<(&str, String), Error> {
    let url = url.split('#').next().unwrap_or_default();
    let uri: Uri = url.parse().map_err(|_| Error::Url { url: url.to_owned() })?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    Ok((url.strip_suffix(path.as_str()).unwrap_or(url), path))
}

/// Where an answer sends whoever asked for `url`. Nothing leads from https to http.
fn elsewhere(url: &str, answer: &Response<Body>) -> Result<Option<String>, Error> {
    if !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location = answer.headers().get(header::LOCATION).and_then(|l| l.to_str().ok());
    let Some(location) = location else { return Ok(None) };
    let (base, path) = split(url)?;
    let scheme = base.split("//").next().unwrap_or_default();
    let next = match location {
        _ if location.contains("://") => location.to_owned(),
        _ if location.starts_with("//") => format!("{scheme}{location}"),
        _ if location.starts_with('/') => format!("{base}{location}"),
        _ => {
            let folder = path.split('?').next().unwrap_or_default();
            let folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{base}{folder}/{location}")
        }
    };
    let is_weaker = url.starts_with("https://") && !next.starts_with("https://");
    if is_weaker {
        Err(Error::WeakerRedirect { url: url.to_owned(), next })
    } else {
        Ok(Some(next))
    }
}
