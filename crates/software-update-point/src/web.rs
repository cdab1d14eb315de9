//! HTTP requests to one server: HTTP/1.1 to foreign ones, plain or over TLS, directly or by a
//! proxy; the hierarchy's own connection to software update points.
//!
//! Owns how a request is carried and for how long. Refuses to know what is asked. Fails with the
//! URL and what happened; the HTTP status is the caller's to judge, but for what a proxy says.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Buf, Bytes};
use http::{Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use model::{PeerKind, RoleKind, SiteCode};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::transport::Channel;
use tower::ServiceExt as _;
use transport::{BoxStream, Connect, Connection, Credentials, Expect, ForeignTls, Security};

use crate::proxy::{Proxy, has_user, without_user};
use crate::{Error, limits};

pub(crate) struct Web {
    /// Without a slash at its end.
    base: String,
    route: Route,
}

enum Route {
    Foreign(Box<Foreign>),
    Own(Channel),
}

struct Foreign {
    way: Way,
    authority: String,
    uri: Uri,
}

/// How a foreign server is reached.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) connect: Arc<dyn Connect>,
    pub(crate) proxy: Option<Proxy>,
    /// For https alone.
    pub(crate) tls: Option<ForeignTls>,
}

impl Web {
    /// A server outside the hierarchy, over TLS if there is some in `way`.
    pub(crate) fn foreign(way: Way, url: &str) -> Result<Web, Error> {
        let bad = || Error::Url { url: without_user(url) };
        let uri: Uri = url.parse().map_err(|_| bad())?;
        let authority = uri.authority().ok_or_else(bad)?.to_string();
        let scheme = if way.tls.is_some() { "https" } else { "http" };
        if uri.scheme_str() != Some(scheme) || has_user(&uri) {
            return Err(bad());
        }
        let base = url.trim_end_matches('/').to_owned();
        Ok(Web { base, route: Route::Foreign(Box::new(Foreign { way, authority, uri })) })
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
        within(limits::ANSWER_MAX, &url, Box::pin(self.exchange(request, &url))).await?
    }

    async fn exchange(&self, request: Request<Bytes>, url: &str) -> Result<Response<Body>, Error> {
        match &self.route {
            Route::Foreign(foreign) => foreign.exchange(request.map(Full::new), url).await,
            Route::Own(channel) => {
                let request = request.map(|body| tonic::body::Body::new(Full::new(body)));
                let answer = channel.clone().oneshot(request).await;
                answer.map(|a| a.map(Body::new)).map_err(|error| Error::request(url, error))
            }
        }
    }
}

impl Foreign {
    async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
        url: &str,
    ) -> Result<Response<Body>, Error> {
        let stream = within(limits::CONNECT_MAX, url, self.dial(url)).await??;
        let host = self.authority.parse().map_err(|_| Error::Url { url: url.to_owned() })?;
        request.headers_mut().insert(header::HOST, host);
        // Through a tunnel the server itself is spoken to.
        let proxy = self.way.proxy.as_ref().filter(|_| self.way.tls.is_none());
        if let Some(proxy) = proxy {
            proxy.absolute(&mut request, &self.uri)?;
        }
        let answer = converse(TokioIo::new(stream), request).await;
        let answer = answer.map_err(|error| Error::request(url, error))?;
        if let Some(proxy) = proxy.filter(|_| is_of_proxy(answer.status())) {
            proxy.check(answer.status(), url)?;
        }
        Ok(answer)
    }

    async fn dial(&self, url: &str) -> Result<BoxStream, Error> {
        let Way { connect, proxy, tls } = &self.way;
        let stream = match (proxy, tls) {
            (None, _) => {
                let stream = connect.connect(&self.uri).await;
                stream.map_err(|error| Error::request(url, error))?
            }
            (Some(proxy), None) => proxy.connect(connect.as_ref()).await?,
            (Some(proxy), Some(_)) => proxy.tunnel(connect.as_ref(), &self.uri).await?,
        };
        let Some(tls) = tls else { return Ok(stream) };
        let secured = tls.secure(stream, self.uri.host().unwrap_or_default()).await;
        secured.map_err(|source| Error::Foreign { url: url.to_owned(), source })
    }
}

/// What a proxy says where it could not ask the server.
fn is_of_proxy(status: StatusCode) -> bool {
    let said = [
        StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        StatusCode::BAD_GATEWAY,
        StatusCode::GATEWAY_TIMEOUT,
    ];
    said.contains(&status)
}

/// One exchange on a connection of its own, which lives as long as the answer is read.
async fn converse(
    stream: TokioIo<BoxStream>,
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
