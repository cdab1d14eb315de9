//! The proxy that stands between an update point and servers outside of the hierarchy (SUP-09 …
//! SUP-13).
//!
//! Owns how a request goes through it: plain HTTP in absolute form, TLS by a tunnel. The
//! credentials come from a file that only its owner may read and are in no log. Refuses to know
//! what is asked; the hierarchy's own servers are never reached this way. Fails with the proxy's
//! address and what it said.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::PROXY_AUTHORIZATION;
use http::uri::{Parts, PathAndQuery};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{Empty, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;
use transport::{BoxStream, Connect};

use crate::Error;

/// A proxy; its credentials are shown by nothing.
#[derive(Clone, Debug)]
pub struct Proxy {
    uri: Uri,
    authorization: Option<HeaderValue>,
    /// Synchronizing goes through it.
    pub synchronizes: bool,
    /// Downloading files and catalogs goes through it.
    pub downloads: bool,
}

/// The longest line with a user and a password.
const CREDENTIALS_BYTES_MAX: u64 = 1_024;

impl Proxy {
    /// The proxy at `url`, with credentials from the file at `credentials` if there is one.
    pub fn read(url: &str, credentials: Option<&Path>) -> Result<Proxy, Error> {
        let bad = || Error::ProxyUrl { url: without_user(url) };
        let uri: Uri = url.parse().map_err(|_| bad())?;
        if uri.scheme_str() != Some("http") || uri.host().is_none() || has_user(&uri) {
            return Err(bad());
        }
        let authorization = credentials.map(authorization).transpose()?;
        Ok(Proxy { uri, authorization, synchronizes: true, downloads: true })
    }

    fn url(&self) -> String {
        self.uri.to_string()
    }

    pub(crate) async fn connect(&self, connect: &dyn Connect) -> Result<BoxStream, Error> {
        let failed = |error| Error::request(&format!("the proxy {}", self.uri), error);
        connect.connect(&self.uri).await.map_err(failed)
    }

    /// A stream to `target` itself, through the proxy.
    pub(crate) async fn tunnel(
        &self,
        connect: &dyn Connect,
        target: &Uri,
    ) -> Result<BoxStream, Error> {
        let failed =
            |error: hyper::Error| Error::request(&format!("the proxy {}", self.uri), error);
        let stream = self.connect(connect).await?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
        let mut driver = JoinSet::new();
        // How the connection ends shows in the answer.
        driver.spawn(async move { drop(connection.with_upgrades().await) });
        let (host, port) = (target.host().unwrap_or_default(), target.port_u16().unwrap_or(443));
        let bad = |_| Error::Url { url: target.to_string() };
        let mut request = Request::connect(format!("{host}:{port}"))
            .header("host", format!("{host}:{port}"))
            .body(Empty::<Bytes>::new())
            .map_err(bad)?;
        self.authorize(&mut request);
        let answer = sender.send_request(request).await.map_err(failed)?;
        self.check(answer.status(), &target.to_string())?;
        let upgraded = hyper::upgrade::on(answer).await.map_err(failed)?;
        Ok(Box::new(TokioIo::new(upgraded)))
    }

    /// Makes a request for a path of the server at `target` one to the proxy.
    pub(crate) fn absolute(
        &self,
        request: &mut Request<Full<Bytes>>,
        target: &Uri,
    ) -> Result<(), Error> {
        let mut parts = Parts::from(target.clone());
        let path = request.uri().path_and_query().cloned();
        parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
        let bad = |_| Error::Url { url: target.to_string() };
        *request.uri_mut() = Uri::from_parts(parts).map_err(bad)?;
        self.authorize(request);
        Ok(())
    }

    /// Fails with what the proxy, rather than the server, has to say.
    pub(crate) fn check(&self, status: StatusCode, url: &str) -> Result<(), Error> {
        let is_tunnel_open = status.is_success();
        match status {
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                Err(Error::ProxyCredentials { proxy: self.url() })
            }
            _ if is_tunnel_open => Ok(()),
            status => {
                let (proxy, url, status) = (self.url(), url.to_owned(), status.as_u16());
                Err(Error::ProxyAnswer { proxy, url, status })
            }
        }
    }

    fn authorize<B>(&self, request: &mut Request<B>) {
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(PROXY_AUTHORIZATION, authorization.clone());
        }
    }
}

/// Whether it names a user, whose password would be in every message.
pub(crate) fn has_user(uri: &Uri) -> bool {
    uri.authority().is_some_and(|authority| authority.as_str().contains('@'))
}

/// An address for messages, without the user that it should not have.
pub(crate) fn without_user(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest.split('/').next().unwrap_or_default();
    match host.rsplit_once('@') {
        None => url.to_owned(),
        Some((user, _)) => format!("{scheme}://…{}", &rest[user.len()..]),
    }
}

/// `user:password` in one line.
fn authorization(path: &Path) -> Result<HeaderValue, Error> {
    let refuse = |reason: &'static str| Error::Credentials { path: path.to_owned(), reason };
    let metadata = fs::metadata(path).map_err(Error::files("inspect", path))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(refuse("others than its owner may read or write it; chmod 600 it"));
    }
    if metadata.len() > CREDENTIALS_BYTES_MAX {
        return Err(refuse("it is longer than 1024 bytes"));
    }
    let text = fs::read_to_string(path).map_err(Error::files("read", path))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    if !line.contains(':') || line.contains(char::is_control) {
        return Err(refuse("it does not hold user:password in one line"));
    }
    let value = format!("Basic {}", STANDARD.encode(line));
    let mut value = HeaderValue::try_from(value).expect("Base64 is visible ASCII");
    value.set_sensitive(true);
    Ok(value)
}
