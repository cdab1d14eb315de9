//! What an installer wrote: the end of it, in a file per update and revision.
//!
//! Owns `<data>/installs/<update>-<revision>.log`. However much is written, the file stays within
//! its limit, and so does how many there are.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::limits::{TRANSCRIPT_BYTES, TRANSCRIPTS_MAX};

#[derive(Debug)]
pub(super) struct Transcript {
    file: File,
    length: u64,
}

impl Transcript {
    /// Empty, in place of an earlier one of the same `name`.
    pub(super) fn create(directory: &Path, name: &str) -> io::Result<Transcript> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        prune(directory)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(0o600);
        Ok(Transcript { file: options.open(path(directory, name))?, length: 0 })
    }

    /// Goes on with one that exists.
    pub(super) fn reopen(directory: &Path, name: &str) -> io::Result<Transcript> {
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path(directory, name))?;
        let length = file.seek(SeekFrom::End(0))?;
        Ok(Transcript { file, length })
    }

    pub(super) fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        // Not with every piece: moving the end to the front costs as much as it keeps.
        if self.length > 2 * TRANSCRIPT_BYTES { self.trim() } else { Ok(()) }
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.length > TRANSCRIPT_BYTES { self.trim() } else { Ok(()) }
    }

    fn trim(&mut self) -> io::Result<()> {
        let mut end = Vec::new();
        self.file.seek(SeekFrom::End(-TRANSCRIPT_BYTES.cast_signed()))?;
        self.file.read_to_end(&mut end)?;
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(&end)?;
        self.length = end.len() as u64;
        Ok(())
    }
}

fn path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.log"))
}

/// Makes room for one more: the oldest ones go.
fn prune(directory: &Path) -> io::Result<()> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            logs.push((fs::metadata(&path)?.modified()?, path));
        }
    }
    logs.sort();
    let beyond = (logs.len() + 1).saturating_sub(TRANSCRIPTS_MAX);
    logs.into_iter().take(beyond).try_for_each(|(_, path)| fs::remove_file(path))
}
