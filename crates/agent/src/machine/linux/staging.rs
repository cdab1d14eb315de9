//! Where installers run: a directory that only the agent's user can enter, with files whose digest
//! was computed while they were written there.
//!
//! Owns that nothing comes between the check and the run. Files are made read-only once they are
//! whole. A program is kept open and run through that descriptor, so that not even another file
//! under its name would be run in its place. Scripts are run by their path: their interpreter opens
//! them by it, and many look for their other files beside it; so are files that a handler is given.
//! For them it is the directory alone that keeps others away.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{
    DirBuilderExt as _, FileExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::pin::pin;

use ambient::failpoint;
use content_library::FileReader;
use futures_util::TryStreamExt as _;
use model::{AssignedFile, Sha256};
use sha2::{Digest as _, Sha256 as Hasher};

use crate::machine::Job;

/// How a program that the system runs itself begins; anything else needs an interpreter.
const ELF: &[u8; 4] = b"\x7fELF";

/// The files of a job, as policy names them. They are removed with [`Staged::remove`], and with
/// everything else that is left before the next job.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) directory: PathBuf,
    /// By name, each open for reading.
    files: Vec<(String, File)>,
}

/// How a staged file is started.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) path: PathBuf,
    /// What `path` goes through; it has to stay open until the program runs.
    pub(super) held: Option<OwnedFd>,
}

impl Start {
    /// A program that runs through this descriptor.
    pub(super) fn through(held: OwnedFd) -> Start {
        let path = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
        Start { path, held: Some(held) }
    }
}

impl Staged {
    /// Writes the files of `job` below `staging`.
    pub(super) async fn new(staging: &Path, job: &Job<'_>) -> io::Result<Staged> {
        clear(staging)?;
        DirBuilder::new().recursive(true).mode(0o700).create(staging)?;
        let directory = directory(staging, job);
        DirBuilder::new().mode(0o700).create(&directory)?;
        let mut files = Vec::new();
        for (file, reader) in &job.files {
            let path = directory.join(plain_name(&file.name)?);
            files.push((file.name.clone(), copy(file, reader, &path).await?));
        }
        failpoint("agent.staged");
        Ok(Staged { directory, files })
    }

    /// How the file `name` of the job is run.
    pub(super) fn start(&self, name: &str) -> io::Result<Start> {
        let path = self.directory.join(name);
        let found = self.files.iter().find(|(known, _)| known == name);
        let (_, file) = found.ok_or_else(|| io::Error::from(ErrorKind::NotFound))?;
        let mut head = [0; ELF.len()];
        if file.read_at(&mut head, 0)? < ELF.len() || head != *ELF {
            return Ok(Start { path, held: None });
        }
        Ok(Start::through(file.try_clone()?.into()))
    }

    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_dir_all(self.directory)
    }
}

/// Where the files of `job` are staged.
pub(super) fn directory(staging: &Path, job: &Job<'_>) -> PathBuf {
    let update = job.document.update;
    staging.join(format!("{}-{}", update.id, update.revision))
}

/// Removes what is left of an earlier life, and what others may have put there while they could.
fn clear(staging: &Path) -> io::Result<()> {
    match fs::remove_dir_all(staging) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A document must not choose where its files go.
fn plain_name(name: &str) -> io::Result<&str> {
    let is_plain = !matches!(name, "" | "." | "..") && !name.contains(['/', '\0']);
    let reason = || format!("{name:?} is not a file name");
    is_plain.then_some(name).ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, reason()))
}

/// Copies a file, computes the digest of what is written, and opens the result for reading only.
pub(crate) async fn copy(file: &AssignedFile, from: &FileReader, to: &Path) -> io::Result<File> {
    let mut target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    let (mut hasher, mut pieces) = (Hasher::new(), pin!(from.pieces(0..from.size())));
    while let Some(bytes) = pieces.try_next().await.map_err(io::Error::other)? {
        hasher.update(&bytes);
        target.write_all(&bytes)?;
    }
    let found = Sha256(hasher.finalize().into());
    if found != file.sha256 {
        let reason = format!("{} became {found} instead of {}", file.name, file.sha256);
        return Err(io::Error::new(ErrorKind::InvalidData, reason));
    }
    target.set_permissions(Permissions::from_mode(0o500))?;
    // Through the descriptor: the very file that was written, whatever has its name by now.
    File::open(format!("/proc/self/fd/{}", target.as_raw_fd()))
}
