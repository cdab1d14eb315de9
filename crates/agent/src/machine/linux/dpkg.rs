//! Whether somebody else is at work with dpkg, which lets in one at a time.
//!
//! Owns where its locks are and how long they are waited for. apt holds the first for the whole of
//! its work, dpkg itself both; they are locks of fcntl(2). Looking at them disturbs nobody.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::process::{Flock, FlockType, fcntl_getlk};
use tokio::time::{Instant, sleep};

use super::setup::Setup;
use crate::limits::LOCK_POLL;

const LOCKS: [&str; 2] = ["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock"];

/// With which dpkg ends that was not let in, and for other reasons.
const REFUSED: i32 = 2;

/// Waits until nobody is at work, but not for long: others have to wait, too.
pub(super) async fn wait(setup: &Setup) -> io::Result<()> {
    let end = Instant::now() + setup.lock_wait;
    loop {
        let Some(holder) = holder(setup)? else { return Ok(()) };
        if Instant::now() >= end {
            return Err(busy(holder));
        }
        sleep(LOCK_POLL.min(setup.lock_wait)).await;
    }
}

/// Somebody may have begun since it was looked.
pub(super) fn check_end(setup: &Setup, code: i32) -> io::Result<()> {
    match holder(setup)?.filter(|_| code == REFUSED) {
        Some(holder) => Err(busy(holder)),
        None => Ok(()),
    }
}

/// Who holds a lock.
fn holder(setup: &Setup) -> io::Result<Option<String>> {
    for lock in LOCKS {
        if let Some(holder) = holder_of(&setup.at(lock))? {
            return Ok(Some(holder));
        }
    }
    Ok(None)
}

fn holder_of(path: &Path) -> io::Result<Option<String>> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        // There is no dpkg, or it has never been at work.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let found = fcntl_getlk(file, &Flock::from(FlockType::WriteLock))?;
    Ok(found.map(|found| match found.pid {
        Some(pid) => format!("process {}", pid.as_raw_nonzero()),
        None => "a process of another container".to_owned(),
    }))
}

fn busy(holder: String) -> io::Error {
    io::Error::new(ErrorKind::ResourceBusy, format!("{holder} is at work with dpkg"))
}
