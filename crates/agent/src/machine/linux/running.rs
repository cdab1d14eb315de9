//! Installers that run, and those that an earlier life of the agent has started.
//!
//! An installer is never ended because the agent ends: half an installation is worse than a late
//! one, and the agent itself may be what is being installed. `<data>/installs/running` names it
//! from before it starts, `lock` is held as long as somebody waits for it, and `ended` says how it
//! ended. The agent's next life waits until the lock is free, and goes on with what it finds. If
//! whoever waited was ended as well, the installer itself is waited for, nobody knows how it ends,
//! and the agent ends it when its time is over; as long as the lock is held, it never does.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use ambient::failpoint;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::ending::Ending;
use super::group::Leader;
use super::output::Output;
use super::waiting::{Order, running};
use crate::limits;

/// This very program, even if another file has its name by now.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// Who waits for an installer.
#[derive(Clone, Debug)]
pub(super) enum Waiter {
    /// This process, so that nobody does once it has ended.
    Here,
    /// Another one of this program, which these words make wait.
    Apart(Vec<OsString>),
}

/// Where installers are recorded, how long one has to end when it is asked to, and who waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Runner<'a> {
    pub(super) installs: &'a Path,
    pub(super) stop_grace: Duration,
    pub(super) waiter: &'a Waiter,
}

impl Runner<'_> {
    /// Runs an installer to its end, and says how it ended; none if whoever waited for it was ended
    /// before.
    pub(super) async fn run(&self, order: Order) -> io::Result<Option<Ending>> {
        DirBuilder::new().recursive(true).mode(0o700).create(self.installs)?;
        let lock = self.lock().await?;
        Ending::forget(self.installs)?;
        // Without it a later life would not wait; no reason to install nothing now.
        if let Err(error) = Leader::announce(&running(self.installs), &order.name) {
            tracing::warn!(%error, "an installer that starts could not be recorded");
        }
        let limit = order.limit;
        match self.waiter {
            Waiter::Here => order.carry_out().await?,
            Waiter::Apart(words) => wait_apart(words, order, lock).await?,
        }
        failpoint("agent.waiter_ended");
        match Ending::kept(self.installs)? {
            Some((_, ending)) => {
                self.forget_running()?;
                Ok(Some(ending))
            }
            None => self.outlast(limit).await.map(|()| None),
        }
    }

    /// Waits until the installer of an earlier life has ended, and says which one it was and how
    /// it ended; none if nobody knows. Only where nobody waits for it any more, `limit` is what is
    /// left to it.
    pub(super) async fn settle(&self, limit: Duration) -> io::Result<Option<(String, Ending)>> {
        if !fs::exists(self.installs)? {
            return Ok(None);
        }
        let _lock = self.lock().await?;
        let found = Ending::kept(self.installs)?;
        match &found {
            Some((name, ending)) => {
                tracing::info!(name, ?ending, "an installer of an earlier life has ended");
                self.forget_running()?;
            }
            None => self.outlast(limit).await?,
        }
        Ok(found)
    }

    /// For whom nobody waits any more.
    async fn outlast(&self, limit: Duration) -> io::Result<()> {
        let Some((leader, name)) = self.recorded().await? else { return Ok(()) };
        if leader.is_running() {
            tracing::info!(name, "an installer of an earlier life still runs");
            let ended = async {
                if timeout(limit, leader.gone()).await.is_err() {
                    leader.group().end(self.stop_grace).await;
                }
            };
            let mut output = Output::again(self.installs, &name)?;
            tokio::select! {
                biased;
                () = ended => {}
                never = output.keep() => match never {},
            }
            output.finish();
        }
        tracing::warn!(name, "nobody saw how an installer ended; detection decides");
        self.forget_running()
    }

    /// The installer that was recorded. One that was merely announced may be about to become
    /// another program, and cannot be told from others at that moment: it is looked for again.
    async fn recorded(&self) -> io::Result<Option<(Leader, String)>> {
        let record = running(self.installs);
        for _ in 0..limits::LOOKS {
            if let Some(found) = Leader::recorded(&record)? {
                return Ok(Some(found));
            }
            if !fs::exists(&record)? {
                break;
            }
            sleep(limits::GONE_POLL).await;
        }
        Ok(None)
    }

    /// Free as soon as nobody waits for an installer. Whoever holds it never lets go before its
    /// process ends.
    async fn lock(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(self.installs.join("lock"))?;
        let mut is_told = false;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) => {}
            }
            if !is_told {
                tracing::info!("an installer of an earlier life still runs, and is waited for");
            }
            is_told = true;
            sleep(limits::GONE_POLL).await;
        }
    }

    fn forget_running(&self) -> io::Result<()> {
        match fs::remove_file(running(self.installs)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Lets another process wait, which has the lock from its first moment on.
async fn wait_apart(words: &[OsString], order: Order, lock: File) -> io::Result<()> {
    let (order, held) = order.hand_over();
    let mut command = Command::new(OWN_PROGRAM);
    command.args(words).args(order).current_dir("/");
    command.stdin(held.map_or_else(Stdio::null, Stdio::from)).stdout(lock).stderr(Stdio::null());
    let mut waiter = command.spawn()?;
    // It holds the lock, and what the program goes through.
    drop(command);
    failpoint("agent.waiter_started");
    let status = waiter.wait().await?;
    if !status.success() {
        tracing::warn!(%status, "whoever waited for an installer has ended before it");
    }
    Ok(())
}
