//! The steps of the library that touch both the directory and the index. They block, so they run
//! on a worker.
//!
//! Order is what makes a crash harmless: a file is in place before its row is written, and its row
//! is gone before the file is deleted. A file without a row is therefore complete but unknown; it
//! is verified and taken up at the next start.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ambient::Ambient;
use ambient::failpoint;
use model::{Sha256, Timestamp};
use sqlite_engine::{Database, Durability, Executor, Options};

use crate::error::Error;
use crate::index::{self, FileRecord};
use crate::library::{Collected, Damage};
use crate::receipt::Expected;
use crate::store::{self, Digests, Stamp, Store};

/// Partials of imports that cannot be resumed.
const IMPORT: &str = "import-";

#[derive(Debug)]
pub(crate) struct Shelf {
    ambient: Ambient,
    pub(crate) store: Store,
    pub(crate) index: Database,
    /// Held while a file and its row come or go, so that a collection never meets a half of it.
    changing: Mutex<()>,
    receiving: Mutex<BTreeSet<PathBuf>>,
    /// Files verified by this process, and how they looked then.
    verified: Mutex<BTreeMap<Sha256, Stamp>>,
    /// Files that are open for reading, and how often.
    open: Mutex<BTreeMap<Sha256, usize>>,
}

impl Shelf {
    pub(crate) fn open(ambient: Ambient, root: &Path, executor: Executor) -> Result<Shelf, Error> {
        let store = Store::open(root)?;
        let options = Options { executor, durability: Durability::Full };
        let index = Database::open(&root.join("index.db"), index::SCHEMA, options)?;
        let (changing, receiving, verified, open) = Default::default();
        let shelf = Shelf { ambient, store, index, changing, receiving, verified, open };
        shelf.recover()?;
        Ok(shelf)
    }

    /// Takes up files whose row a crash prevented, and drops imports it interrupted.
    fn recover(&self) -> Result<(), Error> {
        for (key, _) in self.store.partials()?.iter().filter(|(key, _)| key.starts_with(IMPORT)) {
            self.store.remove(&self.store.partial(key))?;
        }
        let known = self.index.read_blocking(index::all)?;
        let known: BTreeSet<Sha256> = known.iter().map(|file| file.sha256).collect();
        for sha256 in self.store.list()?.into_iter().filter(|file| !known.contains(file)) {
            let found = store::digest(&self.store.file(sha256))?;
            if found.sha256 == sha256 {
                // Who vouched for it is not known any more, so it counts as weak.
                self.record(&found, true)?;
            } else {
                self.store.quarantine(sha256)?;
            }
        }
        Ok(())
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.ambient.now_ms())
    }

    /// Reserves a partial for one receipt at a time.
    pub(crate) fn claim(self: &Arc<Self>, expected: &Expected) -> Result<Claim, Error> {
        self.claim_key(&expected.key()?, &expected.name)
    }

    fn claim_key(self: &Arc<Self>, key: &str, name: &str) -> Result<Claim, Error> {
        let path = self.store.partial(key);
        if !lock(&self.receiving).insert(path.clone()) {
            return Err(Error::InReceipt { name: name.to_owned() });
        }
        Ok(Claim { shelf: Arc::clone(self), path })
    }

    /// Opens the partial of a claim and says how much of it is usable.
    pub(crate) fn resume(&self, claim: &Claim, expected: &Expected) -> Result<(File, u64), Error> {
        let file = store::open_partial(claim.path())?;
        let resume = || {
            let held = file.metadata()?.len();
            if held <= expected.size_max() {
                return Ok(held);
            }
            file.set_len(0)?;
            Ok(0)
        };
        let offset = resume().map_err(Error::file("resume", claim.path()))?;
        Ok((file, offset))
    }

    /// Verifies a partial and puts it in place, or drops it.
    pub(crate) fn place(
        &self,
        partial: &Path,
        file: &File,
        expected: &Expected,
    ) -> Result<FileRecord, Error> {
        file.sync_all().map_err(Error::file("make durable", partial))?;
        let found = store::digest(partial)?;
        if let Err(mismatch) = expected.check(&found) {
            self.store.remove(partial)?;
            return Err(mismatch);
        }
        let _changing = lock(&self.changing);
        self.store.place(partial, found.sha256)?;
        failpoint("content.renamed");
        let path = self.store.file(found.sha256);
        let stamp = store::stamp(&store::open(&path)?, &path)?;
        self.record(
            &Digests { stamp, ..found },
            expected.sha256.is_none() && expected.sha1.is_some(),
        )
    }

    fn record(&self, found: &Digests, is_weak: bool) -> Result<FileRecord, Error> {
        let Digests { size, sha256, sha1, stamp } = *found;
        let now = self.now();
        let record = FileRecord { sha256, sha1, size, is_weak, verified_at: now, used_at: now };
        self.index.write_blocking(move |tx| index::put(tx, &record))?;
        lock(&self.verified).insert(sha256, stamp);
        Ok(record)
    }

    /// Reads `source` to its end into a new file.
    pub(crate) fn import(
        self: &Arc<Self>,
        expected: &Expected,
        source: impl Read,
    ) -> Result<FileRecord, Error> {
        let claim =
            self.claim_key(&format!("{IMPORT}{}", self.ambient.random_id()), &expected.name)?;
        let mut file = store::open_partial(claim.path())?;
        let allowed = expected.size_max();
        let copied = match io::copy(&mut source.take(allowed.saturating_add(1)), &mut file) {
            Ok(actual) if actual > allowed => {
                Err(Error::TooLarge { name: expected.name.clone(), actual, allowed })
            }
            Ok(_) => Ok(()),
            Err(source) => Err(Error::Import { name: expected.name.clone(), source }),
        };
        match copied {
            Ok(()) => self.place(claim.path(), &file, expected),
            Err(error) => self.store.remove(claim.path()).and(Err(error)),
        }
    }

    /// Keeps a file from being removed until the guard is dropped, and opens it.
    pub(crate) fn open_held(self: &Arc<Self>, sha256: Sha256) -> Result<(Held, u64), Error> {
        // Said before it is opened, so that a removal in between sees it.
        *lock(&self.open).entry(sha256).or_default() += 1;
        let guard = Guard { shelf: Arc::clone(self), sha256 };
        let (file, size) = self.open_verified(sha256)?;
        Ok((Held { file, guard }, size))
    }

    /// Opens a file that, since this process started, was seen to be what it should be.
    fn open_verified(&self, sha256: Sha256) -> Result<(File, u64), Error> {
        let path = self.store.file(sha256);
        // Twice: the first look may find that the file has to be verified.
        for _ in 0..2 {
            if path.exists() {
                let file = store::open(&path)?;
                let stamp = store::stamp(&file, &path)?;
                if lock(&self.verified).get(&sha256) == Some(&stamp) {
                    return Ok((file, stamp.size));
                }
            }
            self.verify(sha256)?;
        }
        self.condemn(sha256, "it keeps changing".to_owned())
    }

    /// Computes the digest of a file again. A damaged file is taken out of the library.
    pub(crate) fn verify(&self, sha256: Sha256) -> Result<FileRecord, Error> {
        let known = self.index.read_blocking(move |tx| index::find(tx, sha256))?;
        let known = known.ok_or(Error::NotFound { sha256 })?;
        let path = self.store.file(sha256);
        if !path.exists() {
            return self.condemn(sha256, "it is missing on disk".to_owned());
        }
        let found = store::digest(&path)?;
        if found.sha256 != sha256 {
            return self.condemn(sha256, format!("its SHA-256 is {}", found.sha256));
        }
        let verified_at = self.now();
        self.index.write_blocking(move |tx| index::mark_verified(tx, sha256, verified_at))?;
        lock(&self.verified).insert(sha256, found.stamp);
        Ok(FileRecord { verified_at, ..known })
    }

    fn condemn<T>(&self, sha256: Sha256, reason: String) -> Result<T, Error> {
        let _changing = lock(&self.changing);
        lock(&self.verified).remove(&sha256);
        if !self.index.write_blocking(move |tx| index::remove(tx, sha256))? {
            // Collected in the meantime: gone, but not damaged.
            return Err(Error::NotFound { sha256 });
        }
        self.store.quarantine(sha256)?;
        Err(Error::Damaged { sha256, reason })
    }

    /// Verifies every file.
    pub(crate) fn check(&self) -> Result<Vec<Damage>, Error> {
        let mut damages = Vec::new();
        for file in self.index.read_blocking(index::all)? {
            match self.verify(file.sha256) {
                Err(Error::Damaged { sha256, reason }) => damages.push(Damage { sha256, reason }),
                // Collected since the list was made.
                Err(Error::NotFound { .. }) | Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(damages)
    }

    pub(crate) fn list(&self) -> Result<Vec<FileRecord>, Error> {
        let now = self.now();
        let list = move |tx: &sqlite_engine::WriteTx| {
            index::forget_future(tx, now)?;
            index::all(tx)
        };
        Ok(self.index.write_blocking(list)?)
    }

    pub(crate) fn mark_used(&self, files: Vec<Sha256>) -> Result<(), Error> {
        let now = self.now();
        Ok(self.index.write_blocking(move |tx| index::mark_used(tx, &files, now))?)
    }

    /// Removes one file that nobody holds or reads; says how many bytes became free.
    pub(crate) fn remove_unused(&self, sha256: Sha256) -> Result<Option<u64>, Error> {
        let _changing = lock(&self.changing);
        let open = lock(&self.open);
        if open.contains_key(&sha256) {
            return Ok(None);
        }
        let released = self.index.write_blocking(move |tx| index::release(tx, sha256))?;
        // Whoever opens it from here on does not find it.
        drop(open);
        let Some(record) = released else { return Ok(None) };
        failpoint("content.released");
        lock(&self.verified).remove(&sha256);
        self.store.remove(&self.store.file(sha256))?;
        Ok(Some(record.size))
    }

    pub(crate) fn drop_partial(&self, expected: &Expected) -> Result<(), Error> {
        let path = self.store.partial(&expected.key()?);
        let receiving = lock(&self.receiving);
        if receiving.contains(&path) {
            return Err(Error::InReceipt { name: expected.name.clone() });
        }
        self.store.remove(&path)
    }

    pub(crate) fn collect(&self, lease_ms: i64) -> Result<Collected, Error> {
        let now = self.now();
        let before = now.plus_ms(-lease_ms);
        let changing = lock(&self.changing);
        let removed = self.index.write_blocking(move |tx| index::collect(tx, now, before))?;
        for file in &removed {
            lock(&self.verified).remove(&file.sha256);
            self.store.remove(&self.store.file(file.sha256))?;
        }
        drop(changing);
        for (key, written_at) in self.store.partials()? {
            let path = self.store.partial(&key);
            // Holding the set keeps a receipt from starting on what is being removed.
            let receiving = lock(&self.receiving);
            if written_at <= before.0 && !receiving.contains(&path) {
                self.store.remove(&path)?;
            }
        }
        let bytes = removed.iter().map(|file| file.size).sum();
        Ok(Collected { files: removed.len(), bytes })
    }
}

/// An open file that is not removed meanwhile.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) file: File,
    #[expect(dead_code, reason = "what it does it does when it is dropped")]
    guard: Guard,
}

#[derive(Debug)]
struct Guard {
    shelf: Arc<Shelf>,
    sha256: Sha256,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut open = lock(&self.shelf.open);
        if let Some(count) = open.get_mut(&self.sha256) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.sha256);
            }
        }
    }
}

/// The right to write one partial, given back when dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    shelf: Arc<Shelf>,
    path: PathBuf,
}

impl Claim {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.shelf.receiving).remove(&self.path);
    }
}

/// No lock here guards a step that can be left half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
