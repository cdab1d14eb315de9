//! In whose hands the data directory is.
//!
//! Owns the question whether anybody but root and the user of this process could put something
//! there, or another directory in its place: what lies there is believed, and some of it is run.
//! Refuses to know what that is. What others can change is an error that names the remedy.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Component, Path, PathBuf};

use rustix::process::geteuid;

use crate::Error;

/// The kernel follows no more on one way (path_resolution(7)).
const LINKS_MAX: usize = 40;

const ROOT: u32 = 0;
const OTHERS_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// Makes the directory, if it is not there, and refuses one that others could change or replace.
pub(crate) fn make(directory: &Path) -> Result<(), Error> {
    check(directory)?;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(files("make", directory))?;
    check(directory)
}

/// The same of one that has to be there.
pub(crate) fn find(directory: &Path) -> Result<(), Error> {
    check(directory)?;
    let found = fs::metadata(directory).map_err(files("find", directory))?;
    if found.is_dir() {
        return Ok(());
    }
    Err(files("find", directory)(ErrorKind::NotADirectory.into()))
}

/// Goes the whole way from `/`, through every link on it.
fn check(directory: &Path) -> Result<(), Error> {
    let whole = std::path::absolute(directory).map_err(files("find", directory))?;
    let (mut here, mut links) = (PathBuf::new(), 0);
    let mut ahead = steps(&whole);
    while let Some(step) = ahead.pop_front() {
        if step == ".." {
            here.pop();
            continue;
        }
        here.push(step);
        let found = match fs::symlink_metadata(&here) {
            Ok(found) => found,
            // Whatever is missing is made by this process.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(files("look at", &here)(source)),
        };
        if !found.is_symlink() {
            is_safe(&here, &found, geteuid().as_raw(), ahead.is_empty())?;
            continue;
        }
        is_owned(&here, &found, geteuid().as_raw())?;
        links += 1;
        if links > LINKS_MAX {
            return Err(files("follow", &here)(io::Error::from_raw_os_error(ELOOP)));
        }
        let target = fs::read_link(&here).map_err(files("follow", &here))?;
        here.pop();
        ahead = steps(&target).into_iter().chain(ahead).collect();
    }
    Ok(())
}

/// ELOOP.
const ELOOP: i32 = 40;

fn steps(path: &Path) -> VecDeque<OsString> {
    let steps = path.components().filter(|step| *step != Component::CurDir);
    steps.map(|step| step.as_os_str().to_owned()).collect()
}

fn is_safe(path: &Path, found: &Metadata, own: u32, is_last: bool) -> Result<(), Error> {
    is_owned(path, found, own)?;
    // In such a directory everybody may make something, but remove only what is his own.
    let is_shared = !is_last && found.mode() & STICKY != 0;
    if found.mode() & OTHERS_WRITE == 0 || is_shared {
        return Ok(());
    }
    let remedy = format!("chmod go-w {}", path.display());
    Err(in_other_hands(path, found, remedy))
}

fn is_owned(path: &Path, found: &Metadata, own: u32) -> Result<(), Error> {
    if [ROOT, own].contains(&found.uid()) {
        return Ok(());
    }
    let mut remedy = format!("chown -h {own} {}", path.display());
    // Root has come into the directory of a service: what root leaves there, it cannot open.
    if own == ROOT && found.is_dir() && found.mode() & OTHERS_WRITE == 0 {
        let user = found.uid();
        remedy += &format!("; or, if a service works there, this again with sudo -u '#{user}'");
    }
    Err(in_other_hands(path, found, remedy))
}

fn in_other_hands(path: &Path, found: &Metadata, remedy: String) -> Error {
    let (owner, mode) = (found.uid(), found.mode() & 0o7777);
    Error::InOtherHands { path: path.to_owned(), owner, mode, remedy }
}

fn files(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Files { operation, path, source }
}

#[cfg(test)]
mod tests;
