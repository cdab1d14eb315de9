//! Another server's catalog, as a bundle: checked whole, then taken in (SYNC-24).
//!
//! Owns that nothing of a bundle is stored before every byte of it was checked against the manifest
//! that the site believes, and every document was read; and that bundles of one server come without
//! a gap. Each batch is one transaction, and the anchor is the last: an import that broke off is
//! begun again and finds what it stored unchanged. Refuses to know keys: who signed the manifest is
//! the site's to judge. What cannot be taken is an [`Error::Archive`] with the reason.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};

use ambient::failpoint;
use catalog_bundle::{
    Bundle, Content, MAGIC, Manifest, Part, decode_documents, decode_removed, decode_sources,
    trailer_length,
};
use content_library::Expected;
use model::{Sha256, error_chain, set_digest};
use sha2::{Digest as _, Sha256 as Hasher};
use update_catalog::{Batch, LastBundle};
use update_metadata::Document;
use update_metadata::sdp::FileSource;

use crate::import::{Foreign, ImportReport};
use crate::point::Point;
use crate::{Error, limits};

/// Read at once while digests are computed.
const PIECE_BYTES: usize = 1 << 20;

impl Point {
    /// Takes in the bundle at `path`, called `name`, if its manifest is the one that is believed.
    pub(crate) async fn import_bundle(
        &self,
        (path, name): (&Path, &str),
        believed: Option<Sha256>,
    ) -> Result<ImportReport, Error> {
        let bundle = Opened::open(path, name)?;
        if believed != Some(bundle.bundle.digest()) {
            let reason = "nobody here judged its signature; hand it to the top-level site: \
                          `tierline catalog import`";
            return Err(bundle.refuse(reason));
        }
        let manifest = &bundle.bundle.manifest;
        let foreign = foreign(manifest);
        let last = self.catalog.last_bundle(manifest.server_id).await?;
        let is_news = bundle.continues(last)?;
        bundle.check().await?;
        let mut report = ImportReport::default();
        if is_news {
            self.take_bundle(&bundle, &mut report).await?;
            let last = LastBundle { anchor: manifest.anchor, manifest: bundle.bundle.digest() };
            self.catalog.note_bundle(manifest.server_id, last).await?;
        } else {
            report.unchanged = foreign.documents;
        }
        let is_same_set = self.update_set().await?.digest == manifest.set_digest;
        report.foreign = Some(Foreign { is_same_set, ..foreign });
        Ok(report)
    }

    async fn take_bundle(&self, opened: &Opened, report: &mut ImportReport) -> Result<(), Error> {
        for (part, offset) in opened.parts() {
            match &part.content {
                Content::Sources { .. } => {
                    let sources = opened.decode(&opened.bytes(part, offset)?, decode_sources)?;
                    let source = |(sha1, url)| FileSource { sha1, url };
                    let sources = sources.into_iter().map(source).collect();
                    self.catalog.import(Batch { sources, ..Batch::default() }).await?;
                }
                Content::Documents { .. } => {
                    let documents =
                        opened.decode(&opened.bytes(part, offset)?, decode_documents)?;
                    let batch = Batch { documents, ..Batch::default() };
                    let imported = self.catalog.import(batch).await?;
                    report.imported += imported.imported.len() as u64;
                    report.unchanged += imported.unchanged as u64;
                    let rejected = imported.rejected.into_iter();
                    report.rejected.extend(rejected.map(|r| format!("{}: {}", r.place, r.reason)));
                }
                Content::Removed { .. } => {
                    let removed = opened.decode(&opened.bytes(part, offset)?, decode_removed)?;
                    self.catalog.remove(removed).await?;
                }
                Content::File { name, sha1 } => {
                    let expected = Expected {
                        name: name.clone(),
                        size: Some(part.size),
                        sha256: Some(part.sha256),
                        sha1: Some(*sha1),
                    };
                    if self.library.find(&expected).await?.is_none() {
                        self.library.import(expected, opened.reader(part, offset)?).await?;
                    }
                }
            }
            failpoint("sup.bundle_part");
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

fn foreign(manifest: &Manifest) -> Foreign {
    let (documents, removed, files) = manifest.counts();
    Foreign {
        kind: "bundle",
        server_id: manifest.server_id.to_string(),
        since: manifest.since,
        anchor: manifest.anchor,
        version: manifest.version,
        set_digest: Some(manifest.set_digest),
        documents,
        removed,
        files,
        is_same_set: false,
    }
}

/// A bundle in a file.
struct Opened {
    path: PathBuf,
    name: String,
    bundle: Bundle,
}

impl Opened {
    fn open(path: &Path, name: &str) -> Result<Opened, Error> {
        let mut file = File::open(path).map_err(Error::files("open", path))?;
        let mut end = |bytes: usize| -> Result<(Vec<u8>, u64), Error> {
            let total = file.seek(SeekFrom::End(0)).map_err(Error::files("read", path))?;
            let start = total.saturating_sub(bytes as u64);
            file.seek(SeekFrom::Start(start)).map_err(Error::files("read", path))?;
            let mut tail = Vec::new();
            file.by_ref().read_to_end(&mut tail).map_err(Error::files("read", path))?;
            Ok((tail, total))
        };
        let refuse = |source: catalog_bundle::Error| Error::Archive {
            name: name.to_owned(),
            reason: error_chain(&source),
        };
        let (tail, total) = end(limits::BUNDLE_TAIL_BYTES)?;
        let length = trailer_length(&tail, total).map_err(refuse)?;
        let (trailer, _) = end(length)?;
        let bundle = Bundle::read(&beginning(path)?, &trailer, total).map_err(refuse)?;
        Ok(Opened { path: path.to_owned(), name: name.to_owned(), bundle })
    }

    fn refuse(&self, reason: impl Into<String>) -> Error {
        Error::Archive { name: self.name.clone(), reason: reason.into() }
    }

    /// Every part, and where it begins.
    fn parts(&self) -> impl Iterator<Item = (&Part, u64)> {
        self.bundle.manifest.parts.iter().scan(MAGIC.len() as u64, |offset, part| {
            let start = *offset;
            *offset += part.size;
            Some((part, start))
        })
    }

    fn reader(&self, part: &Part, offset: u64) -> Result<Take<File>, Error> {
        let mut file = File::open(&self.path).map_err(Error::files("open", &self.path))?;
        file.seek(SeekFrom::Start(offset)).map_err(Error::files("read", &self.path))?;
        Ok(file.take(part.size))
    }

    /// Of a part that is bounded.
    fn bytes(&self, part: &Part, offset: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let read = self.reader(part, offset)?.read_to_end(&mut bytes);
        read.map_err(Error::files("read", &self.path))?;
        Ok(bytes)
    }

    fn decode<T>(
        &self,
        bytes: &[u8],
        decode: impl FnOnce(&[u8]) -> Result<T, catalog_bundle::Error>,
    ) -> Result<T, Error> {
        decode(bytes).map_err(|error| self.refuse(error_chain(&error)))
    }

    /// Whether the bundle brings anything after the last one of its server.
    fn continues(&self, last: Option<LastBundle>) -> Result<bool, Error> {
        let Manifest { since, anchor, server_name, server_id, .. } = &self.bundle.manifest;
        match last {
            Some(last) if *since > last.anchor => Err(self.refuse(format!(
                "it continues from anchor {since} of {server_name} ({server_id}), and the catalog \
                 here ends at {}: the bundle from {} to {since} is missing; import that first, or \
                 one exported without --since",
                last.anchor, last.anchor
            ))),
            None if *since > 0 => Err(self.refuse(format!(
                "it continues from anchor {since} of {server_name} ({server_id}), of which nothing \
                 is here: the bundle from 0 to {since} is missing; import one exported without \
                 --since"
            ))),
            Some(last) => Ok(*anchor >= last.anchor),
            None => Ok(true),
        }
    }

    /// Every byte is what was signed, every document can be read, and all of them together are the
    /// set that the bundle says.
    async fn check(&self) -> Result<(), Error> {
        let mut items = Vec::new();
        for (number, (part, offset)) in self.parts().enumerate() {
            let found = self.digest(part, offset).await?;
            let checked = part.check((number + 1, offset), found);
            checked.map_err(|error| self.refuse(error_chain(&error)))?;
            let count = match part.content {
                Content::Documents { count } => {
                    let documents = self.decode(&self.bytes(part, offset)?, decode_documents)?;
                    for xml in &documents {
                        let document = Document::parse(xml.as_bytes())
                            .map_err(|error| self.refuse(error_chain(&error)))?;
                        items.extend(document.is_item().then_some(document.update));
                    }
                    Some((documents.len(), count))
                }
                Content::Removed { count } => {
                    Some((self.decode(&self.bytes(part, offset)?, decode_removed)?.len(), count))
                }
                Content::Sources { count } => {
                    Some((self.decode(&self.bytes(part, offset)?, decode_sources)?.len(), count))
                }
                Content::File { .. } => None,
            };
            if let Some((found, count)) = count.filter(|(found, count)| *found as u64 != *count) {
                let number = number + 1;
                let reason = format!("part {number} holds {found} entries instead of {count}");
                return Err(self.refuse(format!("{reason}; export it again")));
            }
        }
        let Manifest { since, set_digest: expected, items: count, .. } = &self.bundle.manifest;
        items.sort_unstable();
        let is_set = items.len() as u64 == *count && set_digest(items) == *expected;
        match *since == 0 && !is_set {
            true => Err(self.refuse("its updates are not the set that it names; export it again")),
            false => Ok(()),
        }
    }

    async fn digest(&self, part: &Part, offset: u64) -> Result<Sha256, Error> {
        let (mut reader, mut hasher) = (self.reader(part, offset)?, Hasher::new());
        let mut piece = Vec::with_capacity(PIECE_BYTES.min(part.size as usize));
        loop {
            piece.clear();
            let read = reader.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece);
            if read.map_err(Error::files("read", &self.path))? == 0 {
                return Ok(Sha256(hasher.finalize().into()));
            }
            hasher.update(&piece);
            tokio::task::yield_now().await;
        }
    }
}

/// What the file begins with, as far as it tells what it is.
pub(crate) fn beginning(path: &Path) -> Result<Vec<u8>, Error> {
    let file = File::open(path).map_err(Error::files("open", path))?;
    let mut bytes = Vec::new();
    file.take(MAGIC.len() as u64).read_to_end(&mut bytes).map_err(Error::files("read", path))?;
    Ok(bytes)
}
