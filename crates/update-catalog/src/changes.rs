//! What changed, in pages: documents for agents, items for a site.
//!
//! A follower asks for changes after the number it knows until a page is the last one; it then
//! holds everything of the version that page names. Of several revisions only the latest counts.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use model::{CatalogVersion, CategoryKind, UpdateId, UpdateRef};
use sqlite_engine::{ReadTx, params, parse_column};
use update_metadata::{CategoryNode, Document, Extracted, extract};

use crate::catalog::{Catalog, state, update_id, update_ref};
use crate::documents::{Shelf, StoredDocument};
use crate::{Error, limits};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<T> {
    pub number: u64,
    pub update: UpdateRef,
    /// Nothing if the update was removed.
    pub content: Option<T>,
    /// It is offered to nobody; others may need it.
    pub is_declined: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub changes: Vec<Change<T>>,
    /// Whether there was nothing after this page.
    pub is_last: bool,
    /// The last complete version when the page was read.
    pub version: Option<CatalogVersion>,
}

impl Catalog {
    /// Documents changed after change `since`.
    pub async fn changed_documents(&self, since: u64) -> Result<Page<StoredDocument>, Error> {
        self.database.read(move |tx| page(tx, since, |_, document| Ok(document))).await
    }

    /// The same in small pages, for whoever looks at one document after the other and has little
    /// memory.
    pub async fn few_documents(&self, since: u64) -> Result<Page<StoredDocument>, Error> {
        let few = (limits::FEW_CHANGES_MAX, limits::FEW_BYTES_MAX);
        self.database.read(move |tx| bounded(tx, since, few, |_, document| Ok(document))).await
    }

    /// Items and categories changed after change `since`; detectoids are there as nothing.
    pub async fn changed_items(&self, since: u64) -> Result<Page<Extracted>, Error> {
        let mut categories = Categories::default();
        self.database
            .read(move |tx| page(tx, since, |tx, stored| categories.extract(tx, &stored)))
            .await
    }
}

pub(crate) fn page<T>(
    tx: &ReadTx,
    since: u64,
    make: impl FnMut(&ReadTx, StoredDocument) -> Result<T, Error>,
) -> Result<Page<T>, Error> {
    bounded(tx, since, (limits::PAGE_CHANGES_MAX, limits::PAGE_BYTES_MAX), make)
}

fn bounded<T>(
    tx: &ReadTx,
    since: u64,
    (changes_max, bytes_max): (usize, u64),
    mut make: impl FnMut(&ReadTx, StoredDocument) -> Result<T, Error>,
) -> Result<Page<T>, Error> {
    let sql = "SELECT revision.update_id, revision, revision.changed,
                      iif(document IS NULL, 0, size), coalesce(is_declined, 0)
               FROM revision LEFT JOIN ruling ON ruling.update_id = revision.update_id
               WHERE revision.changed > ?1 AND is_latest ORDER BY revision.changed LIMIT ?2";
    // One more than a page holds tells whether it is the last.
    let rows = tx.query_all(sql, params![since, changes_max + 1], |row| {
        let (number, size) = (row.get::<_, u64>(2)?, row.get::<_, u64>(3)?);
        Ok((update_ref(row)?, number, size, row.get::<_, bool>(4)?))
    })?;
    let mut bytes = 0;
    let fits = |(place, (_, _, size, _)): &(usize, &(UpdateRef, u64, u64, bool))| {
        bytes += size;
        *place == 0 || (*place < changes_max && bytes <= bytes_max)
    };
    let count = rows.iter().enumerate().take_while(fits).count();
    let (mut changes, mut shelf) = (Vec::with_capacity(count), Shelf::open(tx)?);
    for &(update, number, _, is_declined) in &rows[..count] {
        let content = shelf.document(update)?.map(|stored| make(tx, stored)).transpose()?;
        changes.push(Change { number, update, content, is_declined });
    }
    let version = state(tx)?.version.map(|(version, _)| version);
    Ok(Page { changes, is_last: count == rows.len(), version })
}

/// The categories looked up for one page.
#[derive(Default)]
struct Categories(BTreeMap<UpdateId, Option<CategoryNode>>);

impl Categories {
    fn extract(&mut self, tx: &ReadTx, stored: &StoredDocument) -> Result<Extracted, Error> {
        let document = Document::parse(stored.xml.as_bytes()).map_err(|error| {
            Error::ReadDocument { update: stored.update, reason: model::error_chain(&error) }
        })?;
        let mut wanted: Vec<UpdateId> = document.categories().collect();
        while let Some(id) = wanted.pop() {
            if let Entry::Vacant(unknown) = self.0.entry(id) {
                let node = *unknown.insert(category(tx, id)?);
                wanted.extend(node.and_then(|node| node.parent));
            }
        }
        Ok(extract(&document, stored.sha256, &|id| self.0.get(&id).copied().flatten()))
    }
}

fn category(tx: &ReadTx, id: UpdateId) -> Result<Option<CategoryNode>, Error> {
    let sql = "SELECT category_parent, category_kind FROM revision
               WHERE update_id = ?1 AND is_latest AND document IS NOT NULL
                 AND category_kind IS NOT NULL";
    Ok(tx.query_optional(sql, [id.as_bytes()], |row| {
        let kind = parse_column(row, 1, |name: String| CategoryKind::from_name(&name))?;
        let has_parent = row.get::<_, Option<Vec<u8>>>(0)?.is_some();
        let parent = has_parent.then(|| update_id(row, 0)).transpose()?;
        Ok(CategoryNode { kind, parent })
    })?)
}
