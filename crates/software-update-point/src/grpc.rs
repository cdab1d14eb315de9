//! MetadataService: the catalog's documents for the agents of the hierarchy.
//!
//! Serves whole documents in pages, byte for byte. Before a version is complete there is nothing
//! to serve; after it a follower that reached the last page holds that version, and perhaps what
//! came after it. The anchor of another catalog counts as none. Also tells where publishers offer
//! files to everybody, as the catalog knows it; refuses to know who may fetch them there.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use model::{AssignedFile, ErrorClass, Invalid, Sha256, UpdateId, UpdateRef};
use rpc::limits::{FOUND_FILES_MAX, FOUND_URLS_MAX, MESSAGE_BYTES_MAX, PAGE_BYTES, PAGE_ITEMS};
use rpc::pb::metadata::metadata_service_server::MetadataService;
use rpc::pb::metadata::{
    Document, FindFilesRequest, FindFilesResponse, FollowDocumentsRequest, FollowDocumentsResponse,
    FoundFile, WantedFile,
};
use rpc::status::from_error;
use tonic::{Request, Response, Status};
use update_catalog::{CatalogFile, Change, FileName, StoredDocument};

use crate::Error;
use crate::point::Point;

/// Room in a message for what is beside a document.
const FRAME_BYTES: usize = 1024;

#[derive(Debug)]
pub(crate) struct Metadata(pub(crate) Arc<Point>);

type Pages = Pin<Box<dyn Stream<Item = Result<FollowDocumentsResponse, Status>> + Send>>;

#[tonic::async_trait]
impl MetadataService for Metadata {
    type FollowDocumentsStream = Pages;

    async fn follow_documents(
        &self,
        request: Request<FollowDocumentsRequest>,
    ) -> Result<Response<Pages>, Status> {
        let FollowDocumentsRequest { server_id, anchor } = request.into_inner();
        let since = if server_id == self.0.server_id.as_bytes() { anchor } else { 0 };
        let start = (self.0.clone(), Some(since));
        let pages = stream::try_unfold(start, |(point, since)| async move {
            let Some(since) = since else { return Ok::<_, Error>(None) };
            let (messages, next) = point.follow(since).await?;
            Ok(Some((stream::iter(messages).map(Ok), (point, next))))
        });
        let refuse = |error: Error| from_error(error.class(), &error);
        Ok(Response::new(Box::pin(pages.try_flatten().map_err(refuse))))
    }

    async fn find_files(
        &self,
        request: Request<FindFilesRequest>,
    ) -> Result<Response<FindFilesResponse>, Status> {
        let FindFilesRequest { files } = request.into_inner();
        let wanted = read_wanted(files).map_err(|error| from_error(ErrorClass::Invalid, &error))?;
        let mut files = Vec::new();
        for (update, file) in wanted {
            let offers = self.0.offers(update, &file).await;
            let urls = offers.map_err(|error| from_error(error.class(), &error))?;
            if !urls.is_empty() {
                files.push(FoundFile { sha256: file.sha256.0.to_vec(), urls });
            }
        }
        Ok(Response::new(FindFilesResponse { files }))
    }
}

fn read_wanted(files: Vec<WantedFile>) -> Result<Vec<(UpdateRef, AssignedFile)>, Invalid> {
    if files.len() > FOUND_FILES_MAX {
        let reason = format!("are {}; ask for {FOUND_FILES_MAX} at once", files.len());
        return Err(Invalid::new("files", reason));
    }
    let read = |WantedFile { update, revision, name, size, sha256 }| {
        let update = UpdateRef { id: UpdateId::from_slice(&update)?, revision };
        Ok((update, AssignedFile { name, size, sha256: Sha256::from_slice(&sha256)? }))
    };
    files.into_iter().map(read).collect()
}

impl Point {
    /// Where a file of an update is offered to everybody, over TLS first.
    async fn offers(&self, update: UpdateRef, file: &AssignedFile) -> Result<Vec<String>, Error> {
        let is_it = |known: &CatalogFile| match known.file.sha256 {
            Some(sha256) => sha256 == file.sha256,
            None => (&known.file.name, known.file.size) == (&file.name, file.size),
        };
        let known = match self.catalog.files(update).await?.into_iter().find(is_it) {
            Some(known) => Some(known),
            // Another revision may have it.
            None => self.catalog.file(FileName::Sha256(file.sha256)).await?,
        };
        let mut urls = known.map(|known| known.sources).unwrap_or_default();
        urls.sort_by_key(|url| !url.starts_with("https://"));
        urls.truncate(FOUND_URLS_MAX);
        Ok(urls)
    }

    /// The messages of one page, and where the next one begins.
    async fn follow(
        &self,
        since: u64,
    ) -> Result<(Vec<FollowDocumentsResponse>, Option<u64>), Error> {
        let server_id = self.server_id.as_bytes().to_vec();
        let empty = |anchor| FollowDocumentsResponse {
            server_id: server_id.clone(),
            anchor,
            ..FollowDocumentsResponse::default()
        };
        if self.catalog.state().await?.version.is_none() {
            return Ok((vec![FollowDocumentsResponse { done: true, ..empty(since) }], None));
        }
        let page = self.catalog.changed_documents(since).await?;
        let mut messages = vec![empty(since)];
        let mut bytes = 0;
        for change in page.changes {
            let size = change.content.as_ref().map_or(0, |document| document.xml.len());
            let last = messages.last().expect("there is always one");
            if last.documents.len() == PAGE_ITEMS || (bytes > 0 && bytes + size > PAGE_BYTES) {
                messages.push(empty(last.anchor));
                bytes = 0;
            }
            bytes += size;
            put(messages.last_mut().expect("there is always one"), change);
        }
        let last = messages.last_mut().expect("there is always one");
        let next = (!page.is_last).then_some(last.anchor);
        last.done = page.is_last;
        last.version = page.version.map_or(0, |version| version.version);
        Ok((messages, next))
    }
}

fn put(message: &mut FollowDocumentsResponse, change: Change<StoredDocument>) {
    let (id, revision) = (change.update.id.as_bytes().to_vec(), change.update.revision);
    message.anchor = change.number;
    if change.is_declined && change.content.is_some() {
        message.declined.push(id.clone());
    }
    match change.content {
        Some(document) if document.xml.len() + FRAME_BYTES > MESSAGE_BYTES_MAX => {
            tracing::warn!(update.id = %change.update.id, class = ?ErrorClass::Exhausted,
                "a document is too large for agents and was left out");
        }
        Some(document) => message.documents.push(Document { id, revision, xml: document.xml }),
        None => message.removed.push(id),
    }
}
