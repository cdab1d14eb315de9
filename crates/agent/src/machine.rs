//! The computer an agent cares for: what is known of it, and what is done to it.
//!
//! A [`Machine`] is real ([`LinuxMachine`]) or pretended ([`PretendedMachine`]); the agent does
//! not know which. Refuses to know policy: whoever hands over a [`Job`] has decided.

use std::fmt::Debug;
use std::io;
use std::time::Duration;

use content_library::FileReader;
use model::{AssignedFile, Form, Inventory, UpdateRef};
use recurrence::Zone;
use transport::BoxFuture;
use update_metadata::{
    Architecture, Document, Facts, FileFact, Installer, Subject, System, questions,
};

use crate::limits;

mod linux;
mod pretended;

pub use linux::{HandlersSection, LinuxMachine, MachineSection, Setup, run_installer};
pub(crate) use linux::{hash, is_logged_on, stage};
pub use pretended::PretendedMachine;

/// An installation that was decided upon. Document and files are those that policy names.
#[derive(Debug)]
pub struct Job<'a> {
    pub document: &'a Document,
    pub installer: &'a Installer,
    pub files: Vec<(&'a AssignedFile, FileReader)>,
    /// The maximum run time: after it, what still runs is ended.
    pub limit: Duration,
}

/// How an installer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this exit code; one that a signal ended has 128 and the signal's number.
    Exited(i32),
    /// By the machine, after its maximum run time.
    TimedOut,
    /// Nobody knows: whoever waited for it was ended before.
    Unseen,
}

/// The installer of an earlier life of the agent that has ended; as [`Machine::install`] says it.
#[derive(Debug)]
pub struct Settled {
    pub update: UpdateRef,
    pub ended: io::Result<Ended>,
}

/// What is asked of a write filter, which drops at each start of the system what was written since
/// the last one (DEP-27).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    Ask,
    /// From the next start on, what is written stays.
    Open,
    /// From the next start on, what is written is dropped.
    Close,
}

/// How the write filter stands since the last start of the system, whatever was asked since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterState {
    /// There is none: what is written stays.
    Absent,
    Open,
    Closed,
}

pub trait Machine: Debug + Send + Sync {
    /// Everything but files, which are looked up when a rule asks for them.
    fn facts(&self) -> BoxFuture<'_, io::Result<Facts>>;

    /// The file at `path`, if there is one; its digest if `digest` asks for it.
    /// Fails in a bounded time where the file system does not answer.
    fn file<'a>(
        &'a self,
        path: &'a str,
        digest: Wanted,
    ) -> BoxFuture<'a, io::Result<Option<FileFact>>>;

    /// What it is made of and what is installed on it, as far as that can be found out.
    fn inventory(&self) -> BoxFuture<'_, Inventory> {
        Box::pin(async { Inventory::default() })
    }

    /// Another value after each start of the system.
    fn boot(&self) -> io::Result<String>;

    /// What the computer's clock goes by.
    fn zone(&self) -> Zone {
        Zone::utc()
    }

    /// Restarts are suppressed for servers and for workstations separately (DEP-24).
    fn form(&self) -> Form {
        Form::Server
    }

    /// Whether the system itself says that it has to be restarted.
    fn asks_for_restart(&self) -> io::Result<bool> {
        Ok(false)
    }

    /// Who is logged on, each once.
    fn users(&self) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Tells the people at the computer; nobody there is no error.
    fn notify<'a>(&'a self, _notice: &'a str) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async { Ok(()) })
    }

    /// Starts the restart, and returns when the system has been told.
    fn restart(&self) -> BoxFuture<'_, io::Result<()>>;

    fn write_filter(&self, _wish: Filter) -> BoxFuture<'_, io::Result<FilterState>> {
        Box::pin(async { Ok(FilterState::Absent) })
    }

    /// Waits for the installer of an earlier life of the agent, if it still runs, and says how it
    /// ended, if it was one of `documents` and somebody saw it. One that nobody else waits for is
    /// ended after `limit`. Until this has returned, detection does not say what came of it.
    fn settle<'a>(
        &'a self,
        _limit: Duration,
        _documents: &'a [Document],
    ) -> BoxFuture<'a, io::Result<Option<Settled>>> {
        Box::pin(async { Ok(None) })
    }

    /// Whether an installer goes on without the agent, whose next life settles it.
    fn leaves_installers(&self) -> bool {
        false
    }

    /// How the last installer ended is durable elsewhere, and is not to be told again.
    fn forget_settled(&self) -> io::Result<()> {
        Ok(())
    }

    /// Runs the installer to its end. Fails with [`io::ErrorKind::Unsupported`] if this computer
    /// has nothing that could run it, with `InvalidData` if a file is not what policy names, and
    /// with the system's own error if a program cannot be started.
    fn install<'a>(&'a self, job: &'a Job<'a>) -> BoxFuture<'a, io::Result<Ended>>;
}

/// What a rule asks of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Presence,
    Digest,
}

/// Adds the files that a document asks for to `facts`.
pub(crate) async fn look(
    machine: &dyn Machine,
    document: &Document,
    facts: &mut Facts,
) -> io::Result<()> {
    if matches!(facts.system, System::Windows(_)) {
        return look_as_asked(machine, document, facts).await;
    }
    for (path, digest) in document.files_asked() {
        let known = facts.files.get(path);
        let is_known = known
            .is_some_and(|file| !digest || file.as_ref().is_none_or(|file| file.sha256.is_some()));
        if !is_known {
            let wanted = if digest { Wanted::Digest } else { Wanted::Presence };
            facts.files.insert(path.to_owned(), machine.file(path, wanted).await?);
        }
    }
    Ok(())
}

/// On Windows a file is found by way of folders: only judging a rule shows which one it asks for.
async fn look_as_asked(
    machine: &dyn Machine,
    document: &Document,
    facts: &mut Facts,
) -> io::Result<()> {
    for _ in 0..limits::QUESTION_ROUNDS_MAX {
        let questions = questions(document, facts).into_iter();
        let files = questions.filter(|question| question.subject == Subject::File);
        let files: Vec<String> = files.map(|question| question.name).collect();
        if files.is_empty() {
            break;
        }
        for path in files {
            let found = machine.file(&path, Wanted::Presence).await?;
            facts.files.insert(path, found);
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
