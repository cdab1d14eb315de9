//! Documents and files by their names.

use model::{ItemFile, Languages, Sha1, Sha256, UpdateId, UpdateRef};
use sha2::{Digest as _, Sha256 as Hasher};
use sqlite_engine::{ReadTx, Row, RowResult, params, parse_column};
use zstd::bulk::Decompressor;

use crate::catalog::{Catalog, update_ref};
use crate::{Error, limits};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDocument {
    /// The revision's number in this catalog alone.
    pub local_id: i64,
    pub update: UpdateRef,
    pub sha256: Sha256,
    /// Byte for byte as it came.
    pub xml: String,
}

/// A file that an update names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogFile {
    pub file: ItemFile,
    pub sources: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileName {
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Catalog {
    /// The documents of these revisions, in this order; those not here are left out.
    pub async fn documents(&self, updates: Vec<UpdateRef>) -> Result<Vec<StoredDocument>, Error> {
        bounded(updates.len(), limits::DOCUMENTS_MAX)?;
        let found = move |tx: &ReadTx| -> Result<Vec<StoredDocument>, Error> {
            let mut shelf = Shelf::open(tx)?;
            updates.iter().filter_map(|update| shelf.document(*update).transpose()).collect()
        };
        self.database.read(found).await
    }

    /// The documents of the first of these revisions, as many as have so many bytes together and at
    /// least one, and how many revisions that were.
    pub async fn documents_within(
        &self,
        updates: Vec<UpdateRef>,
        bytes_max: usize,
    ) -> Result<(Vec<StoredDocument>, usize), Error> {
        let found = move |tx: &ReadTx| -> Result<_, Error> {
            let (mut shelf, mut found, mut bytes, mut read) = (Shelf::open(tx)?, Vec::new(), 0, 0);
            for update in updates.into_iter().take(limits::DOCUMENTS_MAX) {
                read += 1;
                if let Some(stored) = shelf.document(update)? {
                    bytes += stored.xml.len();
                    found.push(stored);
                }
                if bytes >= bytes_max {
                    break;
                }
            }
            Ok((found, read))
        };
        self.database.read(found).await
    }

    /// How many revisions are known, those that are gone included.
    pub async fn revisions(&self) -> Result<u64, Error> {
        let sql = "SELECT count(*) FROM revision";
        Ok(self.database.read(move |tx| tx.query_row(sql, [], |row| row.get(0))).await?)
    }

    /// Which of these revisions are not here and were never let go: what a synchronization still
    /// has to fetch.
    pub async fn missing(&self, updates: Vec<UpdateRef>) -> Result<Vec<UpdateRef>, Error> {
        bounded(updates.len(), limits::IDS_MAX)?;
        let sql = "SELECT 1 FROM revision WHERE update_id = ?1 AND revision = ?2
                     AND (document IS NOT NULL OR NOT is_latest)
                   UNION ALL
                   SELECT 1 FROM ruling WHERE update_id = ?1 AND dropped >= ?2";
        self.database
            .read(move |tx| {
                let mut missing = Vec::new();
                for update in updates {
                    let name = params![update.id.as_bytes(), update.revision];
                    if tx.query_optional(sql, name, |_| Ok(()))?.is_none() {
                        missing.push(update);
                    }
                }
                Ok(missing)
            })
            .await
    }

    /// The digests of every revision of these updates; of obsolete ones, too, which are not new
    /// because their documents went.
    pub async fn digests(&self, ids: Vec<UpdateId>) -> Result<Vec<(UpdateRef, Sha256)>, Error> {
        bounded(ids.len(), limits::IDS_MAX)?;
        let sql = "SELECT update_id, revision, sha256 FROM revision
                   WHERE update_id = ?1 AND (document IS NOT NULL OR NOT is_latest)
                   ORDER BY revision";
        self.database
            .read(move |tx| {
                let mut digests = Vec::new();
                for id in ids {
                    let digest = |row: &Row<'_>| Ok((update_ref(row)?, sha256(row, 2)?));
                    digests.extend(tx.query_all(sql, [id.as_bytes()], digest)?);
                }
                Ok(digests)
            })
            .await
    }

    /// For which languages a file is, by the updates that name it; all, if it is for whichever a
    /// computer speaks or if none names it.
    pub async fn file_languages(&self, sha1: Sha1) -> Result<Languages, Error> {
        let sql = "SELECT DISTINCT languages FROM file
                   JOIN revision ON revision.id = file.revision
                   WHERE sha1 = ?1 AND document IS NOT NULL";
        let bits: Vec<u64> =
            self.database.read(move |tx| tx.query_all(sql, [sha1.0], |row| row.get(0))).await?;
        let all = bits.contains(&0);
        let together = bits.into_iter().fold(0, |all, bits| all | bits);
        Ok(Languages::from_bits(if all { 0 } else { together }))
    }

    /// The files of a revision, in its order.
    pub async fn files(&self, update: UpdateRef) -> Result<Vec<CatalogFile>, Error> {
        let sql = "SELECT name, file.size, sha1, file.sha256 FROM file
                   JOIN revision ON revision.id = file.revision
                   WHERE update_id = ?1 AND revision.revision = ?2 ORDER BY position";
        self.database
            .read(move |tx| {
                let name = params![update.id.as_bytes(), update.revision];
                let files = tx.query_all(sql, name, item_file)?;
                files.into_iter().map(|file| with_sources(tx, file)).collect()
            })
            .await
    }

    /// A file that any revision names so.
    pub async fn file(&self, name: FileName) -> Result<Option<CatalogFile>, Error> {
        let by_sha1 = "SELECT name, size, sha1, sha256 FROM file WHERE sha1 = ?1
                       ORDER BY sha256 IS NULL, revision DESC LIMIT 1";
        let by_sha256 = "SELECT name, size, sha1, sha256 FROM file WHERE sha256 = ?1
                         ORDER BY revision DESC LIMIT 1";
        self.database
            .read(move |tx| {
                let file = match name {
                    FileName::Sha1(digest) => tx.query_optional(by_sha1, [digest.0], item_file),
                    FileName::Sha256(digest) => tx.query_optional(by_sha256, [digest.0], item_file),
                };
                file?.map(|file| with_sources(tx, file)).transpose()
            })
            .await
    }
}

/// Documents of one snapshot, unpacked.
pub(crate) struct Shelf<'tx> {
    pub(crate) tx: &'tx ReadTx,
    /// Making one costs more than unpacking a document.
    unpacker: Decompressor<'static>,
}

impl Shelf<'_> {
    pub(crate) fn open(tx: &ReadTx) -> Result<Shelf<'_>, Error> {
        let unpacker = Decompressor::new().map_err(|source| Error::Compression { source })?;
        Ok(Shelf { tx, unpacker })
    }

    pub(crate) fn document_of(&mut self, local_id: i64) -> Result<Option<StoredDocument>, Error> {
        let sql = "SELECT update_id, revision FROM revision WHERE id = ?1";
        let update = self.tx.query_optional(sql, [local_id], update_ref)?;
        update.map_or(Ok(None), |update| self.document(update))
    }

    pub(crate) fn document(&mut self, update: UpdateRef) -> Result<Option<StoredDocument>, Error> {
        let sql = "SELECT id, sha256, size, document FROM revision
                   WHERE update_id = ?1 AND revision = ?2 AND document IS NOT NULL";
        let name = params![update.id.as_bytes(), update.revision];
        let found = self.tx.query_optional(sql, name, |row| {
            let size: usize = row.get(2)?;
            let bytes = self.unpacker.decompress(row.get_ref(3)?.as_blob()?, size);
            Ok((row.get::<_, i64>(0)?, sha256(row, 1)?, bytes))
        })?;
        let Some((local_id, sha256, bytes)) = found else { return Ok(None) };
        let damaged = |reason: String| Error::ReadDocument { update, reason };
        let bytes = bytes.map_err(|error| damaged(error.to_string()))?;
        if Sha256(Hasher::digest(&bytes).into()) != sha256 {
            return Err(damaged("its digest is not the one recorded".to_owned()));
        }
        let xml = String::from_utf8(bytes).map_err(|error| damaged(error.to_string()))?;
        Ok(Some(StoredDocument { local_id, update, sha256, xml }))
    }
}

pub(crate) fn sha256(row: &Row<'_>, column: usize) -> RowResult<Sha256> {
    parse_column(row, column, |bytes: Vec<u8>| Sha256::from_slice(&bytes))
}

pub(crate) fn item_file(row: &Row<'_>) -> RowResult<ItemFile> {
    let optional = |bytes: Option<Vec<u8>>| bytes.map(|b| Sha256::from_slice(&b)).transpose();
    Ok(ItemFile {
        name: row.get(0)?,
        size: row.get(1)?,
        sha1: parse_column(row, 2, |bytes: Vec<u8>| Sha1::from_slice(&bytes))?,
        sha256: parse_column(row, 3, optional)?,
    })
}

fn with_sources(tx: &ReadTx, file: ItemFile) -> Result<CatalogFile, Error> {
    let sql = "SELECT url FROM file_source WHERE sha1 = ?1 ORDER BY url";
    let sources = tx.query_all(sql, [file.sha1.0], |row| row.get(0))?;
    Ok(CatalogFile { file, sources })
}

fn bounded(ids: usize, max: usize) -> Result<(), Error> {
    if ids > max { Err(Error::AskForIds { ids, max }) } else { Ok(()) }
}
