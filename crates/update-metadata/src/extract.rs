//! What an administrator sees of a document.

use std::collections::BTreeSet;

use model::{Category, CategoryKind, Item, ItemFile, Sha256, UpdateId};

use crate::{Document, UpdateKind};

/// Rises when the same document gives another item; everything is then served again.
pub const EXTRACTOR_VERSION: u32 = 2;

/// Companies, families, products: real catalogs nest four deep.
const CATEGORY_DEPTH_MAX: usize = 8;

/// What is known of a category by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CategoryNode {
    pub kind: CategoryKind,
    pub parent: Option<UpdateId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extracted {
    /// Its number and the catalog version that brought it are zero: a site gives them.
    Item(Box<Item>),
    /// Not subscribed: the administrator decides.
    Category(Category),
    /// A detectoid, or a category that names no type.
    Nothing,
}

/// The item or category of a document whose bytes have this digest. Categories that `lookup`
/// does not know stay out; they appear when the document is extracted again.
pub fn extract(
    document: &Document,
    digest: Sha256,
    lookup: &dyn Fn(UpdateId) -> Option<CategoryNode>,
) -> Extracted {
    match (document.properties.kind, document.category) {
        (UpdateKind::Software | UpdateKind::Driver, _) => {
            Extracted::Item(Box::new(item(document, digest, lookup)))
        }
        (UpdateKind::Category, Some(kind)) => Extracted::Category(Category {
            update: document.update,
            kind,
            parent: document.parent_category(),
            texts: document.texts.clone(),
            subscribed: false,
            since: 0,
        }),
        (UpdateKind::Category | UpdateKind::Detectoid, _) => Extracted::Nothing,
    }
}

impl Document {
    /// Of a category: the one it belongs to.
    #[must_use]
    pub fn parent_category(&self) -> Option<UpdateId> {
        self.categories().next()
    }

    /// What it says it belongs to.
    pub fn categories(&self) -> impl Iterator<Item = UpdateId> {
        let clauses = self.relations.prerequisites.iter().filter(|clause| clause.is_category);
        clauses.flat_map(|clause| clause.any_of.iter().copied())
    }
}

fn item(
    document: &Document,
    digest: Sha256,
    lookup: &dyn Fn(UpdateId) -> Option<CategoryNode>,
) -> Item {
    let properties = &document.properties;
    let mut classification = None;
    let mut products = BTreeSet::new();
    let mut company = None;
    for id in document.categories() {
        match lookup(id).map(|node| node.kind) {
            Some(CategoryKind::Classification) => classification = classification.or(Some(id)),
            Some(CategoryKind::Product | CategoryKind::ProductFamily) => {
                products.insert(id);
                company = company.or_else(|| company_of(id, lookup));
            }
            Some(CategoryKind::Company) => company = company.or(Some(id)),
            None => {}
        }
    }
    Item {
        number: 0,
        update: document.update,
        since: 0,
        document: digest,
        texts: document.texts.clone(),
        classification,
        products: products.into_iter().collect(),
        company,
        severity: properties.severity,
        kb_articles: properties.kb_articles.clone(),
        bulletins: properties.bulletins.clone(),
        cves: properties.cves.clone(),
        created_at: properties.created_at,
        expired: properties.is_expired,
        expired_at: None,
        withdrawn: false,
        hidden: !properties.is_explicitly_deployable,
        linux_only: document.uses_linux_rules(),
        may_restart: document.may_restart(),
        languages: properties.languages.clone(),
        has_license: properties.has_license,
        supersedes: document.relations.superseded.clone(),
        prerequisites: prerequisites(document),
        bundles: document.relations.bundled.iter().flatten().copied().collect(),
        files: full_files(document),
    }
}

/// All that its clauses name; what it belongs to is told elsewhere.
fn prerequisites(document: &Document) -> Vec<UpdateId> {
    let clauses = document.relations.prerequisites.iter().filter(|clause| !clause.is_category);
    let named: BTreeSet<UpdateId> = clauses.flat_map(|clause| clause.any_of.clone()).collect();
    named.into_iter().collect()
}

/// Full files only (SUPX-11).
fn full_files(document: &Document) -> Vec<ItemFile> {
    let is_full = |file: &&ItemFile| !document.express.contains(&file.sha1);
    document.files.iter().filter(is_full).cloned().collect()
}

fn company_of(
    product: UpdateId,
    lookup: &dyn Fn(UpdateId) -> Option<CategoryNode>,
) -> Option<UpdateId> {
    let mut id = product;
    for _ in 0..CATEGORY_DEPTH_MAX {
        let node = lookup(id)?;
        if node.kind == CategoryKind::Company {
            return Some(id);
        }
        id = node.parent?;
    }
    None
}

#[cfg(test)]
mod tests;
