//! `/Content/XX/SHA1.ext`: the files of updates to downstream servers and computers.
//!
//! Only files that an update of the catalog names are served, from the content library, which
//! verifies them. What is not here is 404; a downstream server then asks again later.

use axum::body::{Body, Bytes};
use content_library::{Answer, Expected, FileReader, ServedFile, plan_answer};
use futures_util::stream;
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
        Ok(Some((file, reader))) => {
            respond(plan_answer(&request.method, &request.headers, file), reader)
        }
        Ok(None) => not_found(),
        Err(error) => {
            tracing::error!(error = %error_chain(&error), "a file could not be served");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be served now")
        }
    }
}

async fn find(point: &Point, sha1: Sha1) -> Result<Option<(ServedFile, FileReader)>, Error> {
    let Some(named) = point.catalog.file(FileName::Sha1(sha1)).await? else { return Ok(None) };
    let Some(record) = point.library.find(&expected(&named.file)).await? else { return Ok(None) };
    let reader = point.library.open_file(record.sha256).await?;
    Ok(Some((ServedFile { size: record.size, sha256: record.sha256 }, reader)))
}

/// What the library shall check of a file that an update names.
pub(crate) fn expected(file: &model::ItemFile) -> Expected {
    let model::ItemFile { name, size, sha1, sha256 } = file.clone();
    Expected { name, size: Some(size), sha256, sha1: Some(sha1) }
}

fn respond(answer: Answer, reader: FileReader) -> Response<Body> {
    let Answer { status, headers, parts } = answer;
    let parts = parts.into_iter().flat_map(|part| [Piece::Head(part.head), Piece::Of(part.range)]);
    let pieces: Vec<Piece> = parts.rev().collect();
    // A file that cannot be read any more ends the body early, which the client notices.
    let body = stream::try_unfold((pieces, reader), |(mut pieces, reader)| async move {
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
        Ok::<_, content_library::Error>(None)
    });
    let mut response = Response::new(Body::from_stream(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// What is left to send, the next piece last.
enum Piece {
    Head(Bytes),
    Of(std::ops::Range<u64>),
}
