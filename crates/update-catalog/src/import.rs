//! Taking in documents, and letting them go.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use model::{CategoryKind, ItemFile, Sha256, UpdateId, UpdateRef};
use sha2::{Digest as _, Sha256 as Hasher};
use sqlite_engine::{WriteTx, params};
use update_metadata::Document;
use update_metadata::sdp::{FileSource, Rejected};
use zstd::bulk::Compressor;

use crate::catalog::{Catalog, next_change};
use crate::documents::sha256;
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
    /// Documents that were here, byte for byte.
    pub unchanged: usize,
    pub rejected: Vec<Rejected>,
}

/// A document read through and packed, or why it was not taken.
type Prepared = Result<Result<Packed, Rejected>, Error>;

struct Packed {
    document: Document,
    digest: Sha256,
    size: usize,
    bytes: Vec<u8>,
}

impl Catalog {
    /// Documents are read and packed on threads of their own, beside the transaction.
    pub async fn import(&self, batch: Batch) -> Result<Imported, Error> {
        let documents = batch.documents.len();
        if documents > limits::BATCH_DOCUMENTS_MAX {
            return Err(Error::ImportBatch { documents });
        }
        let import = move |tx: &WriteTx| {
            let imported = with_prepared(&batch.documents, |all| store(tx, all))?;
            record(tx, &batch.sources, batch.anchor)?;
            Ok(imported)
        };
        self.database.write(import).await
    }

    /// Removes every revision of these updates and says how many updates were here. Followers
    /// hear of it; the documents are gone.
    pub async fn remove(&self, ids: Vec<UpdateId>) -> Result<usize, Error> {
        self.database
            .write(move |tx| ids.into_iter().try_fold(0, |sum, id| Ok(sum + remove(tx, id)?)))
            .await
    }
}

/// Deals the documents out to a few threads and hands them to `store` as they come back, in order.
fn with_prepared<T>(
    documents: &[String],
    store: impl FnOnce(&mut dyn Iterator<Item = Prepared>) -> T,
) -> T {
    let lanes = limits::LANES.min(documents.len());
    thread::scope(|scope| {
        let start = |lane| {
            let (sender, prepared) = sync_channel(limits::PREPARED_MAX);
            let mine = documents.iter().enumerate().skip(lane).step_by(lanes);
            scope.spawn(move || prepare(mine, &sender));
            prepared
        };
        let lanes: Vec<Receiver<Prepared>> = (0..lanes).map(start).collect();
        let in_turn = lanes.iter().cycle().take(documents.len());
        // A thread that panics ends this early, and its panic goes on when the scope is left.
        store(&mut in_turn.map_while(|lane| lane.recv().ok()))
    })
}

fn prepare<'a>(
    documents: impl Iterator<Item = (usize, &'a String)>,
    sender: &SyncSender<Prepared>,
) {
    let mut compressor = Compressor::new(limits::COMPRESSION_LEVEL);
    for (index, xml) in documents {
        let packed = match &mut compressor {
            Ok(compressor) => pack(xml, index + 1, compressor),
            Err(error) => Err(Error::Compression { source: error.kind().into() }),
        };
        // A writer that went away needs no more.
        if sender.send(packed).is_err() {
            return;
        }
    }
}

fn pack(xml: &str, number: usize, compressor: &mut Compressor<'_>) -> Prepared {
    let document = match Document::parse(xml.as_bytes()) {
        Ok(document) => document,
        Err(error) => {
            let place = format!("document {number}");
            return Ok(Err(Rejected { place, reason: model::error_chain(&error) }));
        }
    };
    let digest = Sha256(Hasher::digest(xml.as_bytes()).into());
    let bytes = compressor.compress(xml.as_bytes());
    let bytes = bytes.map_err(|source| Error::Compression { source })?;
    Ok(Ok(Packed { document, digest, size: xml.len(), bytes }))
}

fn store(tx: &WriteTx, prepared: &mut dyn Iterator<Item = Prepared>) -> Result<Imported, Error> {
    let mut result = Imported::default();
    let sql = "SELECT sha256 FROM revision
               WHERE update_id = ?1 AND revision = ?2 AND document IS NOT NULL";
    for packed in prepared {
        let packed = match packed? {
            Ok(packed) => packed,
            Err(rejected) => {
                result.rejected.push(rejected);
                continue;
            }
        };
        let UpdateRef { id, revision } = packed.document.update;
        match tx.query_optional(sql, params![id.as_bytes(), revision], |row| sha256(row, 0))? {
            Some(known) if known == packed.digest => result.unchanged += 1,
            Some(_) => result.rejected.push(Rejected {
                place: format!("update {id} revision {revision}"),
                reason: "this revision is here with other content".to_owned(),
            }),
            None => {
                insert(tx, &packed)?;
                result.imported.push(packed.document.update);
            }
        }
    }
    Ok(result)
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
        let sql = "INSERT OR REPLACE INTO upstream_anchor (name, anchor) VALUES (?1, ?2)";
        tx.execute(sql, params![name, anchor])?;
    }
    Ok(())
}

fn insert(tx: &WriteTx, packed: &Packed) -> Result<(), Error> {
    let Packed { document, digest, size, bytes } = packed;
    let UpdateRef { id, revision } = document.update;
    let sql = "DELETE FROM revision WHERE update_id = ?1 AND document IS NULL";
    tx.execute(sql, [id.as_bytes()])?;
    let sql = "SELECT revision, category_kind, category_parent FROM revision
               WHERE update_id = ?1 AND is_latest";
    let latest = tx.query_optional(sql, [id.as_bytes()], |row| {
        let kind: Option<String> = row.get(1)?;
        Ok((row.get::<_, u32>(0)?, kind, row.get::<_, Option<Vec<u8>>>(2)?))
    })?;
    let is_latest = latest.as_ref().is_none_or(|(latest, ..)| *latest < revision);
    if is_latest {
        let sql = "UPDATE revision SET is_latest = 0 WHERE update_id = ?1 AND is_latest";
        tx.execute(sql, [id.as_bytes()])?;
    }
    let kind = document.category.map(CategoryKind::as_str);
    let parent = document.category.and_then(|_| document.parent_category());
    let parent = parent.map(|parent| parent.as_bytes().to_vec());
    let sql = "INSERT INTO revision (update_id, revision, is_item, audience, category_kind,
                                     category_parent, is_latest, changed, sha256, size, document)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let (is_item, changed) = (document.is_item(), next_change(tx)?);
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
        bytes
    ];
    tx.execute(sql, values)?;
    insert_details(tx, document)?;
    let known = latest.map(|(_, kind, parent)| (kind, parent));
    if is_latest && kind.is_some() && known != Some((kind.map(str::to_owned), parent)) {
        touch_members(tx, id)?;
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
fn touch_members(tx: &WriteTx, category: UpdateId) -> Result<(), Error> {
    let sql = "SELECT DISTINCT member.id FROM relation JOIN revision AS member
                 ON member.id = relation.revision
               WHERE target = ?1 AND kind = 'category' AND member.is_item AND member.is_latest
               ORDER BY member.id";
    let members: Vec<i64> = tx.query_all(sql, [category.as_bytes()], |row| row.get(0))?;
    for member in members {
        let sql = "UPDATE revision SET changed = ?2 WHERE id = ?1";
        tx.execute(sql, params![member, next_change(tx)?])?;
    }
    Ok(())
}

fn remove(tx: &WriteTx, id: UpdateId) -> Result<usize, Error> {
    let sql = "DELETE FROM revision WHERE update_id = ?1 AND NOT is_latest";
    tx.execute(sql, [id.as_bytes()])?;
    let sql = "SELECT id FROM revision WHERE update_id = ?1 AND document IS NOT NULL";
    let Some(row) = tx.query_optional(sql, [id.as_bytes()], |row| row.get::<_, i64>(0))? else {
        return Ok(0);
    };
    for sql in [
        "DELETE FROM relation WHERE revision = ?1",
        "DELETE FROM file WHERE revision = ?1",
        "DELETE FROM fragment WHERE revision = ?1",
    ] {
        tx.execute(sql, [row])?;
    }
    let sql = "UPDATE revision SET document = NULL, changed = ?2 WHERE id = ?1";
    tx.execute(sql, params![row, next_change(tx)?]).map_err(Error::from)
}
