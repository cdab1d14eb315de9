//! One process for one data directory.
//!
//! Owns `<data>/lock`: held as long as the process lives, never removed, with the number of the
//! process in it for whoever is refused. The system lets go of it, however the process ends, and no
//! program that the process starts gets it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Error;

/// A number and the end of its line.
const HOLDER_BYTES_MAX: u64 = 32;

/// The right to work in a data directory; clones share it, and it ends with the last.
#[derive(Clone, Debug)]
pub struct Lock {
    file: Arc<File>,
    path: PathBuf,
}

impl Lock {
    /// Of a directory that is there.
    pub(crate) fn of(data: &Path) -> Result<Lock, Error> {
        let path = data.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(files("open", &path))?;
        let lock = Lock { file: Arc::new(file), path };
        lock.take()?;
        Ok(lock)
    }

    /// Takes it anew after [`Lock::let_go`].
    pub fn take(&self) -> Result<(), Error> {
        match self.file.try_lock() {
            Ok(()) => {
                // On a full disk nobody can be named, and that is all.
                if let Err(error) = self.sign() {
                    tracing::warn!(%error, path = %self.path.display(), "cannot be written");
                }
                Ok(())
            }
            Err(TryLockError::WouldBlock) => {
                let path = self.path.parent().unwrap_or(&self.path).to_owned();
                Err(Error::InUse { path, holder: self.holder() })
            }
            Err(TryLockError::Error(source)) => Err(files("lock", &self.path)(source)),
        }
    }

    /// Another process is to take it.
    pub fn let_go(&self) -> Result<(), Error> {
        self.file.unlock().map_err(files("unlock", &self.path))
    }

    fn sign(&self) -> io::Result<()> {
        let mut file = &*self.file;
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    }

    /// For people: who holds it.
    fn holder(&self) -> String {
        let mut text = String::new();
        let mut file = &*self.file;
        let read = file.rewind().and_then(|()| {
            let mut start = file.take(HOLDER_BYTES_MAX);
            start.read_to_string(&mut text)
        });
        match (read, text.trim().parse::<u32>()) {
            (Ok(_), Ok(id)) => format!("process {id}"),
            _ => "another process".to_owned(),
        }
    }
}

fn files(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Files { operation, path, source }
}

#[cfg(test)]
mod tests;
