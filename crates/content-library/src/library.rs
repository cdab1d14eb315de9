//! The handle of an open content library.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use ambient::Ambient;
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use model::Sha256;
use sqlite_engine::Executor;

use crate::error::Error;
use crate::index::{self, FileRecord};
use crate::limits;
use crate::receipt::{Expected, Receipt};
use crate::shelf::{Held, Shelf};
use crate::workers::Workers;

/// An open library; clones share it. One process at a time may open a directory.
#[derive(Clone, Debug)]
pub struct ContentLibrary {
    shelf: Arc<Shelf>,
    workers: Arc<Workers>,
}

/// Whether there is anything to fetch.
#[derive(Debug)]
pub enum Begun {
    Present(FileRecord),
    Receiving(Receipt),
}

/// A file that was found damaged and taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub sha256: Sha256,
    pub reason: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file {}: {}", self.sha256, self.reason)
    }
}

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    pub files: usize,
    pub bytes: u64,
}

impl ContentLibrary {
    /// Opens the library below `root`, or makes an empty one. Blocks; meant for the start of a
    /// process.
    pub fn open(
        ambient: Ambient,
        root: &Path,
        executor: Executor,
    ) -> Result<ContentLibrary, Error> {
        let shelf = Arc::new(Shelf::open(ambient, root, executor)?);
        let workers = Workers::start(executor).map_err(|source| Error::StartThreads { source })?;
        Ok(ContentLibrary { shelf, workers: Arc::new(workers) })
    }

    pub(crate) async fn on_shelf<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Arc<Shelf>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let shelf = Arc::clone(&self.shelf);
        self.workers.run(move || job(&shelf)).await
    }

    /// Starts to receive a file, or goes on where an interrupted receipt stopped.
    pub async fn begin(&self, expected: Expected) -> Result<Begun, Error> {
        let claim = self.shelf.claim(&expected)?;
        if let Some(record) = self.find(&expected).await? {
            return Ok(Begun::Present(record));
        }
        let resume = move |shelf: &Arc<Shelf>| {
            let (file, offset) = shelf.resume(&claim, &expected)?;
            Ok((claim, expected, Arc::new(file), offset))
        };
        let (claim, expected, file, offset) = self.on_shelf(resume).await?;
        Ok(Begun::Receiving(Receipt { library: self.clone(), expected, claim, file, offset }))
    }

    /// Takes in a whole file from `source`. Whatever `expected` gives is checked; SHA-256 and
    /// SHA-1 are computed.
    pub async fn import(
        &self,
        expected: Expected,
        source: impl Read + Send + 'static,
    ) -> Result<FileRecord, Error> {
        self.on_shelf(move |shelf| shelf.import(&expected, source)).await
    }

    /// The file that `expected` describes, if it is here.
    pub async fn find(&self, expected: &Expected) -> Result<Option<FileRecord>, Error> {
        let &Expected { size, sha256, sha1, .. } = expected;
        let find = move |tx: &sqlite_engine::ReadTx| match (sha256, sha1, size) {
            (Some(sha256), _, _) => index::find(tx, sha256),
            (None, Some(sha1), Some(size)) => index::find_sha1(tx, sha1, size),
            _ => Ok(None),
        };
        Ok(self.shelf.index.read(find).await?)
    }

    /// Those of `wanted` that are not here.
    pub async fn missing(&self, wanted: BTreeSet<Sha256>) -> Result<BTreeSet<Sha256>, Error> {
        let missing = move |tx: &sqlite_engine::ReadTx| {
            let mut missing = wanted;
            for sha256 in missing.clone() {
                if index::find(tx, sha256)?.is_some() {
                    missing.remove(&sha256);
                }
            }
            Ok::<_, sqlite_engine::Error>(missing)
        };
        Ok(self.shelf.index.read(missing).await?)
    }

    /// Opens a file for reading. Its bytes were verified since this process started and since the
    /// file last changed; a damaged file is refused and taken out.
    pub async fn open_file(&self, sha256: Sha256) -> Result<FileReader, Error> {
        let (file, size) = self.on_shelf(move |shelf| shelf.open_held(sha256)).await?;
        Ok(FileReader { library: self.clone(), file: Arc::new(file), sha256, size })
    }

    /// Computes the digest of a file again.
    pub async fn verify(&self, sha256: Sha256) -> Result<FileRecord, Error> {
        self.on_shelf(move |shelf| shelf.verify(sha256)).await
    }

    /// Verifies every file and takes out those that are damaged.
    pub async fn check(&self) -> Result<Vec<Damage>, Error> {
        self.on_shelf(|shelf| shelf.check()).await
    }

    /// Says that `holder` needs exactly `files`, here or not yet; no files: it needs none.
    pub async fn set_references(&self, holder: String, files: Vec<Sha256>) -> Result<(), Error> {
        let set = move |tx: &sqlite_engine::WriteTx| index::set_references(tx, &holder, &files);
        Ok(self.shelf.index.write(set).await?)
    }

    /// Those that need files and whose names begin with `prefix`.
    pub async fn holders(&self, prefix: String) -> Result<BTreeSet<String>, Error> {
        let find = move |tx: &sqlite_engine::ReadTx| index::holders(tx, &prefix);
        Ok(self.shelf.index.read(find).await?)
    }

    /// The directory of the library.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.shelf.store.root()
    }

    /// Every file that is here.
    pub async fn list(&self) -> Result<Vec<FileRecord>, Error> {
        self.on_shelf(|shelf| shelf.list()).await
    }

    /// Says that these files were used now.
    pub async fn mark_used(&self, files: Vec<Sha256>) -> Result<(), Error> {
        self.on_shelf(move |shelf| shelf.mark_used(files)).await
    }

    /// Removes those of `files` that no holder needs and nobody reads at the moment; the others
    /// stay. A crash leaves each of them whole or gone.
    pub async fn remove(&self, files: BTreeSet<Sha256>) -> Result<Collected, Error> {
        self.on_shelf(move |shelf| {
            let mut removed = Collected::default();
            for sha256 in files {
                if let Some(bytes) = shelf.remove_unused(sha256)? {
                    removed.files += 1;
                    removed.bytes += bytes;
                }
            }
            Ok(removed)
        })
        .await
    }

    /// Drops what an interrupted receipt has left, which otherwise waits to be gone on with.
    pub async fn drop_partial(&self, expected: Expected) -> Result<(), Error> {
        self.on_shelf(move |shelf| shelf.drop_partial(&expected)).await
    }

    /// Deletes files that no holder needed at an earlier call at least `lease_ms` ago and none
    /// needs now, and partials untouched for as long.
    pub async fn collect_garbage(&self, lease_ms: i64) -> Result<Collected, Error> {
        self.on_shelf(move |shelf| shelf.collect(lease_ms)).await
    }
}

/// A verified file, open for reading. It is not removed to make room meanwhile, and stays readable
/// when the library drops it.
#[derive(Clone, Debug)]
pub struct FileReader {
    library: ContentLibrary,
    file: Arc<Held>,
    sha256: Sha256,
    size: u64,
}

impl FileReader {
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// The bytes of `range` as far as it is in the file, in pieces of at most 256 KiB.
    pub fn pieces(&self, range: Range<u64>) -> impl Stream<Item = Result<Bytes, Error>> + use<> {
        let rest = range.start..range.end.min(self.size);
        stream::try_unfold((self.clone(), rest), async |(reader, rest)| {
            if rest.is_empty() {
                return Ok(None);
            }
            let bytes = reader.read(rest.clone()).await?;
            let next = rest.start + bytes.len() as u64..rest.end;
            Ok(Some((bytes, (reader, next))))
        })
    }

    /// The first bytes of `range`, at most 256 KiB; empty only for an empty range.
    pub async fn read(&self, range: Range<u64>) -> Result<Bytes, Error> {
        let wanted = range.end.min(self.size).saturating_sub(range.start);
        let length = usize::try_from(wanted)
            .map_or(limits::READ_BYTES_MAX, |length| length.min(limits::READ_BYTES_MAX));
        let (file, sha256) = (Arc::clone(&self.file), self.sha256);
        let read = move |shelf: &Arc<Shelf>| {
            let mut buffer = vec![0; length];
            let path = shelf.store.file(sha256);
            file.file
                .read_exact_at(&mut buffer, range.start)
                .map_err(Error::file("read", &path))?;
            Ok(Bytes::from(buffer))
        };
        self.library.on_shelf(read).await
    }
}

#[cfg(test)]
mod tests;
