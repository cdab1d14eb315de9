//! Which revision of an update a package is.
//!
//! Publishers number nothing: a PackageID comes again with the same content, or with other
//! content under the same id. The same content is the same revision, other content the next one.

use std::collections::BTreeMap;

use model::{Sha256, UpdateId, UpdateRef};
use sha2::{Digest as _, Sha256 as Hasher};

use super::Package;
use crate::Document;

/// A document ready to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub update: UpdateRef,
    pub xml: String,
    pub sha256: Sha256,
}

/// What became of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placed {
    /// Content that is here already.
    Known(UpdateRef),
    /// New documents, categories first; with `revision > 1` the id was here with other content.
    New { update: UpdateRef, documents: Vec<Written> },
}

/// The revisions that are known: those of the catalog as told, those placed as they come.
#[derive(Clone, Debug, Default)]
pub struct Revisions {
    known: BTreeMap<UpdateRef, Sha256>,
}

impl Revisions {
    pub fn learn(&mut self, update: UpdateRef, document: Sha256) {
        self.known.insert(update, document);
    }

    pub fn place(&mut self, package: &Package) -> Placed {
        let id = package.update.update.id;
        let revisions: Vec<u32> = self.of(id).collect();
        for &revision in revisions.iter().rev() {
            let is_known =
                |written: &Written| self.known.get(&written.update) == Some(&written.sha256);
            if package.write(revision).iter().all(is_known) {
                return Placed::Known(UpdateRef { id, revision });
            }
        }
        let revision = revisions.last().map_or(1, |last| last.saturating_add(1));
        let unknown = package.categories.iter().filter(|c| self.of(c.update.id).next().is_none());
        let mut documents: Vec<Written> = unknown.map(Written::new).collect();
        documents.extend(package.write(revision));
        documents.iter().for_each(|written| self.learn(written.update, written.sha256));
        Placed::New { update: UpdateRef { id, revision }, documents }
    }

    /// Whether this revision of the package's update is what the package says.
    #[must_use]
    pub fn is_revision(&self, package: &Package, revision: u32) -> bool {
        let written = package.write(revision).pop();
        written.is_some_and(|written| self.known.get(&written.update) == Some(&written.sha256))
    }

    fn of(&self, id: UpdateId) -> impl Iterator<Item = u32> {
        let all = UpdateRef { id, revision: 0 }..=UpdateRef { id, revision: u32::MAX };
        self.known.range(all).map(|(update, _)| update.revision)
    }
}

impl Written {
    #[must_use]
    pub fn new(document: &Document) -> Written {
        let xml = document.to_xml();
        let sha256 = Sha256(Hasher::digest(xml.as_bytes()).into());
        Written { update: document.update, xml, sha256 }
    }
}
