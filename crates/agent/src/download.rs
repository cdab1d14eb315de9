//! Fetching files from distribution points.
//!
//! Owns the order of points, resuming and who is to blame. Refuses to know what files are for. A
//! file is in the content cache only if size and SHA-256 are those of policy; a point that serves
//! other bytes is left for the next one.

use content_library::{Begun, ContentLibrary, Receipt, ask_from, first_byte};
use futures_util::StreamExt as _;
use futures_util::stream;
use http_body_util::BodyExt as _;
use model::{AssignedFile, ErrorClass, ServerRef, Timestamp, error_chain};
use tonic::body::Body;
use tower::ServiceExt as _;

use crate::Error;
use crate::servers::Servers;
use crate::summary::Refusals;

/// What a download works with.
#[derive(Clone, Copy)]
pub(crate) struct Downloads<'a> {
    pub(crate) servers: &'a Servers,
    pub(crate) library: &'a ContentLibrary,
    pub(crate) refusals: &'a Refusals,
    pub(crate) now: Timestamp,
}

impl Downloads<'_> {
    /// Fetches one file from the first point that gives it; an error tells why none did.
    pub(crate) async fn fetch(
        &self,
        file: &AssignedFile,
        points: &[ServerRef],
    ) -> Result<(), Option<Error>> {
        let mut last = None;
        let urls = |point: &ServerRef| [point.http_url.clone(), point.url.clone()];
        let sources = points.iter().flat_map(|point| urls(point).map(|url| (point, url)));
        for (point, url) in sources.filter(|(_, url)| !url.is_empty()) {
            let error = match (Source { with: *self, point, url: &url }).give(file).await {
                Ok(()) => {
                    tracing::info!(url, file.name, %file.sha256, "a file was fetched");
                    return Ok(());
                }
                Err(error) => error,
            };
            let reason = error_chain(&error);
            match error.class() {
                _ if matches!(error, Error::Stopping) => return Err(Some(error)),
                ErrorClass::Corrupt => self.refusals.note(&url, &reason, self.now),
                _ => tracing::info!(url, file.name, reason, "a file was not fetched"),
            }
            // That one serves other bytes is more to know than that another is away.
            last = last.filter(|last: &Error| last.class() == ErrorClass::Corrupt).or(Some(error));
        }
        Err(last)
    }
}

struct Source<'a> {
    with: Downloads<'a>,
    point: &'a ServerRef,
    url: &'a str,
}

impl Source<'_> {
    async fn give(&self, file: &AssignedFile) -> Result<(), Error> {
        loop {
            let Begun::Receiving(mut receipt) = self.with.library.begin(file.into()).await? else {
                return Ok(());
            };
            let is_resumed = receipt.offset() > 0;
            let received = match self.receive(file, &mut receipt).await {
                Ok(()) => receipt.finish().await.map(drop).map_err(Error::from),
                failed => failed,
            };
            match received {
                // What was here before may have come from somebody else, and is dropped now: this
                // point is asked for all of it before it is blamed.
                Err(Error::Content(error)) if is_resumed && is_corrupt(&error) => {}
                received => return received,
            }
        }
    }

    async fn receive(&self, file: &AssignedFile, receipt: &mut Receipt) -> Result<(), Error> {
        let (servers, offset) = (self.with.servers, receipt.offset());
        if offset == file.size {
            return Ok(());
        }
        let url = || self.url.to_owned();
        let request = ask_from(&format!("/content/sha256/{}", file.sha256), offset);
        let request = request.body(Body::empty()).expect("a digest makes a good path");
        let channel = servers.connection(self.point, self.url)?.channel();
        let answer = servers.bounded(self.url, channel.oneshot(request)).await?;
        let answer = answer.map_err(|source| Error::Reach { url: url(), source })?;
        let Some(start) = first_byte(&answer, offset) else {
            return Err(Error::Fetch { url: url(), status: answer.status().as_u16() });
        };
        let body = answer.into_body().into_data_stream();
        let pieces = stream::try_unfold(body, async |mut body| {
            let piece = servers.bounded(self.url, body.next()).await?.transpose();
            let piece = piece.map_err(Error::call(self.url))?;
            Ok::<_, Error>(piece.map(|piece| (piece, body)))
        });
        receipt.receive(start, pieces).await?;
        match receipt.offset() {
            offset if offset < file.size => {
                Err(Error::CutOff { url: url(), name: file.name.clone(), offset })
            }
            _ => Ok(()),
        }
    }
}

fn is_corrupt(error: &content_library::Error) -> bool {
    error.class() == ErrorClass::Corrupt
}
