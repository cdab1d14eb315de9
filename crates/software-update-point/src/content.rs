//! `/Content/XX/SHA1.ext`: the files of updates to downstream servers and computers.
//!
//! Only files that an update of the catalog names are served, from the content library, which
//! verifies them. What is not here is 404; a downstream server then asks again later.

use axum::body::Body;
use content_library::FileReader;
use http::request::Parts;
use http::{Response, StatusCode};
use model::{Sha1, error_chain};
use update_catalog::FileName;
use wsus_protocol::parse_content_path;

use crate::Error;
use crate::point::Point;
use crate::soap::plain;

pub(crate) async fn serve(point: &Point, request: Parts) -> Response<Body> {
    let not_found = || plain(StatusCode::NOT_FOUND, "there is no such file here");
    let Some(sha1) = parse_content_path(request.uri.path()) else { return not_found() };
    match find(point, Sha1(sha1)).await {
        Ok(Some(reader)) => reader.answer(&request).map(Body::from_stream),
        Ok(None) => not_found(),
        Err(error) => {
            tracing::error!(error = %error_chain(&error), "a file could not be served");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be served now")
        }
    }
}

async fn find(point: &Point, sha1: Sha1) -> Result<Option<FileReader>, Error> {
    let Some(named) = point.catalog.file(FileName::Sha1(sha1)).await? else { return Ok(None) };
    let Some(record) = point.library.find(&(&named.file).into()).await? else { return Ok(None) };
    Ok(Some(point.library.open_file(record.sha256).await?))
}
