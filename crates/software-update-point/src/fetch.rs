//! Fetching the files of updates into the content library, and handing them to the site.
//!
//! Owns where a file is looked for: at the source of synchronization by its digest, then wherever
//! the catalog says it is offered. A file that breaks off is resumed by the next attempt; size
//! and digests are checked by the library before it is visible. Fails with every address tried
//! and why.

use axum::body::Body;
use bytes::Bytes;
use content_library::{Begun, FileRecord, Receipt, ask_from, first_byte};
use futures_util::future::ready;
use futures_util::stream::{self, StreamExt as _};
use http::Response;
use model::{ItemFile, UpdateId, error_chain};
use rpc::pb::content::content_service_client::ContentServiceClient;
use rpc::pb::content::{UploadFileRequest, UploadHeader, upload_file_request::Part};
use transport::Connection;
use update_catalog::FileName;
use wsus_protocol::content_path;

use crate::outside::Purpose;
use crate::point::Point;
use crate::synchronize::Source;
use crate::web::within;
use crate::{Error, limits};

/// Where a file may be had.
#[derive(Debug)]
enum Place {
    /// Under a path of what this update point synchronizes with.
    Source(Source, String),
    Public(String),
}

impl Point {
    /// The file, from wherever it can be had.
    pub(crate) async fn fetch_file(&self, file: &ItemFile) -> Result<FileRecord, Error> {
        self.fetch_from(file, self.places(file).await?).await
    }

    /// The file, from where its publisher offers it.
    pub(crate) async fn fetch_offered(
        &self,
        file: &ItemFile,
        urls: Vec<String>,
    ) -> Result<FileRecord, Error> {
        self.fetch_from(file, urls.into_iter().map(Place::Public).collect()).await
    }

    async fn fetch_from(&self, file: &ItemFile, places: Vec<Place>) -> Result<FileRecord, Error> {
        let mut tried = Vec::new();
        for place in places {
            let receipt = match self.library.begin(file.into()).await? {
                Begun::Present(record) => return Ok(record),
                Begun::Receiving(receipt) => receipt,
            };
            match self.receive(&place, receipt, file.size).await {
                Ok(record) => return Ok(record),
                Err(error) => tried.push(error_chain(&error)),
            }
        }
        if let Some(record) = self.library.find(&file.into()).await? {
            return Ok(record);
        }
        if tried.is_empty() {
            tried.push("no server is known that offers it".to_owned());
        }
        Err(Error::NoSource { name: file.name.clone(), tried: tried.join("; ") })
    }

    async fn places(&self, file: &ItemFile) -> Result<Vec<Place>, Error> {
        let mut places = Vec::new();
        if let Some(source) = self.source().await? {
            places.push(Place::Source(source, content_path(&file.sha1.0, &file.name)));
        }
        let named = self.catalog.file(FileName::Sha1(file.sha1)).await?;
        places.extend(named.into_iter().flat_map(|named| named.sources).map(Place::Public));
        Ok(places)
    }

    async fn receive(
        &self,
        place: &Place,
        mut receipt: Receipt,
        size: u64,
    ) -> Result<FileRecord, Error> {
        if receipt.offset() < size {
            let (url, answer) = self.ask(place, receipt.offset()).await?;
            take(&url, answer, &mut receipt, size).await?;
        }
        receipt.finish().await.map_err(|error| {
            tracing::warn!(?place, error = %error_chain(&error), "a file was refused");
            error.into()
        })
    }

    async fn ask(&self, place: &Place, offset: u64) -> Result<(String, Response<Body>), Error> {
        match place {
            Place::Public(url) => self.get(url, offset).await,
            Place::Source(source, path) => {
                let web = self.web(source, Purpose::Download)?;
                let url = web.url(path);
                let request = ask_from(path, offset).body(Bytes::new());
                let request = request.map_err(|_| Error::Url { url: url.clone() })?;
                Ok((url, web.send(request).await?))
            }
        }
    }

    /// Hands a file to the site that asked for it.
    pub(crate) async fn upload(
        &self,
        site: &Connection,
        update: UpdateId,
        file: &ItemFile,
    ) -> Result<(), Error> {
        let record = self.fetch_file(file).await?;
        let reader = self.library.open_file(record.sha256).await?;
        let header = Part::Header(UploadHeader {
            update: Bytes::copy_from_slice(update.as_bytes()),
            sha1: Bytes::copy_from_slice(&file.sha1.0),
            size: file.size,
            sha256: file.sha256.map(|digest| Bytes::copy_from_slice(&digest.0)),
        });
        // Reading that fails ends the upload early; the site refuses what is too short.
        let pieces = reader.pieces(0..reader.size()).filter_map(|bytes| ready(bytes.ok()));
        let parts = stream::iter([header]).chain(pieces.map(Part::Data));
        let requests = parts.map(|part| UploadFileRequest { part: Some(part) });
        let mut client = ContentServiceClient::new(site.channel());
        client.upload_file(requests).await.map_err(|status| Error::Site(Box::new(status)))?;
        Ok(())
    }
}

async fn take(
    url: &str,
    answer: Response<Body>,
    receipt: &mut Receipt,
    size: u64,
) -> Result<(), Error> {
    let Some(start) = first_byte(&answer, receipt.offset()) else {
        return Err(Error::HttpStatus { url: url.to_owned(), status: answer.status().as_u16() });
    };
    let body = answer.into_body().into_data_stream();
    let pieces = stream::try_unfold(body, async |mut body| {
        let piece = within(limits::SILENCE_MAX, url, body.next()).await?.transpose();
        let piece = piece.map_err(|error| Error::request(url, error))?;
        Ok::<_, Error>(piece.map(|piece| (piece, body)))
    });
    receipt.receive(start, pieces).await?;
    match receipt.offset() {
        received if received < size => {
            Err(Error::ShortFile { url: url.to_owned(), received, expected: size })
        }
        _ => Ok(()),
    }
}
