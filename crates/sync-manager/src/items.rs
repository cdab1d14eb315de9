//! An update point's changes become categories and items.

use std::collections::BTreeSet;

use model::{Category, Group, Item, Kind, Languages, LocalizedText, Ruling, UpdateId};
use site_db::{Own, Writer, own_ruling};

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
    let languages = w.summary_languages()?;
    for mut category in page.categories {
        keep_chosen(&mut category.texts, languages);
        let held: Option<Category> = w.get(category.update.id.as_bytes())?;
        (category.subscribed, category.since) =
            held.map_or((false, version), |held| (held.subscribed, held.since));
        changes.push(Own::put(&category));
    }
    let mut changed = 0;
    for mut item in page.items {
        keep_chosen(&mut item.texts, languages);
        changed += take(w, item, version, &mut changes)?;
    }
    changed += remove(w, &page.removed, &mut changes)?;
    w.write_own(Group::Catalog, changes)?;
    Ok(changed)
}

/// Texts of other languages than the chosen ones are not kept, but one is of each update (SUP-34).
fn keep_chosen(texts: &mut Vec<LocalizedText>, chosen: Languages) {
    if texts.iter().any(|text| chosen.includes(&text.language)) {
        texts.retain(|text| chosen.includes(&text.language));
    }
}

/// Says how many updates changed: one or none.
fn take(
    w: &Writer<'_>,
    mut item: Item,
    version: u64,
    changes: &mut Vec<Own>,
) -> Result<u64, Error> {
    let id = item.update.id;
    let held: Option<Item> = w.get(id.as_bytes())?;
    let ruling: Option<Ruling> = w.get(id.as_bytes())?;
    let is_same = held.as_ref().is_some_and(|held| held.update == item.update && !held.withdrawn);
    // The number is the update's for ever; a new revision is new to every client.
    let cleaned = ruling.as_ref().and_then(|ruling| ruling.cleaned);
    (item.number, item.since) = match (&held, cleaned) {
        (Some(held), _) if is_same => (held.number, held.since),
        (Some(held), _) => (held.number, version),
        (None, Some(cleaned)) => (cleaned.number, version),
        (None, None) => (w.next_item_number()?, version),
    };
    if let Some(held) = &held {
        // By the supersedence rule; the publisher expires an update with a new revision.
        item.expired |= is_same && held.expired;
        item.expired_at = held.expired_at;
    }
    item.expired_at = item.expired.then(|| item.expired_at.unwrap_or_else(|| w.now()));
    if let Some(ruling) = ruling.filter(|_| !is_same) {
        changes.extend(own_ruling(id, ruling.renewed()));
    }
    if held.as_ref() == Some(&item) {
        return Ok(0);
    }
    changes.push(Own::put(&item));
    Ok(1)
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

/// What a group names stays, expired and marked, until it is cleaned up.
fn remove(w: &Writer<'_>, ids: &[UpdateId], changes: &mut Vec<Own>) -> Result<u64, Error> {
    if ids.is_empty() {
        return Ok(0);
    }
    let (before, assigned) = (changes.len(), w.assigned_updates()?);
    for id in ids {
        if w.body(Kind::Category, id.as_bytes())?.is_some() {
            changes.push(Own::delete(Kind::Category, id.as_bytes().to_vec()));
        }
        match w.get::<Item>(id.as_bytes())? {
            Some(item) if item.withdrawn => {}
            Some(item) if assigned.contains(id) => {
                let expired_at = Some(item.expired_at.unwrap_or_else(|| w.now()));
                changes.push(Own::put(&Item {
                    expired: true,
                    expired_at,
                    withdrawn: true,
                    ..item
                }));
            }
            Some(_) => changes.push(Own::delete(Kind::Item, id.as_bytes().to_vec())),
            None => {}
        }
    }
    Ok((changes.len() - before) as u64)
}
