//! Files that downstream servers miss here and asked us to fetch.
//!
//! Owns the list of them and the task that fetches one after another. Refuses to know who asked
//! and where files come from. A file that cannot be had is logged and forgotten: the server that
//! misses it asks again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::{ItemFile, Sha1, error_chain};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::point::Point;
use crate::{Error, limits};

#[derive(Debug, Default)]
pub(crate) struct Downloads {
    waiting: Mutex<BTreeMap<Sha1, ItemFile>>,
    wake: Notify,
}

impl Downloads {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<Sha1, ItemFile>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Files beyond the limit are left out.
    pub(crate) fn want(&self, files: Vec<ItemFile>) {
        let mut waiting = self.waiting();
        let room = limits::DOWNLOADS_WAITING.saturating_sub(waiting.len());
        waiting.extend(files.into_iter().take(room).map(|file| (file.sha1, file)));
        self.wake.notify_one();
    }

    async fn next(&self) -> ItemFile {
        loop {
            let first = self.waiting().pop_first();
            if let Some((_, file)) = first {
                return file;
            }
            self.wake.notified().await;
        }
    }
}

pub(crate) async fn run(point: &Point, stop: &CancellationToken) -> Result<(), Error> {
    while let Some(file) = stop.run_until_cancelled(point.downloads.next()).await {
        let fetched = stop.run_until_cancelled(point.fetch_file(&file)).await;
        if let Some(Err(error)) = fetched {
            let error = error_chain(&error);
            tracing::warn!(file = file.name, error, "a wanted file could not be fetched");
        }
    }
    Ok(())
}
