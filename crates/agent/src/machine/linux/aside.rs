//! Looking at files that may never answer: a network file system that is gone holds whoever asks
//! it, and nothing ends that.
//!
//! Owns the threads on which files are looked at, how many there are, and how long they are waited
//! for. A path that has not answered is not asked again before it has. Refuses to know what is
//! looked for.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::limits::{FILE_THREADS_MAX, FILE_TIME};

/// Who is being asked, and since when.
#[derive(Clone, Debug)]
pub(super) struct Aside {
    asked: Arc<Mutex<BTreeMap<PathBuf, Instant>>>,
    limit: Duration,
}

impl Aside {
    pub(super) fn new() -> Aside {
        Aside { asked: Arc::default(), limit: FILE_TIME }
    }

    /// What `look` says of `path`, if it says so in time.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        path: PathBuf,
        look: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        self.note(&path)?;
        let (caller, answer) = oneshot::channel();
        let aside = self.clone();
        let work = move || {
            let found = look(&path);
            aside.lock().remove(&path);
            // Whoever asked may have given up.
            let _ = caller.send(found);
        };
        thread::Builder::new().name("files".to_owned()).spawn(work)?;
        match timeout(self.limit, answer).await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) => Err(ErrorKind::Other.into()),
            Err(_) => Err(silent()),
        }
    }

    fn note(&self, path: &Path) -> io::Result<()> {
        let (mut asked, now) = (self.lock(), Instant::now());
        let is_held = asked.get(path).is_some_and(|since| now - *since >= self.limit);
        if is_held || asked.len() >= FILE_THREADS_MAX {
            return Err(silent());
        }
        asked.entry(path.to_owned()).or_insert(now);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Instant>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn silent() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "the file system does not answer")
}

#[cfg(test)]
mod tests;
