//! Trigger files: `SELF.SYN` and `FULL.SYN`, dropped into the site's inbox, start a delta and a
//! full synchronization (STAT-10).
//!
//! A file is removed after its request is recorded; a crash between the two asks twice.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use model::error_chain;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use site_db::{SiteDb, SyncRequest};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::Error;

#[derive(Debug)]
pub(crate) struct Inbox {
    path: PathBuf,
    db: SiteDb,
    /// Kept, because dropping it ends the watch.
    _watcher: RecommendedWatcher,
    events: mpsc::Receiver<()>,
}

impl Inbox {
    pub(crate) fn open(path: &Path, db: SiteDb) -> Result<Inbox, Error> {
        // One waiting word is enough: every look takes all files.
        let (sender, events) = mpsc::channel(1);
        let open = || {
            let mut watcher = notify::recommended_watcher(move |_| {
                let _ = sender.try_send(());
            })?;
            fs::create_dir_all(path).map_err(notify::Error::io)?;
            watcher.watch(path, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        };
        let failed = |source| Error::WatchInbox { path: path.to_owned(), source };
        let watcher = open().map_err(failed)?;
        Ok(Inbox { path: path.to_owned(), db, _watcher: watcher, events })
    }

    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        loop {
            for (name, is_full) in [("SELF.SYN", false), ("FULL.SYN", true)] {
                if let Err(error) = self.take(name, is_full).await {
                    let error = error_chain(&error);
                    tracing::warn!(file = name, %error, "a trigger file was refused");
                }
            }
            if !matches!(shutdown.run_until_cancelled(self.events.recv()).await, Some(Some(()))) {
                return;
            }
        }
    }

    async fn take(&self, name: &'static str, is_full: bool) -> Result<(), Error> {
        let path = self.path.join(name);
        if !path.exists() {
            return Ok(());
        }
        let reason = format!("file {name}");
        let request = SyncRequest { is_full, reason };
        let asked = self.db.write(move |w| w.request_sync(&request)).await;
        // A refused file goes, too: it would be refused again and again.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Error::WatchInbox { path, source: notify::Error::io(error) });
            }
            _ => {}
        }
        Ok(asked?)
    }
}
