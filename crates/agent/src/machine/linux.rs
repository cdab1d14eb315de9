//! A real Linux computer.
//!
//! Owns how facts are read and how an installer is run. Installers run from a directory that only
//! the agent's user can enter, on bytes whose digest was computed while they were written there,
//! so that nothing can come between the check and the run. Whatever else is done to the computer,
//! a restart, a notice, its write filter, is a command of the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use jiff::tz::TimeZone;
use model::{Inventory, Sha256};
use recurrence::Zone;
use sha2::{Digest as _, Sha256 as Hasher};
use tokio::process::Command;
use tokio::sync::Mutex;
use transport::BoxFuture;
use update_metadata::{Facts, FileFact, PackageOrder, System};

use super::{Ended, Filter, FilterState, Form, Job, Machine, Wanted, architecture};
use crate::inventory::{Sources, collect};
use crate::limits;

mod group;
mod handlers;
mod reading;
mod running;
mod setup;
mod staging;
mod tools;
mod transcript;
mod words;

use handlers::{Program, invocation};
use running::Runner;
pub use setup::{HandlersSection, MachineSection, Setup};
use staging::Staged;
pub(crate) use staging::copy as stage;

const READ_BYTES: usize = 64 * 1024;

/// The shells and tools an installer may count on.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[derive(Debug)]
pub struct LinuxMachine {
    staging: PathBuf,
    installs: PathBuf,
    setup: Setup,
    /// One installer at a time: package managers lock each other out.
    turn: Mutex<()>,
}

impl LinuxMachine {
    /// Installers are staged and recorded below `data`.
    #[must_use]
    pub fn new(data: &Path) -> LinuxMachine {
        LinuxMachine::with(data, Setup::default())
    }

    #[must_use]
    pub fn with(data: &Path, setup: Setup) -> LinuxMachine {
        let (staging, installs) = (data.join("staging"), data.join("installs"));
        LinuxMachine { staging, installs, setup, turn: Mutex::new(()) }
    }

    fn runner(&self) -> Runner<'_> {
        Runner { installs: &self.installs, stop_grace: self.setup.stop_grace }
    }

    async fn run(&self, job: &Job<'_>) -> io::Result<Ended> {
        let _turn = self.turn.lock().await;
        let limit = job.limit.min(self.setup.run_time_max);
        self.runner().settle(limit).await?;
        let directory = staging::directory(&self.staging, job);
        let invocation = invocation(job, &self.setup, &directory)?;
        let staged = Staged::new(&self.staging, job).await?;
        let (mut command, held) = match &invocation.program {
            Program::System(path) => (Command::new(path), None),
            Program::Staged(name) => {
                let start = staged.start(name)?;
                let mut command = Command::new(&start.path);
                command.arg0(directory.join(name));
                (command, start.held)
            }
        };
        command.args(&invocation.arguments).current_dir(&directory);
        command.env_clear().env("PATH", PATH).env("DEBIAN_FRONTEND", "noninteractive");
        let update = job.document.update;
        let name = format!("{}-{}", update.id, update.revision);
        let ended = self.runner().run(command, &name, limit).await;
        drop(held);

        if let Err(error) = staged.remove() {
            tracing::warn!(%error, "staged files could not be removed");
        }
        Ok(ended?.map_or(Ended::TimedOut, |status| meant(status, job)))
    }

    /// What rpm says is installed; none where there is no database of it, or none that it can read.
    fn rpm_list(&self) -> Option<String> {
        let databases = ["/usr/lib/sysimage/rpm", "/var/lib/rpm"];
        databases.into_iter().find(|path| self.setup.at(path).is_dir())?;
        let mut command = std::process::Command::new("/usr/bin/timeout");
        let limit = limits::TOOL_TIME.as_secs().to_string();
        command.arg(limit).args(["/usr/bin/rpm", "--root"]).arg(&self.setup.root);
        command.args(["--query", "--all", "--queryformat", reading::RPM_FORMAT]);
        command.env_clear().env("PATH", PATH).stdin(Stdio::null()).stderr(Stdio::null());
        let output = command.output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.setup.at(path)).unwrap_or_default()
    }
}

impl Machine for LinuxMachine {
    fn facts(&self) -> io::Result<Facts> {
        let release = fs::read_to_string(self.setup.at("/etc/os-release"));
        let release = release.or_else(|_| fs::read_to_string(self.setup.at("/usr/lib/os-release")));
        let mut linux = reading::os_release(&release?);
        if let Ok(status) = fs::read_to_string(self.setup.at("/var/lib/dpkg/status")) {
            linux.packages = Some(reading::dpkg_status(&status));
        } else if let Some(list) = self.rpm_list() {
            linux.packages = Some(reading::rpm_list(&list));
            linux.order = PackageOrder::Rpm;
        }
        Ok(Facts {
            architecture: architecture(std::env::consts::ARCH),
            files: BTreeMap::new(),
            system: System::Linux(linux),
        })
    }

    fn file(&self, path: &str, digest: Wanted) -> io::Result<Option<FileFact>> {
        let path = self.setup.at(path);
        let found = match fs::metadata(&path) {
            Ok(found) if found.is_file() => found,
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            // A rule that asks below a file asks for what cannot be there.
            Err(error) if error.kind() == ErrorKind::NotADirectory => return Ok(None),
            Err(error) => return Err(error),
        };
        let is_hashed = digest == Wanted::Digest && found.len() <= limits::HASHED_BYTES_MAX;
        let sha256 = is_hashed.then(|| hash(&path)).transpose()?;
        Ok(Some(FileFact { size: found.len(), sha256, ..FileFact::default() }))
    }

    fn inventory(&self) -> BoxFuture<'_, Inventory> {
        let Setup { root, restart_flags, .. } = &self.setup;
        let is_running = root == Path::new("/");
        let (root, restart_flags) = (root.clone(), restart_flags.clone());
        Box::pin(async move { collect(&Sources { root, restart_flags, is_running }).await })
    }

    fn boot(&self) -> io::Result<String> {
        // A root with a life of its own says so; what is merely a directory lives with the system.
        match self.read(reading::BOOT_ID).trim() {
            "" => reading::boot_id(),
            boot => Ok(boot.to_owned()),
        }
    }

    fn zone(&self) -> Zone {
        Zone::of_machine(TimeZone::system())
    }

    fn form(&self) -> Form {
        let found = || {
            let release = self.read("/etc/os-release");
            let chassis = fs::read_to_string("/sys/class/dmi/id/chassis_type");
            reading::form(&self.read("/etc/machine-info"), &release, &chassis.unwrap_or_default())
        };
        self.setup.form.unwrap_or_else(found)
    }

    fn asks_for_restart(&self) -> io::Result<bool> {
        for flag in &self.setup.restart_flags {
            if fs::exists(flag)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn users(&self) -> io::Result<Vec<String>> {
        let mut users =
            fs::read("/run/utmp").map_or_else(|_| BTreeSet::new(), |b| reading::utmp(&b));
        // Systems without utmp know it from their login manager.
        if let Ok(entries) = fs::read_dir("/run/systemd/users") {
            for entry in entries.take(limits::USERS_MAX) {
                let text = fs::read_to_string(entry?.path()).unwrap_or_default();
                users.extend(reading::logind_user(&text));
            }
        }
        Ok(users.into_iter().collect())
    }

    fn notify<'a>(&'a self, notice: &'a str) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async { tools::ask(&self.setup.notify, None, notice).await.map(drop) })
    }

    fn restart(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async {
            if self.setup.restart.is_empty() {
                return Err(ErrorKind::Unsupported.into());
            }
            tools::ask(&self.setup.restart, None, "").await.map(drop)
        })
    }

    fn write_filter(&self, wish: Filter) -> BoxFuture<'_, io::Result<FilterState>> {
        Box::pin(async move {
            if self.setup.write_filter.is_empty() {
                return Ok(FilterState::Absent);
            }
            let wish = match wish {
                Filter::Ask => "ask",
                Filter::Open => "open",
                Filter::Close => "close",
            };
            let answer = tools::ask(&self.setup.write_filter, Some(wish), "").await?;
            match answer.split_whitespace().next() {
                Some("absent") => Ok(FilterState::Absent),
                Some("open") => Ok(FilterState::Open),
                Some("closed") => Ok(FilterState::Closed),
                _ => {
                    let reason = "the write filter's command said neither open, closed nor absent";
                    Err(io::Error::new(ErrorKind::InvalidData, reason))
                }
            }
        })
    }

    fn settle(&self, limit: Duration) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            let _turn = self.turn.lock().await;
            self.runner().settle(limit.min(self.setup.run_time_max)).await
        })
    }

    fn install<'a>(&'a self, job: &'a Job<'a>) -> BoxFuture<'a, io::Result<Ended>> {
        Box::pin(self.run(job))
    }
}

/// As the document calls it; what a signal ended, as shells do.
fn meant(status: ExitStatus, job: &Job<'_>) -> Ended {
    let exited = status.code().and_then(|code| u8::try_from(code).ok());
    let signal = || 128 + status.signal().unwrap_or(0);
    Ended::Exited(exited.map_or_else(signal, |byte| job.installer.exit_code(byte)))
}

pub(crate) fn hash(path: &Path) -> io::Result<Sha256> {
    let (mut file, mut hasher, mut buffer) = (File::open(path)?, Hasher::new(), [0; READ_BYTES]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Sha256(hasher.finalize().into())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

#[cfg(test)]
mod tests;
