//! What an assignment names: the updates of a group, the children of its bundles, and their files
//! as packages hold them.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    AssignedFile, AssignedUpdate, Item, ItemFile, ObjectCode, Package, PackageFile, Sha1, UpdateId,
};

use crate::{Missing, Note, World};

/// The files of each package by SHA-1, the digest that every document gives.
pub(crate) struct Shelves<'a>(Vec<BTreeMap<Sha1, &'a PackageFile>>);

impl<'a> Shelves<'a> {
    pub(crate) fn of(packages: &'a BTreeMap<ObjectCode, Package>) -> Shelves<'a> {
        let shelf = |package: &'a Package| package.files.iter().map(|file| (file.sha1, file));
        Shelves(packages.values().map(|package| shelf(package).collect()).collect())
    }

    /// The files of an update from the first package that has them all.
    fn find(&self, files: &[ItemFile]) -> Option<Vec<AssignedFile>> {
        if files.is_empty() {
            return Some(Vec::new());
        }
        self.0.iter().find_map(|shelf| files.iter().map(|file| take(shelf, file)).collect())
    }
}

fn take(shelf: &BTreeMap<Sha1, &PackageFile>, file: &ItemFile) -> Option<AssignedFile> {
    let held = shelf.get(&file.sha1).filter(|held| held.size == file.size)?;
    let agrees = file.sha256.is_none_or(|sha256| sha256 == held.sha256);
    agrees.then(|| AssignedFile { name: file.name.clone(), size: held.size, sha256: held.sha256 })
}

/// Collects the updates of one deployment, each once, children after the bundle that names them.
pub(crate) struct Contents<'a> {
    world: &'a World,
    shelves: &'a Shelves<'a>,
    seen: BTreeSet<UpdateId>,
    pub(crate) updates: Vec<AssignedUpdate>,
    pub(crate) notes: Vec<Note>,
    pub(crate) missing: BTreeSet<Missing>,
}

impl<'a> Contents<'a> {
    pub(crate) fn new(world: &'a World, shelves: &'a Shelves<'a>) -> Contents<'a> {
        Contents {
            world,
            shelves,
            seen: BTreeSet::new(),
            updates: Vec::new(),
            notes: Vec::new(),
            missing: BTreeSet::new(),
        }
    }

    pub(crate) fn miss(&mut self, missing: Missing) {
        self.missing.insert(missing);
    }

    /// Adds an update of the deployed group.
    pub(crate) fn add(&mut self, update: UpdateId) {
        match self.world.items.get(&update) {
            Some(item) if item.hidden => self.notes.push(Note::Hidden(update)),
            Some(item) => self.add_with_children(item),
            None => self.miss_item(update),
        }
    }

    fn add_with_children(&mut self, item: &'a Item) {
        // Not by recursion: how deep bundles are nested is up to their publisher.
        let mut ahead = vec![item];
        while let Some(item) = ahead.pop() {
            let id = item.update.id;
            if !self.seen.insert(id) {
                continue;
            }
            if item.expired {
                self.notes.push(Note::Expired(id));
                continue;
            }
            if self.world.declined.contains(&id) {
                self.notes.push(Note::Declined(id));
                continue;
            }
            let files = self.shelves.find(&item.files).unwrap_or_else(|| {
                self.notes.push(Note::NoContent(id));
                Vec::new()
            });
            self.updates.push(AssignedUpdate {
                update: item.update,
                document: item.document,
                files,
            });
            for child in item.bundles.iter().rev() {
                let held = self.world.items.get(&child.id);
                match held.filter(|held| held.update.revision >= child.revision) {
                    Some(child) => ahead.push(child),
                    None => self.miss_item(child.id),
                }
            }
        }
    }

    fn miss_item(&mut self, update: UpdateId) {
        self.miss(Missing { id: update.to_string(), site: self.world.top });
    }
}
