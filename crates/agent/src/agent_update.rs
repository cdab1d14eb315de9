//! Versions of the agent beside the installed one: how they are kept, started and watched.
//!
//! The program that the system starts is always the installed one. It runs itself, or gives way to
//! the version that has proved itself, or watches one that is on trial until that has; `client`
//! decides. `<data>/agent/current` says how versions stand, `<data>/agent/<version>` has a program,
//! and only the agent's user can enter either; what others could change is not run. A pointer that
//! cannot be read counts as none.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use ambient::{Ambient, failpoint};
use client::agent_update::{Limits, PROGRAM, Reason, Start, Trial, Version, Versions, Wish};
use content_library::FileReader;
use model::{AssignedFile, Timestamp};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use tokio::process::{Child, Command};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::machine::{hash, stage};
use crate::{Error, custody, limits};

/// The version of this very program.
pub(crate) const RUNNING: &str = env!("CARGO_PKG_VERSION");

/// Tells a program that the installed one has started it, and how.
const STARTED_AS: &str = "TIERLINE_AGENT_STARTED_AS";
const AS_GOOD: &str = "good";
const AS_TRIAL: &str = "trial";

/// Tells it where the installed one is.
const INSTALLED_AT: &str = "TIERLINE_AGENT_INSTALLED_AT";

/// Where versions are kept.
#[derive(Clone, Debug)]
pub(crate) struct Releases {
    directory: PathBuf,
}

impl Releases {
    pub(crate) fn within(data: &Path) -> Releases {
        Releases { directory: data.join("agent") }
    }

    /// Refuses what others can change, before it is believed or run.
    pub(crate) fn check(&self) -> Result<(), Error> {
        custody::check_all(&self.directory)
    }

    pub(crate) fn load(&self) -> Versions {
        let text = match fs::read(self.pointer()) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Versions::default(),
            Err(error) => {
                tracing::warn!(%error, "which version of the agent runs cannot be read");
                return Versions::default();
            }
        };
        serde_json::from_slice(&text).unwrap_or_else(|error| {
            tracing::warn!(%error, "which version of the agent runs is not understood");
            Versions::default()
        })
    }

    pub(crate) fn save(&self, versions: &Versions) -> Result<(), Error> {
        let write = || {
            self.make()?;
            let beside = self.directory.join(".current.new");
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            let mut file = options.open(&beside)?;
            file.write_all(&serde_json::to_vec(versions)?)?;
            file.sync_all()?;
            failpoint("agent.update_keeping");
            fs::rename(&beside, self.pointer())?;
            File::open(&self.directory)?.sync_all()
        };
        let (operation, path) = ("write", self.pointer());
        write().map_err(|source| Error::Files { operation, path, source })
    }

    /// Puts a version on trial: the next start of the agent tries it.
    pub(crate) async fn take(
        &self,
        wish: Wish,
        (file, reader): (&AssignedFile, &FileReader),
    ) -> Result<bool, i32> {
        let mut versions = self.load();
        if let Err(refused) = versions.take(wish, file.sha256, RUNNING) {
            tracing::warn!(reason = %refused, "a version of the agent is not taken");
            return Err(refused.code());
        }
        let Some(Trial { version, .. }) = &versions.trial else { return Ok(false) };
        let staged = self.stage(version, file, reader).await;
        staged.map_err(|error| error.raw_os_error().unwrap_or(Reason::Damaged.code()))?;
        failpoint("agent.update_staged");
        self.save(&versions).map_err(|_| Reason::Damaged.code())?;
        failpoint("agent.update_taken");
        Ok(true)
    }

    async fn stage(
        &self,
        version: &Version,
        file: &AssignedFile,
        from: &FileReader,
    ) -> io::Result<()> {
        let (beside, place) = (self.directory.join(".staged"), self.place(version));
        self.make()?;
        remove(&beside)?;
        remove(&place)?;
        DirBuilder::new().mode(0o700).create(&beside)?;
        stage(file, from, &beside.join(PROGRAM)).await?.sync_all()?;
        failpoint("agent.update_copied");
        fs::rename(&beside, &place)?;
        File::open(&self.directory)?.sync_all()
    }

    /// The version on trial has proved itself.
    pub(crate) fn proved(&self) -> Result<(), Error> {
        let mut versions = self.load();
        versions.proved();
        self.save(&versions)?;
        failpoint("agent.update_proved");
        Ok(())
    }

    /// The client knows, and remembers, which versions were given up.
    pub(crate) fn told(&self) -> Result<(), Error> {
        let mut versions = self.load();
        versions.told();
        self.save(&versions)?;
        failpoint("agent.update_told");
        Ok(())
    }

    fn is_whole(&self, version: &Version) -> bool {
        hash(&self.program(version)).is_ok_and(|found| found == version.sha256)
    }

    /// Removes what is not needed: detection of a version that failed shall not find it.
    fn clean(&self, versions: &Versions) {
        let kept: BTreeSet<PathBuf> = versions.kept().map(|version| self.place(version)).collect();
        let Ok(entries) = fs::read_dir(&self.directory) else { return };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.is_dir()
                && !kept.contains(&path)
                && let Err(error) = fs::remove_dir_all(&path)
            {
                tracing::warn!(%error, path = %path.display(), "cannot be removed");
            }
        }
    }

    fn make(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)
    }

    fn pointer(&self) -> PathBuf {
        self.directory.join("current")
    }

    fn place(&self, version: &Version) -> PathBuf {
        self.directory.join(&version.version)
    }

    fn program(&self, version: &Version) -> PathBuf {
        self.place(version).join(PROGRAM)
    }
}

fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Where the agent runs.
#[derive(Debug)]
pub(crate) enum Ran {
    /// In this process, from now on.
    Here,
    /// It ran elsewhere and has ended, well or not.
    Elsewhere(Option<ExitStatus>),
}

/// The right to work in the data directory, which only one agent has.
pub(crate) trait Turn: fmt::Debug + Send + Sync {
    fn take(&self) -> Result<(), Box<dyn StdError + Send + Sync>>;
    fn let_go(&self) -> Result<(), Box<dyn StdError + Send + Sync>>;
}

/// What starts and watches versions.
#[derive(Debug)]
pub(crate) struct Launcher {
    pub(crate) turn: Box<dyn Turn>,
    pub(crate) releases: Releases,
    pub(crate) limits: Limits,
    pub(crate) ambient: Ambient,
    pub(crate) shutdown: CancellationToken,
}

/// How a version on trial went.
enum Watched {
    /// It did not prove itself, or another one is on trial now.
    Again,
    /// It has proved itself, and has ended since.
    Ended(ExitStatus),
    /// The whole agent is to end.
    Stopped,
}

impl Launcher {
    /// Runs the version whose turn it is; answers when it is this program.
    pub(crate) async fn run(&self) -> Result<Ran, Error> {
        match std::env::var(STARTED_AS).as_deref() {
            Ok(AS_TRIAL) => {
                // Nobody else would end it, and there must not be two agents.
                let told = set_parent_process_death_signal(Some(Signal::TERM));
                if let Err(error) = told {
                    tracing::warn!(%error, "this version will outlive the one that watches it");
                }
                return Ok(Ran::Here);
            }
            Ok(_) => return Ok(Ran::Here),
            Err(_) => {}
        }
        loop {
            self.releases.check()?;
            let before = self.releases.load();
            let mut versions = before.clone();
            let start = versions.start(RUNNING, self.limits, Timestamp(self.ambient.now_ms()));
            if versions != before {
                self.save(&before, &versions)?;
                failpoint("agent.update_started");
            }
            self.releases.clean(&versions);
            match start {
                Start::Installed => return Ok(Ran::Here),
                Start::Good(version) => {
                    let reason = self.give_way(&version);
                    versions.lose(reason);
                    self.save(&before, &versions)?;
                }
                Start::Trial(version, until) => match self.watch(&version, until).await? {
                    Watched::Again => {
                        self.turn.take().map_err(Error::InUse)?;
                        let pause = self.shutdown.run_until_cancelled(sleep(limits::TRIAL_PAUSE));
                        if pause.await.is_none() {
                            return Ok(Ran::Elsewhere(None));
                        }
                    }
                    Watched::Ended(status) => return Ok(Ran::Elsewhere(Some(status))),
                    Watched::Stopped => return Ok(Ran::Elsewhere(None)),
                },
            }
        }
    }

    /// Keeps it, and says which versions are given up with it.
    fn save(&self, before: &Versions, versions: &Versions) -> Result<(), Error> {
        for rejected in versions.rejected.iter().filter(|found| !before.rejected.contains(found)) {
            let (version, reason) = (&rejected.version.version, rejected.reason.as_str());
            tracing::error!(version, reason, "a version of the agent is given up");
        }
        self.releases.save(versions)
    }

    /// Becomes the version that has proved itself; returns only if that cannot be.
    fn give_way(&self, version: &Version) -> Reason {
        if !self.releases.is_whole(version) {
            return Reason::Damaged;
        }
        let mut command = std::process::Command::new(self.releases.program(version));
        command.args(std::env::args_os().skip(1)).env(STARTED_AS, AS_GOOD);
        if let Ok(installed) = std::env::current_exe() {
            command.env(INSTALLED_AT, installed);
        }
        let error = command.exec();
        tracing::error!(%error, version = version.version, "a version cannot be started");
        Reason::NotStarted
    }

    async fn watch(&self, version: &Version, until: Timestamp) -> Result<Watched, Error> {
        if !self.releases.is_whole(version) {
            return self.give_up(version, Reason::Damaged);
        }
        tracing::info!(version = version.version, %until, "a version of the agent is tried");
        // It takes it as every agent does.
        self.turn.let_go().map_err(Error::InUse)?;
        let mut command = Command::new(self.releases.program(version));
        command.args(std::env::args_os().skip(1)).env(STARTED_AS, AS_TRIAL).kill_on_drop(true);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {
                return Ok(Watched::Again);
            }
            Err(error) => {
                tracing::error!(%error, version = version.version, "a version cannot be started");
                return self.give_up(version, Reason::NotStarted);
            }
        };
        let left = until.0.saturating_sub(self.ambient.now_ms());
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        tokio::select! {
            biased;
            ended = child.wait() => return self.ended(version, ended),
            () = self.shutdown.cancelled() => return self.stop(&mut child).await,
            () = sleep(left) => {}
        }
        if self.is_on_trial(version) {
            if let Err(error) = child.kill().await {
                tracing::error!(%error, "a version of the agent cannot be ended");
            }
            // It may have proved itself at the last moment.
            if self.is_on_trial(version) {
                return self.give_up(version, Reason::Silent);
            }
            return Ok(Watched::Again);
        }
        tokio::select! {
            biased;
            ended = child.wait() => self.ended(version, ended),
            () = self.shutdown.cancelled() => self.stop(&mut child).await,
        }
    }

    fn is_on_trial(&self, version: &Version) -> bool {
        let trial = self.releases.load().trial;
        trial.is_some_and(|trial| trial.version.sha256 == version.sha256)
    }

    fn give_up(&self, version: &Version, reason: Reason) -> Result<Watched, Error> {
        let before = self.releases.load();
        if self.is_on_trial(version) {
            let mut versions = before.clone();
            versions.reject(reason);
            self.save(&before, &versions)?;
            failpoint("agent.update_given_up");
        }
        Ok(Watched::Again)
    }

    fn ended(&self, version: &Version, status: io::Result<ExitStatus>) -> Result<Watched, Error> {
        let status = status.map_err(|source| {
            let (operation, path) = ("wait for", self.releases.program(version));
            Error::Files { operation, path, source }
        })?;
        // It may have taken a newer one meanwhile, and made way for it.
        let is_tried = self.releases.load().trial.is_some();
        if is_tried {
            tracing::warn!(version = version.version, %status, "a version on trial has ended");
        }
        Ok(if is_tried { Watched::Again } else { Watched::Ended(status) })
    }

    async fn stop(&self, child: &mut Child) -> Result<Watched, Error> {
        let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(id) = id {
            // One that has just ended is as well.
            let _ = kill_process(id, Signal::TERM);
        }
        let _ = child.wait().await;
        let mut versions = self.releases.load();
        if versions.trial.is_some() {
            versions.interrupted();
            self.releases.save(&versions)?;
        }
        Ok(Watched::Stopped)
    }
}

/// Makes way for the version that was taken; returns if whoever watches this one does that.
pub(crate) fn start_anew() -> Result<(), Error> {
    if std::env::var(STARTED_AS).as_deref() == Ok(AS_TRIAL) {
        return Ok(());
    }
    let installed = std::env::var_os(INSTALLED_AT).map(PathBuf::from);
    let installed = installed.map_or_else(std::env::current_exe, Ok);
    let failed = |path: PathBuf| move |source| Error::Files { operation: "start", path, source };
    let path = installed.map_err(failed(PathBuf::from(PROGRAM)))?;
    tracing::info!("the agent starts anew");
    let mut command = std::process::Command::new(&path);
    command.args(std::env::args_os().skip(1)).env_remove(STARTED_AS).env_remove(INSTALLED_AT);
    Err(failed(path)(command.exec()))
}

#[cfg(test)]
pub(crate) mod tests;
