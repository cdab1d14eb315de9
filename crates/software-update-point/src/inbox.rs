//! The inbox of a stand-alone update point (STAT-10): catalogs dropped there are imported.
//!
//! `inbox/NAME` moves to `inbox/done`, or to `inbox/refused` beside `NAME.reason`; what was left
//! out of a catalog that was taken stands in `done/NAME.report`. Files of updates lie in
//! `inbox/content` before their catalog comes. A file counts once its writer has closed it or it
//! was renamed into place; names that begin with a dot are left alone. Fails only if the
//! directory itself cannot be watched; a file that cannot be handled or moved stays and is logged.

use std::fs;
use std::path::{Path, PathBuf};

use model::error_chain;
use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::import::ImportReport;
use crate::point::Point;
use crate::{Error, limits};

/// Takes what is there, then what comes.
pub(crate) async fn run(point: &Point, shutdown: &CancellationToken) -> Result<(), Error> {
    let inbox = Inbox::open(&point.config.data.join("inbox"))?;
    let (sender, mut landed) = mpsc::channel(limits::INBOX_WAITING);
    let watched = inbox.directory.clone();
    let failed = |error| Error::files("watch", &watched)(std::io::Error::other(error));
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        let complete = event.into_iter().filter(is_complete);
        for path in complete.flat_map(|event| event.paths) {
            // The watcher's own thread may wait; after shutdown there is nobody to tell.
            let _ = sender.blocking_send(path);
        }
    })
    .map_err(&failed)?;
    watcher.watch(&inbox.directory, RecursiveMode::NonRecursive).map_err(&failed)?;
    let mut waiting = inbox.waiting()?.into_iter();
    loop {
        let next = match waiting.next() {
            Some(path) => Some(path),
            None => shutdown.run_until_cancelled(landed.recv()).await.flatten(),
        };
        let Some(path) = next else { return Ok(()) };
        if let Err(error) = inbox.take(point, &path).await {
            tracing::error!(path = %path.display(), error = %error_chain(&error),
                "a catalog stays in the inbox");
        }
    }
}

/// Whether the file of this event is whole.
fn is_complete(event: &Event) -> bool {
    matches!(
        event.kind,
        EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(RenameMode::To))
    )
}

struct Inbox {
    directory: PathBuf,
}

impl Inbox {
    fn open(directory: &Path) -> Result<Inbox, Error> {
        for name in ["done", "refused", "content"] {
            let path = directory.join(name);
            fs::create_dir_all(&path).map_err(Error::files("make", &path))?;
        }
        Ok(Inbox { directory: directory.to_owned() })
    }

    fn waiting(&self) -> Result<Vec<PathBuf>, Error> {
        let failed = || Error::files("list", &self.directory);
        let entries = fs::read_dir(&self.directory).map_err(failed())?;
        let paths = entries.map(|entry| Ok(entry.map_err(failed())?.path()));
        let mut paths = paths.collect::<Result<Vec<_>, Error>>()?;
        paths.sort();
        Ok(paths)
    }

    async fn take(&self, point: &Point, path: &Path) -> Result<(), Error> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let Some(name) = name.filter(|name| !name.starts_with('.') && path.is_file()) else {
            return Ok(());
        };
        let content = self.directory.join("content");
        let imported = point.import_file(path, &name, Some(&content)).await;
        let report = imported.unwrap_or_else(|error| ImportReport {
            refused: Some(error_chain(&error)),
            ..ImportReport::default()
        });
        let ImportReport { imported, unchanged, rejected, refused, .. } = &report;
        let rejected = rejected.len();
        tracing::info!(name, imported, unchanged, rejected, ?refused, "a catalog was handled");
        match &report.refused {
            Some(reason) => {
                self.put("refused", &format!("{name}.reason"), reason)?;
                self.file(path, "refused", &name)
            }
            None => {
                point.complete_by_itself().await?;
                let lines = [report.revised, report.rejected].concat();
                if !lines.is_empty() {
                    self.put("done", &format!("{name}.report"), &lines.join("\n"))?;
                }
                self.file(path, "done", &name)
            }
        }
    }

    /// Whoever sees the name sees the whole text.
    fn put(&self, folder: &str, name: &str, text: &str) -> Result<(), Error> {
        let aside = self.directory.join(folder).join(format!(".{name}"));
        fs::write(&aside, format!("{text}\n")).map_err(Error::files("write", &aside))?;
        self.file(&aside, folder, name)
    }

    fn file(&self, path: &Path, folder: &str, name: &str) -> Result<(), Error> {
        let target = self.directory.join(folder).join(name);
        fs::rename(path, target).map_err(Error::files("move", path))
    }
}
