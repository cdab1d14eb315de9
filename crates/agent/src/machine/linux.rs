//! A real Linux computer.
//!
//! Owns how facts are read and how an installer is run. Installers run from a directory that only
//! the agent's user can enter, on bytes whose digest was computed while they were written there,
//! so that nothing can come between the check and the run.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Stdio;

use content_library::FileReader;
use futures_util::TryStreamExt as _;
use jiff::tz::TimeZone;
use model::{AssignedFile, Sha256};
use recurrence::Zone;
use sha2::{Digest as _, Sha256 as Hasher};
use tokio::process::Command;
use tokio::time::timeout;
use transport::BoxFuture;
use update_metadata::{Facts, FileFact, LinuxFacts, System};

use super::{Job, Machine, Wanted, architecture};
use crate::limits;

const READ_BYTES: usize = 64 * 1024;

/// The shells and tools an installer may count on.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[derive(Clone, Debug)]
pub struct LinuxMachine {
    staging: PathBuf,
}

impl LinuxMachine {
    /// Installers are staged below `data`.
    #[must_use]
    pub fn new(data: &Path) -> LinuxMachine {
        LinuxMachine { staging: data.join("staging") }
    }

    async fn stage(&self, job: &Job<'_>) -> io::Result<PathBuf> {
        let update = job.document.update;
        let directory = self.staging.join(format!("{}-{}", update.id, update.revision));
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.staging)?;
        // An older directory may have been opened to others since.
        fs::set_permissions(&self.staging, fs::Permissions::from_mode(0o700))?;
        DirBuilder::new().mode(0o700).create(&directory)?;
        for (file, reader) in &job.files {
            copy(file, reader, &directory.join(plain_name(&file.name)?)).await?;
        }
        Ok(directory)
    }

    async fn run(&self, job: &Job<'_>) -> io::Result<i32> {
        let directory = self.stage(job).await?;
        let program = program(job, &directory)?;
        let mut child = Command::new(program)
            .args(split_arguments(&job.command.arguments))
            .current_dir(&directory)
            .env_clear()
            .env("PATH", PATH)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // An installer must not run on beside the agent's next life.
            .kill_on_drop(true)
            .spawn()?;
        let status = timeout(limits::INSTALL_MAX, child.wait()).await;
        let status = status.map_err(|_| io::Error::from(ErrorKind::TimedOut))??;
        // As shells say it.
        let signal = || 128 + status.signal().unwrap_or(0);
        let code = status.code().unwrap_or_else(signal);
        fs::remove_dir_all(&directory)?;
        Ok(code)
    }
}

impl Machine for LinuxMachine {
    fn facts(&self) -> io::Result<Facts> {
        let mut linux = read_os_release(&fs::read_to_string("/etc/os-release")?);
        linux.packages = match fs::read_to_string("/var/lib/dpkg/status") {
            Ok(status) => Some(read_dpkg_status(&status)),
            Err(_) => None,
        };
        Ok(Facts {
            architecture: architecture(std::env::consts::ARCH),
            files: BTreeMap::new(),
            system: System::Linux(linux),
        })
    }

    fn file(&self, path: &str, digest: Wanted) -> io::Result<Option<FileFact>> {
        let found = match fs::metadata(path) {
            Ok(found) if found.is_file() => found,
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            // A rule that asks below a file asks for what cannot be there.
            Err(error) if error.kind() == ErrorKind::NotADirectory => return Ok(None),
            Err(error) => return Err(error),
        };
        let is_hashed = digest == Wanted::Digest && found.len() <= limits::HASHED_BYTES_MAX;
        let sha256 = is_hashed.then(|| hash(path)).transpose()?;
        Ok(Some(FileFact { size: found.len(), sha256, ..FileFact::default() }))
    }

    fn boot(&self) -> io::Result<String> {
        Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
    }

    fn zone(&self) -> Zone {
        Zone::of_machine(TimeZone::system())
    }

    fn install<'a>(&'a self, job: &'a Job<'a>) -> BoxFuture<'a, io::Result<i32>> {
        Box::pin(self.run(job))
    }
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, reason)
}

/// A document must not choose where its files go.
fn plain_name(name: &str) -> io::Result<&str> {
    let is_plain = !matches!(name, "" | "." | "..") && !name.contains(['/', '\0']);
    is_plain.then_some(name).ok_or_else(|| invalid(format!("{name:?} is not a file name")))
}

/// A file of the update, or a program of the system by its absolute path.
fn program(job: &Job<'_>, directory: &Path) -> io::Result<PathBuf> {
    let name = &job.command.program;
    if job.files.iter().any(|(file, _)| file.name == *name) {
        return Ok(directory.join(name));
    }
    if name.starts_with('/') {
        return Ok(PathBuf::from(name));
    }
    Err(invalid(format!("{name:?} is no file of the update and no absolute path")))
}

/// Copies a file and computes the digest of what is written.
async fn copy(file: &AssignedFile, from: &FileReader, to: &Path) -> io::Result<()> {
    let mut target = OpenOptions::new().write(true).create_new(true).mode(0o700).open(to)?;
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
    Ok(())
}

fn hash(path: &str) -> io::Result<Sha256> {
    let (mut file, mut hasher, mut buffer) = (File::open(path)?, Hasher::new(), [0; READ_BYTES]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Sha256(hasher.finalize().into())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

/// Words, with quotes around those that hold blanks.
pub(super) fn split_arguments(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for character in text.chars() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, blank) if blank.is_whitespace() => words.extend(word.take()),
            (_, other) => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

/// `ID` and `VERSION_ID` (os-release(5)).
pub(super) fn read_os_release(text: &str) -> LinuxFacts {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
    };
    // os-release(5): a system that names no id is "linux".
    let id = value("ID").unwrap_or_else(|| "linux".to_owned());
    LinuxFacts { id, version_id: value("VERSION_ID"), packages: None }
}

/// Packages whose status is "installed", by paragraphs of dpkg's status file.
pub(super) fn read_dpkg_status(text: &str) -> BTreeMap<String, String> {
    let package = |paragraph: &str| {
        let field = |key: &str| {
            let line = paragraph.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            line.map(|value| value.trim().to_owned())
        };
        let is_installed = field("Status")?.ends_with(" installed");
        is_installed.then_some((field("Package")?, field("Version")?))
    };
    text.split("\n\n").filter_map(package).collect()
}
