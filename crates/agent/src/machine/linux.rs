//! A real Linux computer.
//!
//! Owns how facts are read and how an installer is run. Installers run from a directory that only
//! the agent's user can enter, on bytes whose digest was computed while they were written there,
//! so that nothing can come between the check and the run. Whatever else is done to the computer,
//! a restart, a notice, its write filter, is a command of the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use model::{Form, Inventory, Sha256, UpdateRef};
use recurrence::Zone;
use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256 as Hasher};
use tokio::sync::Mutex;
use transport::BoxFuture;
use update_metadata::{Document, Facts, FileFact, Installer, LinuxFacts, PackageOrder, System};

use super::{Ended, Filter, FilterState, Job, Machine, Settled, Wanted, architecture};
use crate::inventory::{Sources, collect, packages, release};
use crate::limits;

mod aside;
mod dpkg;
mod ending;
mod group;
mod handlers;
mod output;
mod reading;
mod running;
mod setup;
mod staging;
mod tools;
mod transcript;
mod waiting;
mod words;

use aside::Aside;
use ending::Ending;
use handlers::{Program, invocation};
use running::{Runner, Waiter};
pub use setup::{HandlersSection, MachineSection, Setup};
pub(crate) use staging::copy as stage;
use staging::{Staged, Start};
use waiting::Order;
pub use waiting::run_installer;

const READ_BYTES: usize = 64 * 1024;

/// The shells and tools an installer may count on.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[derive(Debug)]
pub struct LinuxMachine {
    staging: PathBuf,
    installs: PathBuf,
    setup: Setup,
    waiter: Waiter,
    aside: Aside,
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
        let (waiter, aside, turn) = (Waiter::Here, Aside::new(), Mutex::new(()));
        LinuxMachine { staging, installs, setup, waiter, aside, turn }
    }

    /// With a process of its own that waits for installers and outlives this one: a program that
    /// begins with [`run_installer`].
    #[must_use]
    pub fn waiting_apart(self) -> LinuxMachine {
        LinuxMachine { waiter: Waiter::Apart(vec![waiting::VERB.into()]), ..self }
    }

    fn runner(&self) -> Runner<'_> {
        let stop_grace = self.setup.stop_grace;
        Runner { installs: &self.installs, stop_grace, waiter: &self.waiter }
    }

    async fn run(&self, job: &Job<'_>) -> io::Result<Ended> {
        let _turn = self.turn.lock().await;
        let limit = job.limit.min(self.setup.run_time_max);
        self.runner().settle(limit).await?;
        // It was told before; what comes now must not be taken for it.
        Ending::forget(&self.installs)?;
        let directory = staging::directory(&self.staging, job);
        let invocation = invocation(job, &self.setup, &directory)?;
        let is_dpkg = invocation.handler.as_deref() == Some("deb");
        if is_dpkg {
            dpkg::wait(&self.setup).await?;
        }
        let staged = Staged::new(&self.staging, job).await?;
        let (program, called) = match invocation.program {
            Program::System(path) => (Start { path: path.clone(), held: None }, path),
            Program::Staged(name) => (staged.start(&name)?, directory.join(name)),
        };
        let order = Order {
            installs: self.installs.clone(),
            name: recorded_as(job.document.update),
            limit,
            stop_grace: self.setup.stop_grace,
            directory,
            program,
            called,
            arguments: invocation.arguments.into_iter().map(Into::into).collect(),
        };
        let ended = self.runner().run(order).await;

        if let Err(error) = staged.remove() {
            tracing::warn!(%error, "staged files could not be removed");
        }
        let Some(ending) = ended? else { return Ok(Ended::Unseen) };
        if let (true, Ending::Exited(code)) = (is_dpkg, ending) {
            dpkg::check_end(&self.setup, code.into())?;
        }
        meant(ending, job.installer)
    }

    fn read(&self, path: &str) -> String {
        packages::read(&self.setup.at(path))
    }

    async fn facts_now(&self) -> io::Result<Facts> {
        let release = fs::read_to_string(self.setup.at("/etc/os-release"));
        let release = release.or_else(|_| fs::read_to_string(self.setup.at("/usr/lib/os-release")));
        let release = release?;
        let (id, version_id) = (release::id(&release), release::variable(&release, "VERSION_ID"));
        let mut linux = LinuxFacts { id, version_id, ..LinuxFacts::default() };
        let status = self.setup.at("/var/lib/dpkg/status");
        if status.is_file() {
            let status = packages::read(&status);
            linux.packages = Some(packages::latest(packages::dpkg(&status), linux.order));
        } else if let Some(list) = packages::rpm(&self.setup.root).await {
            linux.order = PackageOrder::Rpm;
            linux.packages = Some(packages::latest(packages::rpm_list(&list), linux.order));
        }
        Ok(Facts {
            architecture: architecture(std::env::consts::ARCH),
            files: BTreeMap::new(),
            system: System::Linux(linux),
        })
    }
}

impl Machine for LinuxMachine {
    fn facts(&self) -> BoxFuture<'_, io::Result<Facts>> {
        Box::pin(self.facts_now())
    }

    fn file<'a>(
        &'a self,
        path: &'a str,
        digest: Wanted,
    ) -> BoxFuture<'a, io::Result<Option<FileFact>>> {
        let path = self.setup.at(path);
        Box::pin(self.aside.look(path, move |path| look_at(path, digest)))
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
            let machine_info = self.read("/etc/machine-info");
            let form = release::form(&machine_info, &release, &chassis.unwrap_or_default());
            form.unwrap_or(Form::Server)
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

    fn settle<'a>(
        &'a self,
        limit: Duration,
        documents: &'a [Document],
    ) -> BoxFuture<'a, io::Result<Option<Settled>>> {
        Box::pin(async move {
            let _turn = self.turn.lock().await;
            let settled = self.runner().settle(limit.min(self.setup.run_time_max)).await?;
            let Some((name, ending)) = settled else { return Ok(None) };
            let is_named = |document: &&Document| name == recorded_as(document.update);
            let Some(document) = documents.iter().find(is_named) else { return Ok(None) };
            let meant =
                |installer| Settled { update: document.update, ended: meant(ending, installer) };
            Ok(document.installer.as_ref().map(meant))
        })
    }

    fn leaves_installers(&self) -> bool {
        matches!(self.waiter, Waiter::Apart(_))
    }

    fn forget_settled(&self) -> io::Result<()> {
        Ending::forget(&self.installs)
    }

    fn install<'a>(&'a self, job: &'a Job<'a>) -> BoxFuture<'a, io::Result<Ended>> {
        Box::pin(self.run(job))
    }
}

/// Under which name an installer is recorded.
fn recorded_as(update: UpdateRef) -> String {
    format!("{}-{}", update.id, update.revision)
}

/// As the document calls it; what a signal ended, as shells do.
fn meant(ending: Ending, installer: &Installer) -> io::Result<Ended> {
    match ending {
        Ending::Exited(byte) => Ok(Ended::Exited(installer.exit_code(byte))),
        Ending::Signaled(signal) => Ok(Ended::Exited(128 + signal)),
        Ending::Overran => Ok(Ended::TimedOut),
        Ending::Refused(0) => Err(ErrorKind::Other.into()),
        Ending::Refused(code) => Err(io::Error::from_raw_os_error(code)),
    }
}

fn look_at(path: &Path, digest: Wanted) -> io::Result<Option<FileFact>> {
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

/// Of a file of a bounded size. Whatever has its name by now, a pipe or a device, holds nobody up.
pub(crate) fn hash(path: &Path) -> io::Result<Sha256> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no file any more"));
    }
    let (mut file, mut hasher) = (file.take(limits::HASHED_BYTES_MAX + 1), Hasher::new());
    let mut buffer = [0; READ_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 if file.limit() == 0 => return Err(ErrorKind::FileTooLarge.into()),
            0 => return Ok(Sha256(hasher.finalize().into())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

/// Whether a user of the system that this runs on is logged on.
pub(crate) fn is_logged_on(uid: u32, name: &str) -> bool {
    let session = fs::read_to_string(format!("/run/systemd/users/{uid}")).unwrap_or_default();
    let has_record = || fs::read("/run/utmp").is_ok_and(|log| reading::utmp(&log).contains(name));
    reading::logind_user(&session).is_some() || has_record()
}

#[cfg(test)]
mod tests;
