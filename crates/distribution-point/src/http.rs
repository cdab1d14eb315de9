//! Files over HTTP: by hash on every port, by package and name over TLS.
//!
//! The content library answers; this finds the file that a path names.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
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
    match point.library.open_file(sha256).await {
        Ok(reader) => reader.answer(request).map(Body::from_stream),
        Err(error) => {
            if error.class() == ErrorClass::Corrupt {
                // It is gone now, and fetched again if it is still wanted.
                point.wake.notify_one();
            }
            refuse(&error.into())
        }
    }
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
