//! The export package of a WSUS: its catalog as a cabinet, or as gzip (STAT-20).
//!
//! Owns reading it twice, once to see that it is whole and once to take it in, so that nothing of a
//! package that is cut off is stored; and that it is taken only when an administrator answers for
//! it, because nobody signs it. A document that cannot be read is left out and named, as with an
//! upstream server.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _};
use std::path::{Path, PathBuf};

use cab::Cabinet;
use flate2::bufread::MultiGzDecoder;
use model::{UpdateRef, error_chain};
use update_catalog::Batch;
use update_metadata::sdp::FileSource;
use update_metadata::wsus_export::{Entry, MetadataReader, PackageReader};
use update_metadata::{Document, license_files};
use wsus_protocol::cabinet::Layout;

use crate::import::{Foreign, ImportReport};
use crate::point::Point;
use crate::{Error, limits};

const LIST: &str = "package.xml";
const METADATA: &str = "metadata.txt";

/// How a package is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Cabinet,
    Gzip,
}

/// Whether the file is such a package; a cabinet may be a publisher's catalog.
pub(crate) fn recognize(path: &Path, beginning: &[u8]) -> Option<Packing> {
    match beginning {
        [0x1f, 0x8b, ..] => Some(Packing::Gzip),
        [b'M', b'S', b'C', b'F', ..] => {
            let cabinet = sound(BufReader::new(File::open(path).ok()?)).ok()?;
            let has = |name| cabinet.get_file_entry(name).is_some();
            (has(LIST) && has(METADATA)).then_some(Packing::Cabinet)
        }
        _ => None,
    }
}

/// A cabinet that says nothing of itself which is not so.
fn sound(mut file: BufReader<File>) -> io::Result<Cabinet<BufReader<File>>> {
    Layout::read(&mut file)?;
    file.rewind()?;
    Cabinet::new(file)
}

/// A package, unpacked.
#[derive(Debug)]
struct Package<'a> {
    name: &'a str,
    /// What it lists; the documents may stand in it.
    list: Option<PathBuf>,
    metadata: Option<PathBuf>,
}

/// What the first reading found.
#[derive(Debug, Default)]
struct Listed {
    server_id: String,
    updates: BTreeSet<UpdateRef>,
    documents: BTreeSet<UpdateRef>,
}

impl Point {
    /// Takes in the package at `path`, called `name`, unpacked in `work`. Files that its updates
    /// name and that lie in `content` go into the content library.
    pub(crate) async fn import_wsus(
        &self,
        (path, name, packing): (&Path, &str, Packing),
        work: &Path,
        content: Option<&Path>,
    ) -> Result<ImportReport, Error> {
        let package = Package::unpack((path, name, packing), work)?;
        let listed = package.read_through().await?;
        let mut taking = Taking { point: self, content, report: ImportReport::default(), files: 0 };
        package.take(&mut taking).await?;
        let (mut report, files) = (taking.report, taking.files);
        let documents = listed.documents.len() as u64;
        let server_id = listed.server_id;
        report.foreign =
            Some(Foreign { kind: "wsus", server_id, documents, files, ..Foreign::default() });
        Ok(report)
    }
}

impl<'a> Package<'a> {
    fn unpack(
        (path, name, packing): (&Path, &'a str, Packing),
        work: &Path,
    ) -> Result<Package<'a>, Error> {
        let open = || File::open(path).map(BufReader::new).map_err(Error::files("open", path));
        let package = Package { name, list: None, metadata: None };
        let (list, metadata) = (work.join(LIST), work.join(METADATA));
        if packing == Packing::Gzip {
            let beginning = package.copy(MultiGzDecoder::new(open()?), &metadata)?;
            let is_list = beginning.trim_ascii_start().first() == Some(&b'<');
            return Ok(match is_list {
                true => Package { list: Some(metadata), ..package },
                false => Package { metadata: Some(metadata), ..package },
            });
        }
        let mut cabinet = sound(open()?).map_err(|error| package.refuse(error))?;
        for (member, target) in [(LIST, &list), (METADATA, &metadata)] {
            let member = cabinet.read_file(member).map_err(|error| package.refuse(error))?;
            package.copy(member, target)?;
        }
        Ok(Package { name, list: Some(list), metadata: Some(metadata) })
    }

    /// Copies a member out of its archive and says how it begins, without a byte order mark.
    fn copy(&self, source: impl Read, target: &Path) -> Result<Vec<u8>, Error> {
        let mut file = File::create(target).map_err(Error::files("make", target))?;
        let copied = io::copy(&mut source.take(limits::WSUS_BYTES_MAX + 1), &mut file);
        if copied.map_err(|error| self.refuse(error))? > limits::WSUS_BYTES_MAX {
            let max = limits::WSUS_BYTES_MAX;
            return Err(self.refuse(format!("unpacked it is larger than {max} bytes")));
        }
        let mut beginning = Vec::new();
        let file = File::open(target).map_err(Error::files("open", target))?;
        file.take(16).read_to_end(&mut beginning).map_err(Error::files("read", target))?;
        Ok(beginning.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&beginning).to_vec())
    }

    fn refuse(&self, reason: impl ToString) -> Error {
        Error::Archive { name: self.name.to_owned(), reason: reason.to_string() }
    }

    fn unreadable(&self, source: update_metadata::Error) -> Error {
        Error::ReadCatalog { name: self.name.to_owned(), source }
    }

    fn list(&self) -> Result<Option<PackageReader<BufReader<File>>>, Error> {
        let open = |path: &PathBuf| File::open(path).map_err(Error::files("open", path));
        let file = self.list.as_ref().map(open).transpose()?;
        Ok(file.map(|file| PackageReader::new(BufReader::new(file))))
    }

    fn metadata(&self) -> Result<Option<MetadataReader<BufReader<File>>>, Error> {
        let open = |path: &PathBuf| File::open(path).map_err(Error::files("open", path));
        let file = self.metadata.as_ref().map(open).transpose()?;
        Ok(file.map(|file| MetadataReader::new(BufReader::new(file))))
    }

    /// Whole, and with a document for everything that is listed?
    async fn read_through(&self) -> Result<Listed, Error> {
        let mut found = Listed::default();
        if let Some(mut list) = self.list()? {
            while let Some(entry) = list.next_entry().map_err(|error| self.unreadable(error))? {
                match entry {
                    Entry::Header { server_id, .. } => found.server_id = server_id,
                    Entry::Listed(update) => _ = found.updates.insert(update),
                    Entry::Source(_) => {}
                    Entry::Document { update, .. } => _ = found.documents.insert(update),
                }
                tokio::task::yield_now().await;
            }
        }
        if let Some(mut metadata) = self.metadata()? {
            let mut next = || metadata.next_document().map_err(|error| self.unreadable(error));
            while let Some((update, _)) = next()? {
                found.documents.insert(update);
                tokio::task::yield_now().await;
            }
        }
        match found.updates.difference(&found.documents).next() {
            _ if found.documents.is_empty() => {
                let reason = "it holds no documents in a form this version knows; export it with \
                              the extension .cab";
                Err(self.refuse(reason))
            }
            Some(UpdateRef { id, revision }) => Err(self.refuse(format!(
                "it lists update {id} revision {revision} and has no document of it; copy it \
                 again, or export it again"
            ))),
            None => Ok(found),
        }
    }

    async fn take(&self, taking: &mut Taking<'_>) -> Result<(), Error> {
        let (mut sources, mut documents) = (Vec::new(), Vec::new());
        if let Some(mut list) = self.list()? {
            while let Some(entry) = list.next_entry().map_err(|error| self.unreadable(error))? {
                match entry {
                    Entry::Header { .. } | Entry::Listed(_) => {}
                    Entry::Source(source) => sources.push(source),
                    Entry::Document { update, xml } => documents.push((update, xml)),
                }
                if sources.len() == limits::SOURCES_PER_BATCH {
                    taking.sources(std::mem::take(&mut sources)).await?;
                }
                if is_full(&documents) {
                    taking.documents(std::mem::take(&mut documents)).await?;
                }
            }
        }
        // The sources first: a file may be asked for as soon as its update is here.
        taking.sources(sources).await?;
        if let Some(mut metadata) = self.metadata()? {
            let mut next = || metadata.next_document().map_err(|error| self.unreadable(error));
            while let Some(document) = next()? {
                documents.push(document);
                if is_full(&documents) {
                    taking.documents(std::mem::take(&mut documents)).await?;
                }
            }
        }
        taking.documents(documents).await
    }
}

fn is_full(documents: &[(UpdateRef, String)]) -> bool {
    let bytes: usize = documents.iter().map(|(_, xml)| xml.len()).sum();
    documents.len() == limits::PACKAGES_PER_BATCH || bytes > limits::BATCH_ANSWER_BYTES_MAX
}

/// An import under way.
struct Taking<'a> {
    point: &'a Point,
    content: Option<&'a Path>,
    report: ImportReport,
    /// Taken from beside the package.
    files: u64,
}

impl Taking<'_> {
    async fn sources(&self, sources: Vec<FileSource>) -> Result<(), Error> {
        if sources.is_empty() {
            return Ok(());
        }
        self.point.catalog.import(Batch { sources, ..Batch::default() }).await?;
        Ok(())
    }

    async fn documents(&mut self, given: Vec<(UpdateRef, String)>) -> Result<(), Error> {
        let (mut documents, mut files) = (Vec::new(), Vec::new());
        for (update, xml) in given {
            match Document::parse(xml.as_bytes()) {
                Ok(document) if document.update == update => {
                    files.extend(document.files);
                    files.extend(license_files(xml.as_bytes()).unwrap_or_default());
                    documents.push(xml);
                }
                Ok(document) => {
                    let UpdateRef { id, revision } = document.update;
                    self.reject(
                        update,
                        &format!("its document is update {id} revision {revision}"),
                    );
                }
                Err(error) => self.reject(update, &error_chain(&error)),
            }
        }
        let imported = self.point.catalog.import(Batch { documents, ..Batch::default() }).await?;
        self.report.imported += imported.imported.len() as u64;
        self.report.unchanged += imported.unchanged as u64;
        let rejected = imported.rejected.into_iter();
        self.report.rejected.extend(rejected.map(|r| format!("{}: {}", r.place, r.reason)));
        if let Some(directory) = self.content {
            let (taken, refused) = self.point.take_files(directory, files).await?;
            self.files += taken;
            self.report.rejected.extend(refused);
        }
        Ok(())
    }

    fn reject(&mut self, UpdateRef { id, revision }: UpdateRef, reason: &str) {
        self.report.rejected.push(format!("update {id} revision {revision}: {reason}"));
    }
}
