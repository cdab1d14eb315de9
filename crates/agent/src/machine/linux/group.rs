//! Process groups and the processes that lead them.
//!
//! A process is known by its number, by when it started and in which life of the system: numbers
//! are used again.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ambient::failpoint;
use rustix::process::{Pid, Signal, getpgid, kill_process_group, test_kill_process_group};
use tokio::time::{sleep, timeout};

use super::reading::{self, boot_id};
use crate::limits;

/// In the environment of an installer: the file below which it is recorded, and its name.
pub(super) const MARK: &str = "TIERLINE_INSTALLATION";

/// What [`MARK`] holds for the process that `record` is about to name.
pub(super) fn mark(record: &Path, name: &str) -> PathBuf {
    record.with_file_name(name)
}

/// The first process of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leader {
    pid: Pid,
    /// In ticks since the start of the system.
    started: u64,
    boot: String,
}

impl Leader {
    /// The process `id`, if it is there.
    pub(super) fn of(id: u32) -> io::Result<Option<Leader>> {
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
        let Some((pid, started)) = pid.and_then(|pid| Some((pid, started(pid)?))) else {
            return Ok(None);
        };
        Ok(Some(Leader { pid, started, boot: boot_id()? }))
    }

    /// Whether it has not ended; one that nobody has waited for yet has.
    pub(super) fn is_running(&self) -> bool {
        let is_same_life = boot_id().is_ok_and(|boot| boot == self.boot);
        is_same_life && started(self.pid) == Some(self.started)
    }

    pub(super) async fn gone(&self) {
        while self.is_running() {
            sleep(limits::GONE_POLL).await;
        }
    }

    pub(super) fn group(&self) -> Group {
        Group(self.pid)
    }

    /// Before a process starts: that it may, under which name.
    pub(super) fn announce(path: &Path, name: &str) -> io::Result<()> {
        write(path, format!("{name}\n"))
    }

    pub(super) fn record(&self, path: &Path, name: &str) -> io::Result<()> {
        let Leader { pid, started, boot } = self;
        write(path, format!("{} {started} {boot} {name}\n", pid.as_raw_nonzero()))
    }

    /// What was recorded last and under which name. A record that cannot be read is none. One that
    /// was merely announced is found by its mark.
    pub(super) fn recorded(path: &Path) -> io::Result<Option<(Leader, String)>> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if let [name] = text.split_whitespace().collect::<Vec<_>>()[..] {
            return Ok(Leader::marked(&mark(path, name))?.map(|leader| (leader, name.to_owned())));
        }
        let parse = || {
            let [pid, started, boot, name] =
                text.split_whitespace().collect::<Vec<_>>().try_into().ok()?;
            let (pid, started) = (Pid::from_raw(pid.parse().ok()?)?, started.parse().ok()?);
            Some((Leader { pid, started, boot: boot.to_owned() }, name.to_owned()))
        };
        Ok(parse())
    }

    fn marked(mark: &Path) -> io::Result<Option<Leader>> {
        let wanted = [MARK.as_bytes(), b"=", mark.as_os_str().as_bytes()].concat();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            // Whose environment cannot be read is not ours.
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let is_marked = environment.split(|byte| *byte == 0).any(|entry| entry == wanted);
            if is_marked && leads(pid) {
                return Leader::of(pid);
            }
        }
        Ok(None)
    }
}

/// Whether a process is the first of its group, as all that are started here.
fn leads(id: u32) -> bool {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| getpgid(Some(pid)) == Ok(pid))
}

/// Beside it first, so that a crash leaves one whole record or the other.
fn write(path: &Path, text: String) -> io::Result<()> {
    let beside = path.with_extension("new");
    fs::write(&beside, text)?;
    failpoint("installer.recording");
    fs::rename(&beside, path)
}

/// When a process started; none if it has ended.
fn started(pid: Pid) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    reading::started(&stat)
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Group(Pid);

impl Group {
    /// Asks all of it to end, and kills what is left after `grace`. Groups that are gone have
    /// ended.
    pub(super) async fn end(self, grace: Duration) {
        let gone = async {
            while test_kill_process_group(self.0).is_ok() && self.is_running() {
                sleep(limits::GONE_POLL).await;
            }
        };
        if kill_process_group(self.0, Signal::TERM).is_ok() && timeout(grace, gone).await.is_err() {
            // Gone in the meantime, then.
            let _ = kill_process_group(self.0, Signal::KILL);
        }
    }

    /// Whether any of it has not ended. Its leader may have, and nobody has waited for it yet: that
    /// keeps its number from being used again.
    fn is_running(self) -> bool {
        let Ok(entries) = fs::read_dir("/proc") else { return true };
        let stats =
            entries.filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("stat")).ok());
        let mut groups = stats.filter_map(|stat| reading::group(&stat));
        groups.any(|group| group == self.0.as_raw_nonzero().get())
    }
}
