//! Taking in documents, and letting them go.

use model::{CategoryKind, ItemFile, Languages, Sha256, UpdateId, UpdateRef};
use sqlite_engine::{WriteTx, params};
use update_metadata::Document;
use update_metadata::sdp::{FileSource, Rejected};

use crate::catalog::{Catalog, next_change};
use crate::documents::sha256;
use crate::prepare::{Packed, Preparation, Prepared};
use crate::scan::Audience;
use crate::{Error, limits};

/// Documents that are stored together or not at all.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub documents: Vec<String>,
    pub sources: Vec<FileSource>,
    /// With the last batch of a synchronization: its name, and the anchor upstream gave. A
    /// synchronization that ends before leaves no anchor and finds what it stored unchanged.
    pub anchor: Option<(&'static str, String)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    pub imported: Vec<UpdateRef>,
    /// Documents that were here, byte for byte, or that were dropped and have not changed since.
    pub unchanged: usize,
    pub rejected: Vec<Rejected>,
}

/// What is here of an update: one of its revisions.
struct Here {
    revision: u32,
    digest: Sha256,
    is_latest: bool,
    has_document: bool,
    category: (Option<String>, Option<Vec<u8>>),
}

/// Numbers of changes, drawn from the catalog once for a whole batch.
struct Changes(u64);

impl Catalog {
    /// Documents are read and packed on threads of their own, beside the transaction, and already
    /// while it waits for another: whoever has two batches under way keeps both busy.
    pub async fn import(&self, mut batch: Batch) -> Result<Imported, Error> {
        let documents = batch.documents.len();
        if documents > limits::BATCH_DOCUMENTS_MAX {
            return Err(Error::ImportBatch { documents });
        }
        let prepared = Preparation::start(std::mem::take(&mut batch.documents));
        let import = move |tx: &WriteTx| {
            let imported = prepared.give(|all| store(tx, all))?;
            record(tx, &batch.sources, batch.anchor)?;
            Ok(imported)
        };
        self.write(import).await
    }

    /// Removes every revision of these updates and says how many updates were here. Followers
    /// hear of it; the documents are gone.
    pub async fn remove(&self, ids: Vec<UpdateId>) -> Result<usize, Error> {
        self.write(move |tx| ids.into_iter().try_fold(0, |sum, id| Ok(sum + remove(tx, id)?))).await
    }
}

fn store(tx: &WriteTx, prepared: &mut dyn Iterator<Item = Prepared>) -> Result<Imported, Error> {
    let mut result = Imported::default();
    let mut changes = Changes::of(tx)?;
    let sql = "SELECT EXISTS (SELECT 1 FROM ruling WHERE dropped IS NOT NULL)";
    let rules_drops: bool = tx.query_row(sql, [], |row| row.get(0))?;
    for packed in prepared {
        let packed = match packed? {
            Ok(packed) => packed,
            Err(rejected) => {
                result.rejected.push(rejected);
                continue;
            }
        };
        let UpdateRef { id, revision } = packed.document.update;
        let here = here(tx, id)?;
        // What was obsolete is not taken again.
        let is_known = |h: &&Here| h.revision == revision && (h.has_document || !h.is_latest);
        match here.iter().find(is_known) {
            Some(known) if known.digest == packed.digest => result.unchanged += 1,
            Some(_) => result.rejected.push(Rejected {
                place: format!("update {id} revision {revision}"),
                reason: "this revision is here with other content".to_owned(),
            }),
            None if rules_drops && is_dropped(tx, packed.document.update)? => result.unchanged += 1,
            None => {
                insert(tx, &packed, here, &mut changes)?;
                result.imported.push(packed.document.update);
            }
        }
    }
    changes.keep(tx)?;
    Ok(result)
}

/// Whether the site let it go, at this revision or a later one.
fn is_dropped(tx: &WriteTx, update: UpdateRef) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM ruling WHERE update_id = ?1 AND dropped >= ?2";
    let found = tx.query_optional(sql, params![update.id.as_bytes(), update.revision], |_| Ok(()));
    Ok(found?.is_some())
}

fn here(tx: &WriteTx, id: UpdateId) -> Result<Vec<Here>, Error> {
    let sql = "SELECT revision, sha256, is_latest, document IS NOT NULL, category_kind,
                 category_parent
               FROM revision WHERE update_id = ?1";
    Ok(tx.query_all(sql, [id.as_bytes()], |row| {
        Ok(Here {
            revision: row.get(0)?,
            digest: sha256(row, 1)?,
            is_latest: row.get(2)?,
            has_document: row.get(3)?,
            category: (row.get(4)?, row.get(5)?),
        })
    })?)
}

impl Changes {
    fn of(tx: &WriteTx) -> Result<Changes, Error> {
        let last = tx.query_row("SELECT changes FROM catalog", [], |row| row.get(0))?;
        Ok(Changes(last))
    }

    fn next(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }

    fn keep(self, tx: &WriteTx) -> Result<(), Error> {
        tx.execute("UPDATE catalog SET changes = ?1 WHERE changes <> ?1", [self.0])?;
        Ok(())
    }
}

fn record(
    tx: &WriteTx,
    sources: &[FileSource],
    anchor: Option<(&'static str, String)>,
) -> Result<(), Error> {
    for FileSource { sha1, url } in sources {
        let sql = "INSERT OR IGNORE INTO file_source (sha1, url) VALUES (?1, ?2)";
        tx.execute(sql, params![sha1.0, url])?;
    }
    if let Some((name, anchor)) = anchor {
        // A synchronization that brought nothing writes nothing.
        let sql = "INSERT INTO upstream_anchor (name, anchor) VALUES (?1, ?2)
                   ON CONFLICT DO UPDATE SET anchor = excluded.anchor
                     WHERE anchor <> excluded.anchor";
        tx.execute(sql, params![name, anchor])?;
    }
    Ok(())
}

fn insert(
    tx: &WriteTx,
    packed: &Packed,
    here: Vec<Here>,
    changes: &mut Changes,
) -> Result<(), Error> {
    let Packed { document, digest, size, bytes } = packed;
    let UpdateRef { id, revision } = document.update;
    if here.iter().any(|here| here.is_latest && !here.has_document) {
        let sql = "DELETE FROM revision WHERE update_id = ?1 AND document IS NULL AND is_latest";
        tx.execute(sql, [id.as_bytes()])?;
    }
    let latest = here.into_iter().find(|here| here.is_latest && here.has_document);
    let is_latest = latest.as_ref().is_none_or(|latest| latest.revision < revision);
    if is_latest && latest.is_some() {
        let sql = "UPDATE revision SET is_latest = 0 WHERE update_id = ?1 AND is_latest";
        tx.execute(sql, [id.as_bytes()])?;
    }
    let kind = document.category.map(CategoryKind::as_str);
    let parent = document.category.and_then(|_| document.parent_category());
    let parent = parent.map(|parent| parent.as_bytes().to_vec());
    let sql = "INSERT INTO revision (update_id, revision, is_item, audience, category_kind,
                                     category_parent, is_latest, changed, sha256, size, document,
                                     languages)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    let languages = document.properties.languages.iter().map(String::as_str);
    let (is_item, changed) = (document.is_item(), changes.next());
    let values = params![
        id.as_bytes(),
        revision,
        is_item,
        Audience::of(document).as_str(),
        kind,
        parent,
        is_latest,
        changed,
        digest.0,
        size,
        bytes,
        Languages::named(languages).bits()
    ];
    tx.execute(sql, values)?;
    insert_details(tx, document)?;
    let known = latest.map(|latest| latest.category);
    if is_latest && kind.is_some() && known != Some((kind.map(str::to_owned), parent)) {
        touch_members(tx, id, changes)?;
    }
    Ok(())
}

fn insert_details(tx: &WriteTx, document: &Document) -> Result<(), Error> {
    let row = tx.last_insert_id();
    let relation = |kind: &str, clause: usize, target: UpdateId, revision: Option<u32>| {
        let sql = "INSERT OR IGNORE INTO relation (revision, kind, clause, target, target_revision)
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        tx.execute(sql, params![row, kind, clause, target.as_bytes(), revision])
    };
    for (clause, prerequisite) in document.relations.prerequisites.iter().enumerate() {
        let kind = if prerequisite.is_category { "category" } else { "prerequisite" };
        for &target in &prerequisite.any_of {
            relation(kind, clause, target, None)?;
        }
    }
    for (clause, group) in document.relations.bundled.iter().enumerate() {
        for member in group {
            relation("bundled", clause, member.id, Some(member.revision))?;
        }
    }
    for &target in &document.relations.superseded {
        relation("superseded", 0, target, None)?;
    }
    for (position, file) in document.files.iter().enumerate() {
        let ItemFile { name, size, sha1, sha256 } = file;
        let sql = "INSERT INTO file (revision, position, name, size, sha1, sha256)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let sha256 = sha256.as_ref().map(|digest| digest.0);
        tx.execute(sql, params![row, position, name, size, sha1.0, sha256])?;
    }
    Ok(())
}

/// A category that says something new changes the items of its members.
fn touch_members(tx: &WriteTx, category: UpdateId, changes: &mut Changes) -> Result<(), Error> {
    let sql = "SELECT DISTINCT member.id FROM relation JOIN revision AS member
                 ON member.id = relation.revision
               WHERE target = ?1 AND kind = 'category' AND member.is_item AND member.is_latest
               ORDER BY member.id";
    let members: Vec<i64> = tx.query_all(sql, [category.as_bytes()], |row| row.get(0))?;
    for member in members {
        let sql = "UPDATE revision SET changed = ?2 WHERE id = ?1";
        tx.execute(sql, params![member, changes.next()])?;
    }
    Ok(())
}

pub(crate) fn remove(tx: &WriteTx, id: UpdateId) -> Result<usize, Error> {
    let sql = "DELETE FROM revision WHERE update_id = ?1 AND NOT is_latest";
    tx.execute(sql, [id.as_bytes()])?;
    let sql = "SELECT id FROM revision WHERE update_id = ?1 AND document IS NOT NULL";
    let Some(row) = tx.query_optional(sql, [id.as_bytes()], |row| row.get::<_, i64>(0))? else {
        return Ok(0);
    };
    strip(tx, row)?;
    let sql = "UPDATE revision SET document = NULL, changed = ?2 WHERE id = ?1";
    tx.execute(sql, params![row, next_change(tx)?]).map_err(Error::from)
}

/// Deletes what was read out of the document of a revision.
pub(crate) fn strip(tx: &WriteTx, row: i64) -> Result<(), Error> {
    for sql in [
        "DELETE FROM relation WHERE revision = ?1",
        "DELETE FROM file WHERE revision = ?1",
        "DELETE FROM fragment WHERE revision = ?1",
    ] {
        tx.execute(sql, [row])?;
    }
    Ok(())
}
