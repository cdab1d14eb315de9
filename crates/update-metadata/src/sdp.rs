//! Publishers' packages (SDP) and the catalogs that hold them.
//!
//! Owns the way from a package to update documents of our own writing and back: [`PackageReader`]
//! yields the packages of a single file or of a whole catalog in bounded memory, [`Revisions`]
//! gives them revision numbers, [`Package::to_sdp`] writes one again. A package that is not
//! well-formed (it lacks a PackageID, a title or an installable item) is [`Rejected`] and the rest
//! goes on; XML that is ill-formed refuses all of it, which is known only at the end: read a
//! catalog through once before keeping any of it.
//!
//! Refuses to know archives and files: callers hand in readers and name the file in reports.

use std::collections::VecDeque;
use std::io::BufRead;

use model::{Sha1, UpdateId, UpdateRef};
use xml_guard::{Element, Event, Limits, XmlGuard};

use crate::{Document, Error};

mod export;
mod revisions;
mod translate;

pub use revisions::{Placed, Revisions, Written};

const PACKAGE: &str = "SoftwareDistributionPackage";
const CATALOG: &str = "SystemsManagementCatalog";

/// A package as update documents that have no revision number yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The update named by the PackageID.
    pub update: Document,
    /// One for each installable item where there are several; the update then bundles them.
    pub members: Vec<Document>,
    /// The company, the products and the classification it belongs to.
    pub categories: Vec<Document>,
    pub sources: Vec<FileSource>,
    /// Parts that could not be used; the package is good without them.
    pub rejected: Vec<Rejected>,
}

/// Where the publisher offers a file. Not part of any document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileSource {
    pub sha1: Sha1,
    pub url: String,
}

/// Something that was left out, for the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Line and column of the package, and its PackageID if it has one.
    pub place: String,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    Package(Box<Package>),
    Rejected(Rejected),
}

/// Pulls packages out of one XML document, at whatever depth a catalog keeps them.
#[derive(Debug)]
pub struct PackageReader<R> {
    guard: XmlGuard<R>,
    root_seen: bool,
    /// Packages inside of the one just returned.
    waiting: VecDeque<Entry>,
}

impl<R: BufRead> PackageReader<R> {
    pub fn new(input: R) -> PackageReader<R> {
        let guard = XmlGuard::new(input, Limits::default());
        PackageReader { guard, root_seen: false, waiting: VecDeque::new() }
    }

    /// The next package or rejection; none once the document has ended well.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, Error> {
        loop {
            if let Some(entry) = self.waiting.pop_front() {
                return Ok(Some(entry));
            }
            match self.guard.next_event()? {
                Event::Start(tag) if tag.local == PACKAGE => {
                    self.root_seen = true;
                    let position = self.guard.position();
                    let place = format!("line {}, column {}", position.line, position.column);
                    let element = self.guard.read_element(tag)?;
                    self.take(&element, &place);
                }
                Event::Start(tag) if !self.root_seen && tag.local != CATALOG => {
                    return Err(Error::ReadCatalog { root: tag.local });
                }
                Event::Start(_) => self.root_seen = true,
                Event::Text(_) | Event::End => {}
                Event::Eof => return Ok(None),
            }
        }
    }

    fn take(&mut self, element: &Element, place: &str) {
        let entry = match translate::package(element, place) {
            Ok(package) => Entry::Package(Box::new(package)),
            Err(rejected) => Entry::Rejected(rejected),
        };
        self.waiting.push_back(entry);
        self.take_nested(element, place);
    }

    fn take_nested(&mut self, element: &Element, place: &str) {
        for child in &element.children {
            match child.tag.local.as_str() {
                PACKAGE => self.take(child, &format!("{place}, nested package")),
                _ => self.take_nested(child, place),
            }
        }
    }
}

impl Package {
    /// Every id whose stored revisions [`Revisions`] has to know.
    pub fn ids(&self) -> impl Iterator<Item = UpdateId> {
        let documents = self.categories.iter().chain(&self.members).chain([&self.update]);
        documents.map(|document| document.update.id)
    }

    /// What the package says, without anything that could be installed.
    #[must_use]
    pub fn metadata_only(mut self) -> Package {
        for document in self.members.iter_mut().chain([&mut self.update]) {
            document.files.clear();
            document.installer = None;
        }
        self.sources.clear();
        self
    }

    /// The update and its members as this revision of it.
    fn write(&self, revision: u32) -> Vec<Written> {
        let number = |document: &Document| {
            let mut numbered = document.clone();
            numbered.update.revision = revision;
            let ours = |bundled: &UpdateRef| self.members.iter().any(|m| m.update.id == bundled.id);
            let bundled = numbered.relations.bundled.iter_mut().flatten();
            bundled.filter(|bundled| ours(bundled)).for_each(|b| b.revision = revision);
            Written::new(&numbered)
        };
        self.members.iter().chain([&self.update]).map(number).collect()
    }
}

#[cfg(test)]
mod tests;
