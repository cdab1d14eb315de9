//! Whether what is run from the data directory is in own hands.
//!
//! Owns the question who may write a file or directory; the way to the data directory is looked at
//! before. Refuses to know what they hold. What others can change is an error with its remedy.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::process::geteuid;

use crate::Error;

const ROOT: u32 = 0;
const OTHERS_WRITE: u32 = 0o022;

/// Looks at one thing; what is missing is in nobody's hands.
pub(crate) fn check(path: &Path) -> Result<(), Error> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => found.map_err(failed(path))?,
    };
    judge(path, &found, geteuid().as_raw())
}

/// Looks at a directory and at everything below it.
pub(crate) fn check_all(directory: &Path) -> Result<(), Error> {
    check(directory)?;
    let mut ahead = vec![directory.to_owned()];
    while let Some(directory) = ahead.pop() {
        let entries = match fs::read_dir(&directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            entries => entries.map_err(failed(&directory))?,
        };
        for entry in entries {
            let entry = entry.map_err(failed(&directory))?;
            check(&entry.path())?;
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                ahead.push(entry.path());
            }
        }
    }
    Ok(())
}

fn judge(path: &Path, found: &Metadata, own: u32) -> Result<(), Error> {
    let shown = path.display();
    let remedy = match (found.uid(), found.mode() & OTHERS_WRITE) {
        // The mode of a link says nothing, and a link leads out of what was looked at.
        _ if found.is_symlink() => format!("rm {shown}"),
        (owner, _) if ![ROOT, own].contains(&owner) => format!("chown {own} {shown}"),
        (_, 0) => return Ok(()),
        _ => format!("chmod go-w {shown}"),
    };
    let (owner, mode) = (found.uid(), found.mode() & 0o7777);
    Err(Error::InOtherHands { path: path.to_owned(), owner, mode, remedy })
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Files { operation: "look at", path, source }
}

#[cfg(test)]
mod tests;
