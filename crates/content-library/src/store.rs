//! The directory: where a file lies, and the steps that make it appear and disappear.
//!
//! Knows no index and decides nothing. Every change of a name is followed by an fsync of the
//! directory that holds it.

use std::fs::{self, DirEntry, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use model::{Sha1, Sha256};
use sha2::Digest as _;

use crate::error::Error;
use crate::limits;

const FILES: &str = "files";
const PARTIAL: &str = "partial";
const QUARANTINE: &str = "quarantine";

#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
}

/// What a file on disk really is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digests {
    pub(crate) size: u64,
    pub(crate) sha256: Sha256,
    pub(crate) sha1: Sha1,
    pub(crate) stamp: Stamp,
}

/// What changes when somebody touches a file; equal stamps mean that a digest still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: u64,
    pub(crate) size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Store {
    pub(crate) fn open(root: &Path) -> Result<Store, Error> {
        for name in [FILES, PARTIAL, QUARANTINE] {
            let path = root.join(name);
            fs::create_dir_all(&path).map_err(Error::file("create directory", &path))?;
        }
        Ok(Store { root: root.to_owned() })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn file(&self, sha256: Sha256) -> PathBuf {
        let name = sha256.to_string();
        self.root.join(FILES).join(&name[..2]).join(name)
    }

    pub(crate) fn partial(&self, key: &str) -> PathBuf {
        self.root.join(PARTIAL).join(key)
    }

    /// Moves a complete, verified partial to its place, for good.
    pub(crate) fn place(&self, partial: &Path, sha256: Sha256) -> Result<(), Error> {
        let path = self.file(sha256);
        let failed = Error::file("put in place", &path);
        let place = || {
            let shard = path.parent().unwrap_or(&self.root);
            if !shard.exists() {
                fs::create_dir(shard)?;
                sync_directory(&self.root.join(FILES))?;
            }
            fs::set_permissions(partial, Permissions::from_mode(0o444))?;
            fs::rename(partial, &path)?;
            sync_directory(shard)?;
            sync_directory(&self.root.join(PARTIAL))
        };
        place().map_err(failed)
    }

    pub(crate) fn remove(&self, path: &Path) -> Result<(), Error> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::file("remove", path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Takes a damaged file out of reach and keeps it for inspection.
    pub(crate) fn quarantine(&self, sha256: Sha256) -> Result<(), Error> {
        let (from, to) = (self.file(sha256), self.root.join(QUARANTINE).join(sha256.to_string()));
        match fs::rename(&from, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::file("quarantine", &from)(error))
            }
            _ => Ok(()),
        }
    }

    /// The names of all files in place.
    pub(crate) fn list(&self) -> Result<Vec<Sha256>, Error> {
        let mut names = Vec::new();
        for shard in entries(&self.root.join(FILES))? {
            let files = entries(&shard.path())?;
            names.extend(
                files.iter().filter_map(|f| f.file_name().to_str()?.parse::<Sha256>().ok()),
            );
        }
        Ok(names)
    }

    /// Partials with the time of their last write, in milliseconds since 1970.
    pub(crate) fn partials(&self) -> Result<Vec<(String, i64)>, Error> {
        let found = entries(&self.root.join(PARTIAL))?;
        let key = |entry: &DirEntry| {
            let written = entry.metadata().ok()?.mtime().saturating_mul(1_000);
            Some((entry.file_name().into_string().ok()?, written))
        };
        Ok(found.iter().filter_map(key).collect())
    }
}

fn entries(directory: &Path) -> Result<Vec<DirEntry>, Error> {
    let read = || fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>();
    read().map_err(Error::file("list", directory))
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Opens a partial for writing, without losing what it already holds.
pub(crate) fn open_partial(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path).map_err(Error::file("open", path))
}

pub(crate) fn stamp(file: &File, path: &Path) -> Result<Stamp, Error> {
    let data = file.metadata().map_err(Error::file("inspect", path))?;
    let (modified, changed) =
        ((data.mtime(), data.mtime_nsec()), (data.ctime(), data.ctime_nsec()));
    Ok(Stamp { inode: data.ino(), size: data.size(), modified, changed })
}

pub(crate) fn open(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(Error::file("open", path))
}

/// Reads the whole file at `path` and computes what it is.
pub(crate) fn digest(path: &Path) -> Result<Digests, Error> {
    let mut file = open(path)?;
    // Taken first: whoever touches the file while it is read makes the stamp obsolete.
    let stamp = stamp(&file, path)?;
    let (mut sha256, mut sha1, mut size) = (sha2::Sha256::new(), sha1::Sha1::new(), 0);
    let mut buffer = vec![0; limits::READ_BYTES_MAX];
    loop {
        let count = file.read(&mut buffer).map_err(Error::file("read", path))?;
        if count == 0 {
            break;
        }
        sha256.update(&buffer[..count]);
        sha1.update(&buffer[..count]);
        size += count as u64;
    }
    let (sha256, sha1) = (Sha256(sha256.finalize().into()), Sha1(sha1.finalize().into()));
    Ok(Digests { size, sha256, sha1, stamp })
}
