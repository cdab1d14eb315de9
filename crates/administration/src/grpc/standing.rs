//! How updates stand: what lists of updates, groups and deployments mark.
//!
//! Owns the mark of an update, which is that of the worst thing about it, and the worst of many.
//! Refuses to know why something is superseded or declined. An update that is not here yet has
//! nothing against it.

use std::collections::{BTreeMap, BTreeSet};

use model::{Item, ItemFile, Package, Sha1, Sha256, UpdateId};
use site_db::{ContentDemand, Found, Reader};

use super::update::is_third_party;
use crate::Error;

/// What is wrong with an update, the worse the later: clients get nothing of what is missing, while
/// the rest only is not installed any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    #[default]
    Normal,
    Superseded,
    Expired,
    Declined,
    /// Its content was never published.
    MetadataOnly,
    /// No package holds its files.
    Missing,
}

impl Mark {
    /// The first that is so; what nobody is offered any more needs no content.
    pub(super) fn first(facts: &[(bool, Mark)]) -> Mark {
        facts.iter().find(|(is_so, _)| *is_so).map_or(Mark::Normal, |(_, mark)| *mark)
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Mark::Normal => "normal",
            Mark::Superseded => "superseded",
            Mark::Expired => "expired",
            Mark::Declined => "declined",
            Mark::MetadataOnly => "metadata_only",
            Mark::Missing => "missing",
        }
    }
}

/// The content of packages, by what every document gives of a file.
#[derive(Debug, Default)]
pub(super) struct Shelf(BTreeMap<(Sha1, u64), BTreeSet<Sha256>>);

impl Shelf {
    pub(super) fn of<'a>(packages: impl IntoIterator<Item = &'a Package>) -> Shelf {
        let mut shelf = Shelf::default();
        for file in packages.into_iter().flat_map(|package| &package.files) {
            shelf.0.entry((file.sha1, file.size)).or_default().insert(file.sha256);
        }
        shelf
    }

    /// With what packages still wait for.
    pub(super) fn expecting<'a>(
        mut self,
        demands: impl IntoIterator<Item = &'a ContentDemand>,
    ) -> Shelf {
        for ContentDemand { file, found, .. } in demands {
            let stored = match found {
                Found::Stored { sha256, .. } => Some(*sha256),
                Found::Unknown | Found::Missing => None,
            };
            let held = self.0.entry((file.sha1, file.size)).or_default();
            held.extend(stored.or(file.sha256));
        }
        self
    }

    pub(super) fn has(&self, file: &ItemFile) -> bool {
        let held = self.0.get(&(file.sha1, file.size));
        held.is_some_and(|held| file.sha256.is_none_or(|sha256| held.contains(&sha256)))
    }

    /// Whether it has every file of an update and of what that bundles.
    pub(super) fn has_all(&self, id: UpdateId, items: &BTreeMap<UpdateId, Item>) -> bool {
        files(id, items).iter().all(|(_, file)| self.has(file))
    }
}

/// The files of an update and of what it bundles, however deep.
pub(super) fn files(id: UpdateId, items: &BTreeMap<UpdateId, Item>) -> Vec<(UpdateId, &ItemFile)> {
    let (mut ahead, mut seen, mut files) = (vec![id], BTreeSet::new(), Vec::new());
    while let Some(id) = ahead.pop() {
        let Some(item) = items.get(&id).filter(|_| seen.insert(id)) else { continue };
        ahead.extend(item.bundles.iter().map(|child| child.id));
        files.extend(item.files.iter().map(|file| (id, file)));
    }
    files
}

pub(super) fn packages(r: &Reader<'_>) -> Result<Vec<Package>, Error> {
    Ok(r.list::<Package>()?.into_iter().map(|(_, package)| package).collect())
}

/// How some updates stand.
#[derive(Debug)]
pub(super) struct Standings {
    /// They, and what they bundle.
    pub(super) items: BTreeMap<UpdateId, Item>,
    declined: BTreeSet<UpdateId>,
    superseded: BTreeSet<UpdateId>,
    shelf: Shelf,
}

/// How many of some updates are what, and the worst of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) expired: u64,
    pub(super) declined: u64,
    pub(super) superseded: u64,
    pub(super) missing: u64,
    pub(super) mark: Mark,
}

/// Whether packages have to hold the files of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Needed,
    /// Clients load from elsewhere.
    Elsewhere,
}

impl Standings {
    pub(super) fn read(
        r: &Reader<'_>,
        updates: impl IntoIterator<Item = UpdateId>,
    ) -> Result<Standings, Error> {
        let items = r.items_with_parts(updates.into_iter().collect())?;
        let superseded = r.superseded_among(items.keys().copied())?;
        let (declined, shelf) = (r.declined_updates()?, Shelf::of(&packages(r)?));
        Ok(Standings { items, declined, superseded, shelf })
    }

    pub(super) fn is_declined(&self, id: UpdateId) -> bool {
        self.declined.contains(&id)
    }

    /// It is expired or declined otherwise.
    pub(super) fn is_superseded(&self, id: UpdateId) -> bool {
        self.superseded.contains(&id)
    }

    pub(super) fn is_metadata_only(&self, id: UpdateId) -> bool {
        let is_of_others = self.items.get(&id).is_some_and(is_third_party);
        is_of_others && files(id, &self.items).is_empty()
    }

    pub(super) fn mark(&self, id: UpdateId, content: Content) -> Mark {
        let is_needed = content == Content::Needed;
        Mark::first(&[
            (self.items.get(&id).is_some_and(|item| item.expired), Mark::Expired),
            (self.is_declined(id), Mark::Declined),
            (self.is_metadata_only(id), Mark::MetadataOnly),
            (is_needed && !self.shelf.has_all(id, &self.items), Mark::Missing),
            (self.is_superseded(id), Mark::Superseded),
        ])
    }

    pub(super) fn tally(&self, updates: &[UpdateId], content: Content) -> Tally {
        let mut tally = Tally::default();
        for id in updates {
            let mark = self.mark(*id, content);
            tally.mark = tally.mark.max(mark);
            tally.expired += u64::from(mark == Mark::Expired);
            tally.declined += u64::from(self.is_declined(*id));
            let counts = !matches!(mark, Mark::Expired | Mark::Declined);
            tally.superseded += u64::from(counts && self.is_superseded(*id));
            tally.missing += u64::from(mark == Mark::Missing);
        }
        tally
    }

    /// The files of some updates that no package holds, each once.
    pub(super) fn wanting(&self, updates: &[UpdateId]) -> Vec<(UpdateId, ItemFile)> {
        let mut seen = BTreeSet::new();
        let all = updates.iter().flat_map(|id| files(*id, &self.items));
        let wanting = all.filter(|(_, file)| !self.shelf.has(file));
        let once = wanting.filter(|(_, file)| seen.insert((file.sha1, file.size)));
        once.map(|(update, file)| (update, file.clone())).collect()
    }
}
