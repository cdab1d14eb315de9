//! What an assignment names: the updates of a group, the children of its bundles, and their files
//! as packages hold them.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    AssignedFile, AssignedUpdate, Item, ItemFile, ObjectCode, Package, PackageFile, Sha1, UpdateId,
};

use crate::{Missing, Note, World, run_minutes};

/// The files of all packages by SHA-1, the digest that every document gives, in order of packages.
pub(crate) struct Shelves<'a>(BTreeMap<Sha1, Vec<&'a PackageFile>>);

impl<'a> Shelves<'a> {
    pub(crate) fn of(packages: &'a BTreeMap<ObjectCode, Package>) -> Shelves<'a> {
        let mut shelves: BTreeMap<Sha1, Vec<&PackageFile>> = BTreeMap::new();
        for file in packages.values().flat_map(|package| &package.files) {
            shelves.entry(file.sha1).or_default().push(file);
        }
        Shelves(shelves)
    }

    /// The files of an update, if packages hold them all, whichever holds which (PKG-03). What
    /// needs no package is as its document says, if that says enough to believe it (DEPX-15).
    fn find(&self, files: &[ItemFile], has_packages: bool) -> Option<Vec<AssignedFile>> {
        let described = |file: &ItemFile| {
            let sha256 = file.sha256.filter(|_| !has_packages)?;
            Some(AssignedFile { name: file.name.clone(), size: file.size, sha256 })
        };
        files.iter().map(|file| self.take(file).or_else(|| described(file))).collect()
    }

    fn take(&self, file: &ItemFile) -> Option<AssignedFile> {
        let is_it = |held: &&&PackageFile| {
            let agrees = file.sha256.is_none_or(|sha256| sha256 == held.sha256);
            held.size == file.size && agrees
        };
        let held = self.0.get(&file.sha1)?.iter().find(is_it)?;
        Some(AssignedFile { name: file.name.clone(), size: held.size, sha256: held.sha256 })
    }
}

/// Collects the updates of one deployment, each once, children after the bundle that names them.
pub(crate) struct Contents<'a> {
    world: &'a World,
    shelves: &'a Shelves<'a>,
    has_packages: bool,
    seen: BTreeSet<UpdateId>,
    pub(crate) updates: Vec<AssignedUpdate>,
    pub(crate) notes: Vec<Note>,
    pub(crate) missing: BTreeSet<Missing>,
}

impl<'a> Contents<'a> {
    pub(crate) fn new(
        world: &'a World,
        shelves: &'a Shelves<'a>,
        has_packages: bool,
    ) -> Contents<'a> {
        Contents {
            world,
            shelves,
            has_packages,
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
            let files = self.shelves.find(&item.files, self.has_packages).unwrap_or_else(|| {
                self.notes.push(Note::NoContent(id));
                Vec::new()
            });
            self.updates.push(AssignedUpdate {
                update: item.update,
                document: item.document,
                files,
                max_run_minutes: run_minutes(
                    item.classification,
                    self.world.update_settings.get(&id),
                ),
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
