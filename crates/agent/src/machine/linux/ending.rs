//! How an installer ended, kept for whoever did not see it.
//!
//! Owns `<data>/installs/ended`. Whoever waits for an installer writes it, whole and durable,
//! before anybody is told; it is removed once what it says is durable elsewhere. A file that cannot
//! be understood says nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use ambient::failpoint;

use super::reading::boot_id;

/// What a shell ends with that is told to end: 128 and SIGTERM.
const SHELL_TERM: u8 = 128 + 15;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// By itself, with this code.
    Exited(u8),
    /// By a signal.
    Signaled(i32),
    /// By whoever waited for it, after its maximum run time.
    Overran,
    /// It never began: the system's code, 0 if there is none.
    Refused(i32),
}

impl From<ExitStatus> for Ending {
    fn from(status: ExitStatus) -> Ending {
        let exited = status.code().and_then(|code| u8::try_from(code).ok());
        exited.map_or_else(|| Ending::Signaled(status.signal().unwrap_or(0)), Ending::Exited)
    }
}

impl From<&io::Error> for Ending {
    fn from(error: &io::Error) -> Ending {
        Ending::Refused(error.raw_os_error().unwrap_or(0))
    }
}

impl Ending {
    fn words(self) -> (&'static str, i32) {
        match self {
            Ending::Exited(code) => ("exited", code.into()),
            Ending::Signaled(signal) => ("signaled", signal),
            Ending::Overran => ("overran", 0),
            Ending::Refused(code) => ("refused", code),
        }
    }

    fn of(word: &str, number: i32) -> Option<Ending> {
        match word {
            "exited" => u8::try_from(number).ok().map(Ending::Exited),
            "signaled" => Some(Ending::Signaled(number)),
            "overran" => Some(Ending::Overran),
            "refused" => Some(Ending::Refused(number)),
            _ => None,
        }
    }

    /// Durable when this returns.
    pub(super) fn keep(self, installs: &Path, name: &str) -> io::Result<()> {
        let (word, number) = self.words();
        let beside = installs.join("ended.new");
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(format!("{name} {word} {number} {}\n", boot_id()?).as_bytes())?;
        file.sync_all()?;
        failpoint("installer.ending_written");
        fs::rename(&beside, path(installs))?;
        File::open(installs)?.sync_all()
    }

    /// The last one that was kept, and under which name.
    pub(super) fn kept(installs: &Path) -> io::Result<Option<(String, Ending)>> {
        let text = match fs::read_to_string(path(installs)) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let [name, word, number, boot] = text.split_whitespace().collect::<Vec<_>>()[..] else {
            return Ok(None);
        };
        let ending = number.parse().ok().and_then(|number| Ending::of(word, number));
        // A system that goes down ends everything that runs; that says nothing of an installer.
        let is_ended = matches!(ending, Some(Ending::Signaled(_) | Ending::Exited(SHELL_TERM)));
        let is_shut_down = is_ended && boot != boot_id()?;
        Ok(ending.filter(|_| !is_shut_down).map(|ending| (name.to_owned(), ending)))
    }

    /// Durably: a later installer must not be taken for this one.
    pub(super) fn forget(installs: &Path) -> io::Result<()> {
        match fs::remove_file(path(installs)) {
            Ok(()) => File::open(installs)?.sync_all(),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn path(installs: &Path) -> PathBuf {
    installs.join("ended")
}

#[cfg(test)]
mod tests;
