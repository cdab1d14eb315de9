//! The computer an agent cares for: what is known of it, and what is done to it.
//!
//! A [`Machine`] is real ([`LinuxMachine`]) or pretended ([`PretendedMachine`]); the agent does
//! not know which. Refuses to know policy: whoever hands over a [`Job`] has decided.

use std::fmt::Debug;
use std::io;

use content_library::FileReader;
use model::AssignedFile;
use recurrence::Zone;
use transport::BoxFuture;
use update_metadata::{Architecture, CommandLine, Document, Facts, FileFact};

mod linux;
mod pretended;

pub use linux::LinuxMachine;
pub use pretended::PretendedMachine;

/// An installation that was decided upon. Document and files are those that policy names.
#[derive(Debug)]
pub struct Job<'a> {
    pub document: &'a Document,
    pub command: &'a CommandLine,
    pub files: Vec<(&'a AssignedFile, FileReader)>,
}

pub trait Machine: Debug + Send + Sync {
    /// Everything but files, which are looked up when a rule asks for them.
    fn facts(&self) -> io::Result<Facts>;

    /// The file at `path`, if there is one; its digest if `digest` asks for it.
    fn file(&self, path: &str, digest: Wanted) -> io::Result<Option<FileFact>>;

    /// Another value after each start of the system.
    fn boot(&self) -> io::Result<String>;

    /// What the computer's clock goes by.
    fn zone(&self) -> Zone {
        Zone::utc()
    }

    /// Runs the installer to its end and says its exit code.
    fn install<'a>(&'a self, job: &'a Job<'a>) -> BoxFuture<'a, io::Result<i32>>;
}

/// What a rule asks of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Presence,
    Digest,
}

/// Adds the files that a document asks for to `facts`.
pub(crate) fn look(
    machine: &dyn Machine,
    document: &Document,
    facts: &mut Facts,
) -> io::Result<()> {
    for (path, digest) in document.files_asked() {
        let known = facts.files.get(path);
        let is_known = known
            .is_some_and(|file| !digest || file.as_ref().is_none_or(|file| file.sha256.is_some()));
        if !is_known {
            let wanted = if digest { Wanted::Digest } else { Wanted::Presence };
            facts.files.insert(path.to_owned(), machine.file(path, wanted)?);
        }
    }
    Ok(())
}

/// The names of architectures, as Rust, Debian and the kernel write them.
fn architecture(name: &str) -> Option<Architecture> {
    match name {
        "x86_64" | "amd64" => Some(Architecture::Amd64),
        "aarch64" | "arm64" => Some(Architecture::Arm64),
        "x86" | "i386" => Some(Architecture::X86),
        "arm" | "armhf" => Some(Architecture::Arm),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
