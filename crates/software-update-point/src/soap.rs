//! The update protocols over HTTP: which operation a request asks for, and how its answer travels.
//!
//! Owns addresses, methods and SOAP actions, the size of requests, compression, and how a refusal
//! becomes a fault. Refuses to know ports and TLS, and what an operation does. What cannot be
//! answered is a fault with a documented code; our own failures are logged and become
//! `InternalServerError`.

use std::convert::Infallible;

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use futures_util::stream;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use model::error_chain;
use transport::Peer;
use wsus_protocol::{
    Endpoint, ErrorCode, Fault, Message, RevisionIdList, Service, SoapVersion, decode, encode,
    normalize_path, xpress,
};

use crate::computers::Asker;
use crate::point::Point;
use crate::{Error, computers, limits, reporting, server_sync};

/// The name of the compression in headers.
pub(crate) const XPRESS: HeaderValue = HeaderValue::from_static("xpress");

/// Why there is no answer but a fault.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The code and what it says of the request.
    Fault(ErrorCode, String),
    Request(wsus_protocol::Error),
    Internal(Error),
}

impl<E: Into<Error>> From<E> for Refused {
    fn from(error: E) -> Refused {
        Refused::Internal(error.into())
    }
}

impl Refused {
    /// `parameter` is to blame, if not empty.
    pub(crate) fn with(code: ErrorCode, parameter: &str) -> Refused {
        Refused::Fault(code, parameter.to_owned())
    }

    pub(crate) fn parameter(parameter: &str) -> Refused {
        Refused::with(ErrorCode::InvalidParameters, parameter)
    }

    fn into_fault(self, point: &Point, endpoint: Endpoint) -> Fault {
        let id = point.ambient.random_id();
        match self {
            Refused::Request(error) => Fault::of_request(&error, id, endpoint),
            Refused::Fault(code, message) => Fault::new(code, &message, id, endpoint),
            Refused::Internal(error) => {
                let error = error_chain(&error);
                tracing::error!(%error, fault.id = %id, "an update request failed");
                Fault::new(ErrorCode::InternalServerError, "", id, endpoint)
            }
        }
    }
}

/// What an operation answers.
#[derive(Debug)]
pub(crate) enum Answer {
    Whole(String),
    /// A step of a scan: what stands around its new updates, and these.
    Page(String, Bytes, String),
    /// The one answer that may be too large to be held as text.
    List(RevisionIdList),
}

impl Answer {
    pub(crate) fn of<M: Message>(message: &M) -> Answer {
        Answer::Whole(encode(message))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Xpress,
}

impl Packing {
    /// What the caller can read.
    fn accepted(headers: &HeaderMap) -> Packing {
        let offers = headers.get_all(header::ACCEPT_ENCODING).iter();
        let mut offers =
            offers.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        match offers.any(|offer| offer.trim().eq_ignore_ascii_case("xpress")) {
            true => Packing::Xpress,
            false => Packing::Plain,
        }
    }

    fn pack(self, body: Vec<u8>) -> Vec<u8> {
        match self {
            Packing::Plain => body,
            Packing::Xpress => xpress::compress(&body),
        }
    }
}

pub(crate) fn read<M: Message>(body: &[u8]) -> Result<M, Refused> {
    decode(body).map_err(Refused::Request)
}

/// `scheme` is that of the port the request came by.
pub(crate) async fn serve(point: &Point, scheme: &str, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let root = root(scheme, &head);
    let address = head.extensions.get::<Peer>().and_then(Peer::ip);
    let asker = Asker { root: &root, address };
    let (path, headers) = (head.uri.path(), &head.headers);
    let Some(service) = service_at(path) else {
        return plain(StatusCode::NOT_FOUND, "there is no service at this address");
    };
    if head.method != Method::POST {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "operations are called by POST");
    }
    let Ok(body) = to_bytes(body, limits::REQUEST_BYTES_MAX).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large or broke off");
    };
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let content_type = text("Content-Type").unwrap_or_default();
    let version = SoapVersion::of(content_type);
    let action = text("SOAPAction").unwrap_or_default();
    let outcome = match version.endpoint(path, action, content_type, &body) {
        Some(endpoint) => respond(point, endpoint, &asker, &body).await,
        None => {
            let unknown = Endpoint { service, name: "" };
            Err(Refused::parameter("SOAPAction").into_fault(point, unknown))
        }
    };
    match outcome {
        Ok(answer) => answered(answer, Packing::accepted(headers), version),
        Err(fault) => {
            let text = match version {
                SoapVersion::V11 => fault.encode(&format!("{root}{path}")),
                SoapVersion::V12 => fault.encode_12(),
            };
            soap(StatusCode::INTERNAL_SERVER_ERROR, Body::from(text), version)
        }
    }
}

fn service_at(path: &str) -> Option<Service> {
    let path = normalize_path(path);
    let is_there = |service: Service| service.paths().iter().any(|p| path.eq_ignore_ascii_case(p));
    Endpoint::all().map(|endpoint| endpoint.service).find(|service| is_there(*service))
}

async fn respond(
    point: &Point,
    endpoint: Endpoint,
    asker: &Asker<'_>,
    body: &[u8],
) -> Result<Answer, Fault> {
    let outcome = match endpoint.service {
        _ if computers::is_theirs(endpoint) => {
            computers::answer(point, endpoint, asker, body).await
        }
        Service::ServerSync | Service::DssAuth => server_sync::answer(point, endpoint, body).await,
        Service::Monitor => point.ping(body),
        Service::Reporting => reporting::answer(point, endpoint, body),
        Service::Client | Service::SimpleAuth => Err(not_served()),
    };
    outcome.map_err(|refused| refused.into_fault(point, endpoint))
}

/// For an operation that exists and is not answered here.
pub(crate) fn not_served() -> Refused {
    Refused::with(ErrorCode::InternalServerError, "")
}

fn answered(answer: Answer, packing: Packing, version: SoapVersion) -> Response<Body> {
    let mut response = soap(StatusCode::OK, Body::empty(), version);
    let headers = response.headers_mut();
    if packing == Packing::Xpress {
        headers.insert(header::CONTENT_ENCODING, XPRESS);
    }
    *response.body_mut() = match answer {
        Answer::Whole(body) => Body::from(packing.pack(version.frame(body).into_bytes())),
        Answer::Page(before, page, after) => {
            let pieces = [version.frame(before).into(), page, after.into()];
            if packing == Packing::Plain {
                // Of a body in pieces the length would not be known.
                let length = pieces.iter().map(Bytes::len).sum::<usize>();
                headers.insert(header::CONTENT_LENGTH, length.into());
                Body::from_stream(stream::iter(pieces.map(Ok::<_, Infallible>)))
            } else {
                Body::from(packing.pack(pieces.concat()))
            }
        }
        Answer::List(list) => list_body(list, packing, version),
    };
    response
}

/// A long list is made while it is sent; a short one travels with its length, as every answer of
/// the original server does.
pub(crate) fn list_body(list: RevisionIdList, packing: Packing, version: SoapVersion) -> Body {
    let is_long = list.revisions.len() > limits::LIST_WHOLE_MAX;
    let pieces = list.into_pieces().map(move |piece| version.frame(piece));
    let pieces = pieces.map(move |piece| packing.pack(piece.into_bytes()));
    match is_long {
        true => Body::from_stream(stream::iter(pieces.map(Ok::<_, Infallible>))),
        false => Body::from(pieces.collect::<Vec<_>>().concat()),
    }
}

/// This server, as the caller addressed it.
fn root(scheme: &str, head: &Parts) -> String {
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| head.uri.authority().map(|authority| authority.as_str()));
    format!("{scheme}://{}", host.unwrap_or("localhost"))
}

fn soap(status: StatusCode, body: Body, version: SoapVersion) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(version.content_type());
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    let private = HeaderValue::from_static("private, max-age=0");
    response.headers_mut().insert(header::CACHE_CONTROL, private);
    response
}

pub(crate) fn plain(status: StatusCode, reason: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(reason));
    *response.status_mut() = status;
    response
}
