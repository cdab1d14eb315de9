//! HTTP requests to one server: plain HTTP/1.1 to foreign ones, the hierarchy's own connection to
//! software update points.
//!
//! Owns how a request is carried and for how long. Refuses to know what is asked. Fails with the
//! URL and what happened; the HTTP status is the caller's to judge.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Buf, Bytes};
use http::{Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use model::{PeerKind, RoleKind, SiteCode};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::transport::Channel;
use tower::ServiceExt as _;
use transport::{Connect, Connection, Credentials, Expect, Security};

use crate::{Error, limits};

pub(crate) struct Web {
    /// Without a slash at its end.
    base: String,
    route: Route,
}

enum Route {
    Plain { connect: Arc<dyn Connect>, authority: String, uri: Uri },
    Own(Channel),
}

impl Web {
    /// A server outside of the hierarchy.
    pub(crate) fn foreign(connect: Arc<dyn Connect>, url: &str) -> Result<Web, Error> {
        let bad = || Error::Url { url: url.to_owned() };
        let uri: Uri = url.parse().map_err(|_| bad())?;
        let authority = uri.authority().ok_or_else(bad)?.to_string();
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(Error::ForeignTls { url: url.to_owned() }),
            _ => return Err(bad()),
        }
        let base = url.trim_end_matches('/').to_owned();
        Ok(Web { base, route: Route::Plain { connect, authority, uri } })
    }

    /// A software update point of `site`. Without credentials (simulation) the connector itself
    /// leads to it.
    pub(crate) fn own(
        connect: Arc<dyn Connect>,
        credentials: Option<&Credentials>,
        url: &str,
        site: SiteCode,
    ) -> Result<Web, Error> {
        let kind = PeerKind::Role(RoleKind::SoftwareUpdatePoint);
        let security = credentials.map_or(Security::Plain, |credentials| Security::Mutual {
            credentials: credentials.clone(),
            expect: Expect { kind, site, id: None },
        });
        let connection = Connection::new(connect, url, security)?;
        let base = url.trim_end_matches('/').to_owned();
        Ok(Web { base, route: Route::Own(connection.channel()) })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Sends a request, whose URI is only a path, and returns when the answer begins.
    pub(crate) async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, Error> {
        let url = self.url(request.uri().path());
        within(limits::ANSWER_MAX, &url, self.exchange(request, &url)).await?
    }

    async fn exchange(&self, request: Request<Bytes>, url: &str) -> Result<Response<Body>, Error> {
        match &self.route {
            Route::Plain { connect, authority, uri } => {
                let stream = within(limits::CONNECT_MAX, url, connect.connect(uri)).await?;
                let stream = stream.map_err(|error| Error::request(url, error))?;
                let mut request = request.map(Full::new);
                let host = authority.parse().map_err(|_| Error::Url { url: url.to_owned() })?;
                request.headers_mut().insert(header::HOST, host);
                let answer = converse(TokioIo::new(stream), request).await;
                answer.map_err(|error| Error::request(url, error))
            }
            Route::Own(channel) => {
                let request = request.map(|body| tonic::body::Body::new(Full::new(body)));
                let answer = channel.clone().oneshot(request).await;
                answer.map(|a| a.map(Body::new)).map_err(|error| Error::request(url, error))
            }
        }
    }
}

/// One exchange on a connection of its own, which lives as long as the answer is read.
async fn converse(
    stream: TokioIo<transport::BoxStream>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Body>, hyper::Error> {
    let (mut sender, connection) = http1::handshake(stream).await?;
    let mut driver = JoinSet::new();
    // How the connection ends shows in the request or in the body.
    driver.spawn(async move { drop(connection.await) });
    let answer = sender.send_request(request).await?;
    let keep = move |frame| {
        let _ = &driver;
        frame
    };
    Ok(answer.map(|body| Body::new(body.map_frame(keep))))
}

/// The whole body, in the pieces in which it came.
pub(crate) async fn collect(body: Body, url: &str, max: usize) -> Result<impl Buf + use<>, Error> {
    match within(limits::ANSWER_MAX, url, Limited::new(body, max).collect()).await? {
        Ok(collected) => Ok(collected.aggregate()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Error::LargeAnswer { url: url.to_owned(), max })
        }
        Err(error) => Err(Error::request(url, error)),
    }
}

pub(crate) async fn within<T>(
    max: Duration,
    url: &str,
    future: impl Future<Output = T>,
) -> Result<T, Error> {
    timeout(max, future).await.map_err(|late| Error::request(url, late))
}
