//! Places for what is being worked on: files and directories that go with whoever works, however
//! the work ends.
//!
//! Refuses to know what lies there. What a dead process left is dropped at the next start.

use std::fs;
use std::io::ErrorKind;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::point::Point;

/// A path that is removed with this value.
#[derive(Debug)]
pub(crate) struct Work(PathBuf);

impl Point {
    /// A place for a file.
    pub(crate) fn work(&self, name: &str) -> Work {
        Work(self.config.data.join("import").join(name))
    }

    pub(crate) fn work_directory(&self, name: &str) -> Result<Work, Error> {
        let work = self.work(name);
        fs::create_dir_all(&work).map_err(Error::files("make", &work))?;
        Ok(work)
    }
}

impl Deref for Work {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl AsRef<Path> for Work {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let removed = match self.0.is_dir() {
            true => fs::remove_dir_all(&self.0),
            false => fs::remove_file(&self.0),
        };
        // It may have been moved to where it stays.
        if let Err(error) =
            removed.or_else(|e| (e.kind() == ErrorKind::NotFound).then_some(()).ok_or(e))
        {
            tracing::warn!(path = %self.0.display(), %error, "a work file is left behind");
        }
    }
}
