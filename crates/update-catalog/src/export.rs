//! The catalog on its way out as a file, and how far other servers' catalogs came in as files.
//!
//! Owns what a page of changes is accompanied by: the files its documents name, and where they can
//! be had; and the anchors of the servers whose bundles were taken in. Refuses to know the format
//! of a file.

use std::collections::BTreeSet;

use model::{ItemFile, Sha1, Sha256, UpdateId};
use sqlite_engine::{ReadTx, Row, RowResult, WriteTx, params};
use uuid::Uuid;

use crate::Error;
use crate::catalog::Catalog;
use crate::changes::page;
use crate::documents::{StoredDocument, item_file, sha256};

/// A page of changes, with what belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    pub documents: Vec<StoredDocument>,
    pub removed: Vec<UpdateId>,
    /// Files of the documents, each once.
    pub files: Vec<ItemFile>,
    /// The last change of the page.
    pub anchor: u64,
    pub is_last: bool,
}

/// What came last of another server's catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastBundle {
    pub anchor: u64,
    /// SHA-256 of the manifest.
    pub manifest: Sha256,
}

impl Catalog {
    /// What changed after change `since`.
    pub async fn export(&self, since: u64) -> Result<Exported, Error> {
        self.database.read(move |tx| export(tx, since)).await
    }

    /// Where these files can be had.
    pub async fn sources(&self, files: Vec<Sha1>) -> Result<Vec<(Sha1, String)>, Error> {
        let sql = "SELECT url FROM file_source WHERE sha1 = ?1 ORDER BY url";
        self.database
            .read(move |tx| {
                let mut sources = Vec::new();
                for sha1 in files {
                    let urls = tx.query_all(sql, [sha1.0], |row| row.get(0))?;
                    sources.extend(urls.into_iter().map(|url| (sha1, url)));
                }
                Ok(sources)
            })
            .await
    }

    /// The last bundle of a server's catalog that was taken in.
    pub async fn last_bundle(&self, server_id: Uuid) -> Result<Option<LastBundle>, Error> {
        let sql = "SELECT anchor, manifest FROM bundle WHERE server_id = ?1";
        let read = |row: &Row<'_>| -> RowResult<LastBundle> {
            Ok(LastBundle { anchor: row.get(0)?, manifest: sha256(row, 1)? })
        };
        let find = move |tx: &ReadTx| tx.query_optional(sql, [server_id.as_bytes()], read);
        Ok(self.database.read(find).await?)
    }

    /// The whole of a bundle is here.
    pub async fn note_bundle(&self, server_id: Uuid, last: LastBundle) -> Result<(), Error> {
        let sql = "INSERT OR REPLACE INTO bundle (server_id, anchor, manifest) VALUES (?1, ?2, ?3)";
        let LastBundle { anchor, manifest } = last;
        let note =
            move |tx: &WriteTx| tx.execute(sql, params![server_id.as_bytes(), anchor, manifest.0]);
        Ok(self.write(note).await.map(drop)?)
    }
}

fn export(tx: &ReadTx, since: u64) -> Result<Exported, Error> {
    let page = page(tx, since, |_, document| Ok(document))?;
    let mut exported = Exported { anchor: since, is_last: page.is_last, ..Exported::default() };
    for change in page.changes {
        exported.anchor = change.number;
        match change.content {
            Some(document) => exported.documents.push(document),
            None => exported.removed.push(change.update.id),
        }
    }
    let sql = "SELECT name, size, sha1, sha256 FROM file WHERE revision = ?1 ORDER BY position";
    let mut known = BTreeSet::new();
    for document in &exported.documents {
        let files: Vec<ItemFile> = tx.query_all(sql, [document.local_id], item_file)?;
        exported.files.extend(files.into_iter().filter(|file| known.insert(file.sha1)));
    }
    Ok(exported)
}

#[cfg(test)]
mod tests;
