//! Files over HTTP: by hash on every port, by package and name over TLS.
//!
//! The answer is planned by the content library; this only moves bytes, a piece at a time.

use std::ops::Range;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use content_library::{Answer, FileReader, ServedFile, plan_answer};
use futures_util::stream;
use http::request::Parts;
use http::{Request, StatusCode};
use model::{ErrorClass, Sha256, error_chain};

use crate::Error;
use crate::point::Point;

/// The plain port: only what its own name verifies.
pub(crate) fn plain_router(point: Arc<Point>) -> Router {
    Router::new().route("/content/sha256/{sha256}", any(by_hash)).with_state(point)
}

pub(crate) fn tls_router(point: Arc<Point>) -> Router {
    let by_name = Router::new().route("/content/{package}/{version}/{file}", any(by_name));
    plain_router(point.clone()).merge(by_name.with_state(point))
}

async fn by_hash(
    State(point): State<Arc<Point>>,
    Path(sha256): Path<String>,
    request: Request<Body>,
) -> Response {
    match sha256.parse() {
        Ok(sha256) => serve(&point, sha256, &request.into_parts().0).await,
        Err(_) => not_found(),
    }
}

async fn by_name(
    State(point): State<Arc<Point>>,
    Path((package, version, file)): Path<(String, u32, String)>,
    request: Request<Body>,
) -> Response {
    match point.manifests.find(package, version, file).await {
        Ok(Some(sha256)) => serve(&point, sha256, &request.into_parts().0).await,
        Ok(None) => not_found(),
        Err(error) => refuse(&error.into()),
    }
}

async fn serve(point: &Point, sha256: Sha256, request: &Parts) -> Response {
    let reader = match point.library.open_file(sha256).await {
        Ok(reader) => reader,
        Err(error) => {
            if error.class() == ErrorClass::Corrupt {
                // It is gone now, and fetched again if it is still wanted.
                point.wake.notify_one();
            }
            return refuse(&error.into());
        }
    };
    let file = ServedFile { size: reader.size(), sha256 };
    let Answer { status, headers, parts } = plan_answer(&request.method, &request.headers, file);
    let pieces = parts.into_iter().flat_map(|part| [Piece::Head(part.head), Piece::Of(part.range)]);
    let pieces: Vec<Piece> = pieces.rev().collect();
    let mut response = Response::new(Body::from_stream(stream::try_unfold((pieces, reader), next)));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// What is left to send, the next piece last.
enum Piece {
    Head(Bytes),
    Of(Range<u64>),
}

/// A file that cannot be read any more ends the body early, which the client notices.
async fn next(
    (mut pieces, reader): (Vec<Piece>, FileReader),
) -> Result<Option<(Bytes, (Vec<Piece>, FileReader))>, content_library::Error> {
    while let Some(piece) = pieces.pop() {
        match piece {
            Piece::Head(head) if !head.is_empty() => return Ok(Some((head, (pieces, reader)))),
            Piece::Of(range) if !range.is_empty() => {
                let bytes = reader.read(range.clone()).await?;
                pieces.push(Piece::Of(range.start + bytes.len() as u64..range.end));
                return Ok(Some((bytes, (pieces, reader))));
            }
            Piece::Head(_) | Piece::Of(_) => {}
        }
    }
    Ok(None)
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "there is no such file here\n").into_response()
}

fn refuse(error: &Error) -> Response {
    if error.class() == ErrorClass::NotFound {
        return not_found();
    }
    tracing::error!(error = %error_chain(error), "a file was not served");
    let code = StatusCode::from_u16(rpc::status::http(error.class()));
    let code = code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (code, "the file cannot be served now\n").into_response()
}
