//! An update point's changes become categories and items.

use std::collections::BTreeSet;

use model::{Category, Group, Item, Kind, UpdateId};
use site_db::{Own, Writer};

use crate::Error;

/// A page of changes of an update point's catalog. Items have neither number nor version yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) categories: Vec<Category>,
    pub(crate) items: Vec<Item>,
    pub(crate) removed: Vec<UpdateId>,
    /// The catalog is taken in up to here.
    pub(crate) anchor: u64,
    pub(crate) extractor: u32,
    pub(crate) is_last: bool,
}

impl Page {
    pub(crate) fn ids(&self) -> impl Iterator<Item = UpdateId> {
        let categories = self.categories.iter().map(|category| category.update.id);
        categories.chain(self.items.iter().map(|item| item.update.id))
    }
}

/// Writes a page on the way to catalog version `version`; says how many updates changed. A page
/// that is already here writes nothing.
pub(crate) fn apply_page(w: &Writer<'_>, page: Page, version: u64) -> Result<u64, Error> {
    let mut changes = Vec::new();
    for mut category in page.categories {
        let held: Option<Category> = w.get(category.update.id.as_bytes())?;
        category.subscribed = held.is_some_and(|held| held.subscribed);
        changes.push(Own::put(&category));
    }
    let mut changed = 0;
    for mut item in page.items {
        let held: Option<Item> = w.get(item.update.id.as_bytes())?;
        // The number is the update's for ever; a new revision is new to every client.
        (item.number, item.since) = match &held {
            Some(held) if held.update == item.update => {
                // By the supersedence rule; the publisher expires an update with a new revision.
                item.expired |= held.expired;
                (held.number, held.since)
            }
            Some(held) => (held.number, version),
            None => (w.next_item_number()?, version),
        };
        if held.as_ref() != Some(&item) {
            changed += 1;
            changes.push(Own::put(&item));
        }
    }
    changed += remove(w, &page.removed, &mut changes)?;
    w.write_own(Group::Catalog, changes)?;
    Ok(changed)
}

/// After a page stream from the very beginning: what it did not name is gone.
pub(crate) fn sweep(w: &Writer<'_>, named: &BTreeSet<UpdateId>) -> Result<u64, Error> {
    let items = w.numbered_items()?.into_iter().map(|item| item.id);
    let categories = w.list::<Category>()?.into_iter().map(|(_, category)| category.update.id);
    let gone: Vec<UpdateId> = items.chain(categories).filter(|id| !named.contains(id)).collect();
    let mut changes = Vec::new();
    let changed = remove(w, &gone, &mut changes)?;
    w.write_own(Group::Catalog, changes)?;
    Ok(changed)
}

fn remove(w: &Writer<'_>, ids: &[UpdateId], changes: &mut Vec<Own>) -> Result<u64, Error> {
    let before = changes.len();
    for id in ids {
        for kind in [Kind::Item, Kind::Category] {
            if w.body(kind, id.as_bytes())?.is_some() {
                changes.push(Own::delete(kind, id.as_bytes().to_vec()));
            }
        }
    }
    Ok((changes.len() - before) as u64)
}
