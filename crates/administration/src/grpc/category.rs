//! Companies, products and classifications.

use std::collections::{BTreeMap, BTreeSet};

use model::{Category, CategoryKind, CategoryTree, Group, Item, UpdateId};
use rpc::object::ObjectBody as _;
use rpc::pb::admin as pb;
use site_db::{Own, Reader};

use super::Answer;
use crate::Error;
use crate::admin::{Change, View};
use crate::audit::Deed;

/// Companies, families and products together.
const PRODUCTS: &str = "products";

pub(super) fn categories(r: &Reader<'_>) -> Result<CategoryTree, Error> {
    let all = r.list::<Category>()?.into_iter();
    Ok(all.map(|(_, category)| category).collect())
}

/// Whether `wanted` is the category's id or title.
pub(super) fn is_called(category: &Category, wanted: &str) -> bool {
    category.update.id.to_string() == wanted.to_ascii_lowercase()
        || category.texts.iter().any(|text| text.title.eq_ignore_ascii_case(wanted))
}

/// What the rows are made of.
struct Catalog {
    tree: CategoryTree,
    /// Updates that belong to a category, or to something below it.
    updates: BTreeMap<UpdateId, u64>,
    /// Categories that came later are new.
    seen: u64,
}

impl Catalog {
    fn read(r: &Reader<'_>) -> Result<Catalog, Error> {
        let tree = categories(r)?;
        let mut updates = BTreeMap::new();
        r.visit(Item::KIND, |_, body| {
            let Item { products, classification, hidden, .. } = Item::decode(&body)?;
            let named = products.into_iter().chain(classification);
            let ways = named.flat_map(|id| tree.way_up(id));
            let all: BTreeSet<UpdateId> = ways.map(|category| category.update.id).collect();
            all.into_iter().filter(|_| !hidden).for_each(|id| *updates.entry(id).or_default() += 1);
            Ok(())
        })?;
        // What the first synchronization brings is new to nobody.
        let first = tree.iter().map(|category| category.since).min().unwrap_or(0);
        let seen = if r.identity().is_top() { r.seen_categories()?.max(first) } else { u64::MAX };
        Ok(Catalog { tree, updates, seen })
    }

    fn is_new(&self, category: &Category) -> bool {
        category.since > self.seen
    }

    fn row(&self, category: &Category) -> pb::Category {
        let id = category.update.id;
        let title = |found: Option<&Category>| found.map_or("", Category::title).to_owned();
        pb::Category {
            id: id.to_string(),
            r#type: category.kind.as_str().to_owned(),
            title: category.title().to_owned(),
            parent: title(category.parent.and_then(|parent| self.tree.get(parent))),
            subscribed: category.subscribed,
            path: self.tree.path(id),
            selected_by: title(self.tree.selected_by(id)),
            new: self.is_new(category),
            since: category.since,
            updates: self.updates.get(&id).copied().unwrap_or(0),
        }
    }

    /// In the order of the tree.
    fn rows<'c>(&self, chosen: impl Iterator<Item = &'c Category>) -> Vec<pb::Category> {
        let mut rows: Vec<pb::Category> = chosen.map(|category| self.row(category)).collect();
        rows.sort_by(|a, b| (&a.path, &a.id).cmp(&(&b.path, &b.id)));
        rows
    }

    /// The one category of a type that is called so, by id, title or path.
    fn find(&self, name: &str, of_type: &str) -> Result<&Category, Error> {
        let mut found = Vec::new();
        for category in self.tree.iter() {
            let is_called = is_called(category, name) || self.tree.path(category.update.id) == name;
            if is_called && is_of_type(category.kind, of_type)? {
                found.push(category);
            }
        }
        match found[..] {
            [category] => Ok(category),
            [] => {
                let (name, see) = (name.to_owned(), "tierline category list");
                Err(Error::Unknown { what: "category", name, see })
            }
            _ => {
                let candidate = |category: &&Category| {
                    let (id, kind) = (category.update.id, category.kind.as_str());
                    format!("{} ({kind} {id})", self.tree.path(id))
                };
                let candidates = found.iter().map(candidate).collect::<Vec<_>>().join(", ");
                Err(Error::Ambiguous { what: "category", name: name.to_owned(), candidates })
            }
        }
    }
}

fn is_of_type(kind: CategoryKind, of_type: &str) -> Result<bool, Error> {
    Ok(match of_type {
        "" => true,
        PRODUCTS => kind != CategoryKind::Classification,
        name => kind == CategoryKind::from_name(name)?,
    })
}

pub(super) fn list(v: &View<'_>, asked: pb::ListCategoriesRequest) -> Answer<Vec<pb::Category>> {
    // Also where there is no category yet.
    is_of_type(CategoryKind::Company, &asked.r#type)?;
    let catalog = Catalog::read(v)?;
    let is_asked = |category: &&Category| is_of_type(category.kind, &asked.r#type).unwrap_or(false);
    Ok(catalog.rows(catalog.tree.iter().filter(is_asked)))
}

pub(super) fn subscribe(
    c: &Change<'_>,
    asked: pb::SetSubscriptionRequest,
) -> Answer<Vec<pb::Category>> {
    let pb::SetSubscriptionRequest { categories: wanted, subscribed, r#type } = asked;
    c.require_top("products and classifications are chosen")?;
    let (catalog, mut named) = (Catalog::read(c)?, BTreeSet::new());
    for name in wanted {
        let category = catalog.find(&name, &r#type)?;
        let id = category.update.id;
        let by = catalog.tree.selected_by(id).filter(|by| by.update.id != id);
        if let Some(by) = by.filter(|_| !subscribed && !category.subscribed) {
            let (name, by) = (category.title().to_owned(), by.title().to_owned());
            return Err(Error::SelectedAbove { name, by });
        }
        named.insert(id);
    }
    let chosen = catalog.tree.iter().filter(|category| named.contains(&category.update.id));
    let changed: Vec<Category> =
        chosen.map(|category| Category { subscribed, ..category.clone() }).collect();
    for category in &changed {
        let verb = if subscribed { "subscription" } else { "end of subscription" };
        c.audit(Deed::Changed, format!("{verb} of {}", category.title()))?;
    }
    c.write_own(Group::Catalog, changed.iter().map(Own::put).collect())?;
    let catalog = Catalog { tree: categories(c)?, ..catalog };
    let chosen = catalog.tree.iter().filter(|category| named.contains(&category.update.id));
    Ok(catalog.rows(chosen))
}

pub(super) fn acknowledge(
    c: &Change<'_>,
    _: pb::AcknowledgeCategoriesRequest,
) -> Answer<Vec<pb::Category>> {
    let catalog = Catalog::read(c)?;
    c.audit(Deed::Changed, "new products and classifications, which are seen")?;
    c.see_categories(catalog.tree.iter().map(|category| category.since).max().unwrap_or(0))?;
    Ok(catalog.rows(catalog.tree.iter().filter(|category| catalog.is_new(category))))
}
