//! SOAP requests over HTTP/1.1, plain or over TLS.
//!
//! Owns how a request is carried, for how long, and how much of an answer is looked at. Refuses to
//! know what is asked. Whatever is no answer of the protocol is refused unread: another status,
//! another type, a redirect, too many bytes.

use std::sync::Arc;
use std::time::Duration;

use ambient::Ambient;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Buf as _, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;
use tokio::time::timeout;
use transport::{Belief, BoxStream, Connect, ForeignTls};
use wsus_protocol::{Endpoint, Error as WireError, Message, decode, encode, xpress};

use super::{ForeignServer, limits};
use crate::Error;

pub(super) struct Web {
    connect: Arc<dyn Connect>,
    tls: Option<ForeignTls>,
    uri: Uri,
    host: HeaderValue,
    /// For messages.
    url: String,
    /// Requests so far, and the bytes of their answers as text.
    pub(super) requests: usize,
    pub(super) received: usize,
}

impl Web {
    pub(super) fn new(
        ambient: &Ambient,
        connect: Arc<dyn Connect>,
        server: &ForeignServer,
    ) -> Result<Web, Error> {
        let (uri, host) = address(server)?;
        let tls = match &server.roots {
            Some(roots) => Some(ForeignTls::new(ambient, &Belief::Roots(roots.clone()))?),
            None => None,
        };
        let url = server.url.clone();
        Ok(Web { connect, tls, uri, host, url, requests: 0, received: 0 })
    }

    /// One request; `path` is where the server says the service is, below its own address.
    pub(super) async fn ask<Q: Message, A: Message>(
        &mut self,
        path: &str,
        request: &Q,
    ) -> Result<A, Error> {
        let (operation, max) = (Q::OPERATION, self.answer_max());
        self.requests += 1;
        let request = self.request(path, operation, encode(request))?;
        let (status, body) = within(limits::ANSWER_MAX, &self.url, async {
            let (answer, _connection) = Box::pin(self.send(request)).await?;
            let is_packed = self.check(operation, &answer)?;
            let status = answer.status();
            let body = self.collect(operation, answer.into_body(), max).await?;
            Ok((status, if is_packed { self.unpack(operation, &body, max)? } else { body }))
        })
        .await?;
        self.received += body.len();
        match decode(body.reader()) {
            Ok(answer) if status == StatusCode::OK => Ok(answer),
            Err(source) if status == StatusCode::OK || matches!(source, WireError::Fault(_)) => {
                let url = self.url.clone();
                Err(Error::ForeignSoap { url, operation: operation.name(), source })
            }
            _ => Err(self.refused(operation, status.to_string())),
        }
    }

    fn answer_max(&self) -> usize {
        usize::try_from(limits::CLIENT_ANSWER_BYTES_MAX).unwrap_or(usize::MAX)
    }

    fn request(
        &self,
        path: &str,
        operation: Endpoint,
        body: String,
    ) -> Result<Request<Full<Bytes>>, Error> {
        let request = Request::post(format!("/{}", path.trim_start_matches('/')))
            .header(header::HOST, self.host.clone())
            .header(header::CONTENT_TYPE, "text/xml; charset=utf-8")
            .header(header::ACCEPT_ENCODING, XPRESS)
            .header(
                header::USER_AGENT,
                concat!("Tierline-Agent/", env!("CARGO_PKG_VERSION"), " Client-Protocol/2.90"),
            )
            .header("SOAPAction", operation.soap_action())
            .body(Full::from(body));
        // The path is the only part that the server has a say in.
        request.map_err(|_| self.refused(operation, format!("a path that is none: {path:?}")))
    }

    /// On a connection of its own, which lives as long as the second value.
    async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, JoinSet<()>), Error> {
        let stream = within(limits::CONNECT_MAX, &self.url, self.dial()).await?;
        let failed = |error: hyper::Error| self.unreached(error.into());
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
        let mut driver = JoinSet::new();
        // How the connection ends shows in the request or in the body.
        driver.spawn(async move { drop(connection.await) });
        let answer = sender.send_request(request).await.map_err(failed)?;
        Ok((answer, driver))
    }

    async fn dial(&self) -> Result<BoxStream, Error> {
        let connected = self.connect.connect(&self.uri).await;
        let stream = connected.map_err(|error| self.unreached(error.into()))?;
        let Some(tls) = &self.tls else { return Ok(stream) };
        Ok(tls.secure(stream, self.uri.host().unwrap_or_default()).await?)
    }

    /// Whether the body of this answer, which is one of the protocol's, is compressed.
    fn check(&self, operation: Endpoint, answer: &Response<Incoming>) -> Result<bool, Error> {
        let (status, headers) = (answer.status(), answer.headers());
        if status.is_redirection() {
            let reason = format!("{status}, and nobody is followed elsewhere");
            return Err(self.refused(operation, reason));
        }
        if !matches!(status, StatusCode::OK | StatusCode::INTERNAL_SERVER_ERROR) {
            return Err(self.refused(operation, status.to_string()));
        }
        let kind = text(headers, header::CONTENT_TYPE);
        let media = kind.split(';').next().unwrap_or_default().trim();
        if !MEDIA.iter().any(|known| media.eq_ignore_ascii_case(known)) {
            let kind: String = kind.chars().take(SHOWN_CHARS).collect();
            return Err(self.refused(operation, format!("{status} of type {kind:?}")));
        }
        match text(headers, header::CONTENT_ENCODING) {
            "" => Ok(false),
            encoding if encoding.eq_ignore_ascii_case(XPRESS) => Ok(true),
            _ => Err(self.refused(operation, "an encoding that was not asked for".to_owned())),
        }
    }

    async fn collect(
        &self,
        operation: Endpoint,
        body: Incoming,
        max: usize,
    ) -> Result<Bytes, Error> {
        let too_large = || self.refused(operation, format!("more than {max} bytes"));
        let announced = hyper::body::Body::size_hint(&body).lower();
        if announced > u64::try_from(max).unwrap_or(u64::MAX) {
            return Err(too_large());
        }
        match Limited::new(body, max).collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
            Err(error) => Err(self.unreached(error)),
        }
    }

    /// What would become larger than allowed is not begun.
    fn unpack(&self, operation: Endpoint, packed: &[u8], max: usize) -> Result<Bytes, Error> {
        if xpress::announced_bytes(packed) > max {
            return Err(self.refused(operation, format!("more than {max} bytes")));
        }
        let unpacked = xpress::decompress(packed, max).map_err(|source| {
            let url = self.url.clone();
            Error::ForeignSoap { url, operation: operation.name(), source }
        })?;
        Ok(unpacked.into())
    }

    pub(super) fn refused(&self, operation: Endpoint, answer: String) -> Error {
        Error::ForeignHttp { url: self.url.clone(), operation: operation.name(), answer }
    }

    fn unreached(&self, source: Box<dyn std::error::Error + Send + Sync>) -> Error {
        Error::ForeignReach { url: self.url.clone(), source }
    }
}

/// Where it is, and what it is called there.
pub(super) fn address(server: &ForeignServer) -> Result<(Uri, HeaderValue), Error> {
    let bad = || Error::ForeignUrl { url: server.url.clone() };
    let uri: Uri = server.url.parse().map_err(|_| bad())?;
    let authority = uri.authority().filter(|a| !a.as_str().contains('@')).ok_or_else(bad)?;
    let host = HeaderValue::try_from(authority.as_str()).map_err(|_| bad())?;
    let is_believed = match uri.scheme_str() {
        Some("http") => server.roots.is_none(),
        Some("https") => server.roots.is_some(),
        _ => false,
    };
    let is_root = uri.path() == "/" && uri.query().is_none();
    if is_believed && is_root { Ok((uri, host)) } else { Err(bad()) }
}

const XPRESS: &str = "xpress";
/// Of both versions of SOAP.
const MEDIA: [&str; 2] = ["text/xml", "application/soap+xml"];
/// Of a foreign type, enough to recognize it.
const SHOWN_CHARS: usize = 60;

fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn within<T>(
    limit: Duration,
    url: &str,
    future: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let silent = || Error::Silent { url: url.to_owned(), limit };
    timeout(limit, future).await.unwrap_or_else(|_| Err(silent()))
}
