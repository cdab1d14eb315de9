//! The catalog on its way out, as a bundle (SYNC-24).
//!
//! Owns the order of its parts: page after page of what changed, each with where its files can be
//! had, its license texts, and, if asked for, the files that are here. Everything leaves as it is
//! read, so that memory holds one page. Refuses to sign: the site does, over the manifest that
//! comes last. Fails if the catalog is not the set of updates of a complete version.

use std::collections::BTreeSet;

use catalog_bundle::{
    Content, MAGIC, Manifest, Part, encode_documents, encode_removed, encode_sources,
};
use futures_util::TryStreamExt as _;
use model::{ItemFile, Sha1, Timestamp, error_chain};
use rpc::limits::IMPORT_PART_BYTES;
use rpc::pb::update_point as pb;
use rpc::pb::update_point::session_request::Frame as Answer;
use update_catalog::{Exported, StoredDocument};
use update_metadata::license_files;

use crate::order::shortened;
use crate::point::Point;
use crate::session::Answers;
use crate::{Error, limits};

impl Point {
    /// Sends the bundle that the order asks for, up to its manifest; the answer is the manifest.
    pub(crate) async fn export(
        &self,
        order: pb::Export,
        answers: &Answers,
    ) -> Result<Answer, Error> {
        let pb::Export { order, since, content } = order;
        let mut outgoing = Outgoing {
            point: self,
            answers,
            order,
            has_content: content,
            buffer: MAGIC.to_vec(),
            manifest: self.manifest(since).await?,
            bytes: 0,
            files: BTreeSet::new(),
            missing: Vec::new(),
        };
        let (anchor, mut reached) = (outgoing.manifest.anchor, since);
        loop {
            let page = self.catalog.export(reached).await?;
            reached = page.anchor;
            let is_last = page.is_last;
            outgoing.page(page).await?;
            if is_last {
                break;
            }
        }
        if self.catalog.state().await?.changes != anchor {
            return Err(Error::Export { reason: "the catalog changed meanwhile; export again" });
        }
        outgoing.finish().await
    }

    /// The manifest of a bundle without parts.
    async fn manifest(&self, since: u64) -> Result<Manifest, Error> {
        let state = self.catalog.state().await?;
        let reason =
            "its catalog is not a complete version; synchronize first: `tierline sync run`";
        let Some((version, _)) = state.version else { return Err(Error::Export { reason }) };
        if self.update_set().await?.digest != version.set_digest {
            return Err(Error::Export { reason });
        }
        if since > state.changes {
            return Err(Error::ExportSince { since, anchor: state.changes });
        }
        Ok(Manifest {
            server_id: self.server_id,
            server_name: self.config.name.clone(),
            made_at: Timestamp(self.ambient.now_ms()),
            since,
            anchor: state.changes,
            version: version.version,
            items: version.items,
            set_digest: version.set_digest,
            parts: Vec::new(),
        })
    }
}

/// A bundle being sent.
struct Outgoing<'a> {
    point: &'a Point,
    answers: &'a Answers,
    order: u64,
    has_content: bool,
    /// Not sent yet; less than a message.
    buffer: Vec<u8>,
    manifest: Manifest,
    /// Of all parts together.
    bytes: u64,
    /// Files that are in it.
    files: BTreeSet<Sha1>,
    /// License texts that could not be had.
    missing: Vec<String>,
}

impl Outgoing<'_> {
    async fn page(&mut self, page: Exported) -> Result<(), Error> {
        let Exported { documents, removed, mut files, .. } = page;
        let licenses = licenses(&documents);
        let named = files.iter().chain(&licenses).map(|file| file.sha1);
        let sources = self.point.catalog.sources(named.collect()).await?;
        for sources in sources.chunks(limits::EXPORTED_SOURCES_MAX) {
            let content = Content::Sources { count: sources.len() as u64 };
            self.part(content, &encode_sources(sources)?).await?;
        }
        if !removed.is_empty() {
            let content = Content::Removed { count: removed.len() as u64 };
            self.part(content, &encode_removed(&removed)).await?;
        }
        if !documents.is_empty() {
            let texts = documents.iter().map(|document| document.xml.as_str());
            let content = Content::Documents { count: documents.len() as u64 };
            self.part(content, &encode_documents(texts)?).await?;
        }
        for license in licenses {
            let is_here = self.point.library.find(&(&license).into()).await?.is_some();
            // Where there is no line each would be waited for in vain.
            if !is_here && self.missing.len() >= limits::EXPORT_MISSED_MAX {
                self.missing
                    .push(format!("license text {}: not looked for any more", license.name));
                continue;
            }
            if let Err(error) = self.point.fetch_file(&license).await {
                self.missing.push(error_chain(&error));
                continue;
            }
            self.file(&license).await?;
        }
        files.retain(|_| self.has_content);
        for file in files {
            self.file(&file).await?;
        }
        Ok(())
    }

    async fn part(&mut self, content: Content, bytes: &[u8]) -> Result<(), Error> {
        self.add(Part::of(content, bytes))?;
        self.send(bytes).await;
        Ok(())
    }

    /// A file, if it is here and not in the bundle yet.
    async fn file(&mut self, file: &ItemFile) -> Result<(), Error> {
        let library = &self.point.library;
        let Some(record) = library.find(&file.into()).await? else { return Ok(()) };
        if !self.files.insert(file.sha1) {
            return Ok(());
        }
        let reader = library.open_file(record.sha256).await?;
        let name: String = file.name.chars().take(limits::EXPORTED_NAME_MAX).collect();
        let content = Content::File { name, sha1: file.sha1 };
        self.add(Part { content, size: reader.size(), sha256: record.sha256 })?;
        let mut pieces = std::pin::pin!(reader.pieces(0..reader.size()));
        while let Some(piece) = pieces.try_next().await? {
            self.send(&piece).await;
        }
        Ok(())
    }

    fn add(&mut self, part: Part) -> Result<(), Error> {
        self.bytes += part.size;
        self.manifest.parts.push(part);
        let is_large = self.bytes > catalog_bundle::limits::PARTS_BYTES_MAX
            || self.manifest.parts.len() > catalog_bundle::limits::PARTS_MAX;
        let reason = "it is larger than 4 GiB or 100,000 files; export without content, or since a \
                      later anchor";
        if is_large { Err(Error::Export { reason }) } else { Ok(()) }
    }

    async fn send(&mut self, mut bytes: &[u8]) {
        while self.buffer.len() + bytes.len() >= IMPORT_PART_BYTES {
            let (fits, rest) = bytes.split_at(IMPORT_PART_BYTES - self.buffer.len());
            self.buffer.extend(fits);
            bytes = rest;
            self.flush().await;
        }
        self.buffer.extend(bytes);
    }

    async fn flush(&mut self) {
        let (order, data) = (self.order, std::mem::take(&mut self.buffer));
        self.answers.send(Answer::ExportPart(pb::ExportPart { order, data })).await;
    }

    async fn finish(mut self) -> Result<Answer, Error> {
        self.flush().await;
        let manifest = self.manifest.to_bytes();
        if manifest.len() > catalog_bundle::limits::MANIFEST_BYTES_MAX {
            return Err(Error::Export { reason: "it has too many parts; export without content" });
        }
        let missing = shortened(self.missing);
        Ok(Answer::Exported(pb::Exported { order: self.order, manifest, missing }))
    }
}

/// The license texts that documents name, each once.
fn licenses(documents: &[StoredDocument]) -> Vec<ItemFile> {
    let mut known = BTreeSet::new();
    let named = documents.iter().filter(|document| document.xml.contains("EulaFile"));
    // The catalog takes only documents that can be read.
    let files = named.flat_map(|document| license_files(document.xml.as_bytes()));
    files.flatten().filter(|file| known.insert(file.sha1)).collect()
}
