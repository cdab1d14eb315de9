//! Backups and checks of a whole database.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ffi};

use crate::error::Error;
use crate::limits;
use crate::transaction::{ReadTx, RowResult};

/// Copies the snapshot that `source` is reading to a temporary name, makes it durable, then gives
/// it its name.
pub(crate) fn copy_to(source: &Connection, path: &Path) -> Result<(), Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    let partial = PathBuf::from(name);
    let placed = |source| Error::PlaceBackup { path: path.to_owned(), source };
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(placed(error)),
        _ => {}
    }
    copy_pages(source, &partial)
        .map_err(|source| Error::CopyDatabase { path: path.to_owned(), source })?;
    place(&partial, path).map_err(placed)
}

fn copy_pages(source: &Connection, target: &Path) -> RowResult<()> {
    let mut target = Connection::open(target)?;
    // All pages in one step: the source's snapshot is held throughout, so nothing restarts.
    let copied = Backup::new(source, &mut target)?.step(-1)?;
    if copied != StepResult::Done {
        let busy = ffi::Error::new(ffi::SQLITE_BUSY);
        return Err(rusqlite::Error::SqliteFailure(busy, None));
    }
    // A backup is one file; the copied header would ask for a write-ahead log beside it.
    target.pragma_update(None, "journal_mode", "DELETE")?;
    target.close().map_err(|(_, error)| error)
}

/// Gives a whole file its name, durably.
pub(crate) fn place(partial: &Path, path: &Path) -> std::io::Result<()> {
    File::open(partial)?.sync_all()?;
    // What a killed process left beside the file that is replaced would be read into the new one.
    for left in ["-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(left);
        match fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(partial, path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

pub(crate) fn problems(tx: &ReadTx) -> Result<Vec<String>, Error> {
    let sql = format!("PRAGMA integrity_check({})", limits::PROBLEMS_MAX);
    let mut problems: Vec<String> = tx.query_all(&sql, [], |row| row.get(0))?;
    problems.retain(|problem| problem != "ok");
    let sql =
        "SELECT format('row %s of %s refers to a missing row of %s', rowid, \"table\", parent)
               FROM pragma_foreign_key_check LIMIT ?1";
    problems.extend(tx.query_all(sql, [limits::PROBLEMS_MAX], |row| row.get::<_, String>(0))?);
    Ok(problems)
}
