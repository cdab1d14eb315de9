//! What is selected for synchronization: categories as a tree, company over family over product
//! (SUPX-03).
//!
//! Whoever chooses a company or a family chooses all that is below it, also what comes later.
//! Parents that are not here, and circles, end the way upward.

use std::collections::BTreeMap;

use crate::{Category, CategoryKind, UpdateId};

/// Companies, families and products of families; publishers go no deeper.
const DEPTH_MAX: usize = 16;

/// Categories by id, with their ways upward.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CategoryTree(BTreeMap<UpdateId, Category>);

impl FromIterator<Category> for CategoryTree {
    fn from_iter<I: IntoIterator<Item = Category>>(categories: I) -> CategoryTree {
        CategoryTree(
            categories.into_iter().map(|category| (category.update.id, category)).collect(),
        )
    }
}

impl CategoryTree {
    #[must_use]
    pub fn get(&self, id: UpdateId) -> Option<&Category> {
        self.0.get(&id)
    }

    /// In order of id.
    pub fn iter(&self) -> impl Iterator<Item = &Category> {
        self.0.values()
    }

    /// A category and what it belongs to, from the bottom to the top.
    #[must_use]
    pub fn way_up(&self, id: UpdateId) -> Vec<&Category> {
        let mut way: Vec<&Category> = Vec::new();
        let mut next = self.0.get(&id);
        while let Some(category) = next.filter(|category| {
            way.len() < DEPTH_MAX && !way.iter().any(|met| met.update.id == category.update.id)
        }) {
            way.push(category);
            next = category.parent.and_then(|parent| self.0.get(&parent));
        }
        way
    }

    /// Titles from the top to the bottom.
    #[must_use]
    pub fn path(&self, id: UpdateId) -> String {
        let way = self.way_up(id);
        way.iter().rev().map(|category| category.title()).collect::<Vec<_>>().join(" > ")
    }

    /// By whose subscription a category is selected: its own, or the nearest above it.
    #[must_use]
    pub fn selected_by(&self, id: UpdateId) -> Option<&Category> {
        self.way_up(id).into_iter().find(|category| category.subscribed)
    }

    /// Whether updates that name these categories are asked for with any of them.
    #[must_use]
    pub fn is_selected(&self, id: UpdateId) -> bool {
        self.selected_by(id).is_some()
    }

    /// The selected products and families, then the selected classifications.
    #[must_use]
    pub fn selection(&self) -> (Vec<UpdateId>, Vec<UpdateId>) {
        let selected = self.iter().filter(|category| self.is_selected(category.update.id));
        let chosen = selected.filter(|category| category.kind != CategoryKind::Company);
        let (classifications, products): (Vec<&Category>, Vec<&Category>) =
            chosen.partition(|category| category.kind == CategoryKind::Classification);
        let ids = |list: Vec<&Category>| list.iter().map(|category| category.update.id).collect();
        (ids(products), ids(classifications))
    }
}

#[cfg(test)]
mod tests;
