//! Fetching files from distribution points.
//!
//! Owns the order of points, resuming and who is to blame. Refuses to know what files are for. A
//! file is in the content cache only if size and SHA-256 are those of policy; a point that serves
//! other bytes is left for the next one.

use content_library::{Begun, ContentLibrary, Expected, Receipt};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use model::{AssignedFile, ErrorClass, ServerRef, Timestamp, error_chain};
use tonic::body::Body;
use tower::ServiceExt as _;

use crate::Error;
use crate::limits::{CALL_MAX, SILENCE_MAX};
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
    /// Fetches one file from the first point that gives it. The last error tells why none did.
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
            last = Some(error);
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
    /// What was received before may come from somebody else: if the whole is not what it should
    /// be, this point is asked for all of it before it is blamed.
    async fn give(&self, file: &AssignedFile) -> Result<(), Error> {
        match self.attempt(file).await {
            Err((true, error)) if error.class() == ErrorClass::Corrupt => {
                self.attempt(file).await.map_err(|(_, error)| error)
            }
            result => result.map_err(|(_, error)| error),
        }
    }

    /// An error says whether the receipt was resumed.
    async fn attempt(&self, file: &AssignedFile) -> Result<(), (bool, Error)> {
        let expected = Expected {
            name: file.name.clone(),
            size: Some(file.size),
            sha256: Some(file.sha256),
            sha1: None,
        };
        let begun = self.with.library.begin(expected).await.map_err(|e| (false, e.into()))?;
        let Begun::Receiving(mut receipt) = begun else { return Ok(()) };
        let is_resumed = receipt.offset() > 0;
        let received = self.receive(file, &mut receipt).await;
        received.map_err(|error| (is_resumed, error))?;
        let finished = receipt.finish().await;
        finished.map(drop).map_err(|error| (is_resumed, error.into()))
    }

    async fn receive(&self, file: &AssignedFile, receipt: &mut Receipt) -> Result<(), Error> {
        if receipt.offset() == file.size {
            return Ok(());
        }
        let (response, mut offset) = self.request(file, receipt.offset()).await?;
        let mut body = response.into_body();
        loop {
            let frame = self.with.servers.bounded(self.url, SILENCE_MAX, body.frame()).await?;
            let Some(frame) = frame else { break };
            let frame = frame.map_err(Error::call(self.url))?;
            let Ok(mut bytes) = frame.into_data() else { continue };
            // A whole answer to a request for the rest begins with what is here already.
            let known = receipt.offset().saturating_sub(offset).min(bytes.len() as u64);
            offset += bytes.len() as u64;
            let bytes = bytes.split_off(usize::try_from(known).unwrap_or(bytes.len()));
            if !bytes.is_empty() {
                receipt.write(receipt.offset(), bytes).await?;
            }
        }
        if receipt.offset() < file.size {
            let (url, name) = (self.url.to_owned(), file.name.clone());
            return Err(Error::CutOff { url, name, offset: receipt.offset() });
        }
        Ok(())
    }

    /// The answer, and the offset of its first byte.
    async fn request(
        &self,
        file: &AssignedFile,
        offset: u64,
    ) -> Result<(Response<Body>, u64), Error> {
        let mut request =
            Request::builder().method(Method::GET).uri(format!("/content/sha256/{}", file.sha256));
        if offset > 0 {
            request = request.header(header::RANGE, format!("bytes={offset}-"));
        }
        let request = request.body(Body::empty()).expect("a digest makes a good path");
        let channel = self.with.servers.connection(self.point, self.url)?.channel();
        let answer =
            self.with.servers.bounded(self.url, CALL_MAX, channel.oneshot(request)).await?;
        let unreachable = |source| Error::Reach { url: self.url.to_owned(), source };
        let response = answer.map_err(unreachable)?;
        let starts_there = |response: &Response<Body>| {
            let range = response.headers().get(header::CONTENT_RANGE);
            let range = range.and_then(|range| range.to_str().ok());
            range.is_some_and(|range| range.starts_with(&format!("bytes {offset}-")))
        };
        match response.status() {
            StatusCode::OK => Ok((response, 0)),
            StatusCode::PARTIAL_CONTENT if starts_there(&response) => Ok((response, offset)),
            status => Err(Error::Fetch { url: self.url.to_owned(), status: status.as_u16() }),
        }
    }
}
