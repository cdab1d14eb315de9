//! Room in the content cache: how much policy grants, and what goes to make it.
//!
//! Owns the size of the disk and the removal; `client::cache_rules` decides what goes. Refuses to
//! know who fetches. What cannot be removed is met again the next time.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use client::cache_rules::{CacheLimits, Cached, Occasion, Sweep, sweep};
use client::policy::Policy;
use content_library::{Collected, ContentLibrary};
use model::{ClientOptions, Sha256, Timestamp};

use crate::Error;

/// What policy says of the cache.
#[derive(Debug, Default)]
pub(crate) struct Room(Mutex<Rule>);

#[derive(Clone, Debug, Default)]
struct Rule {
    options: Arc<ClientOptions>,
    /// Named by deployments that hold.
    needed: BTreeSet<Sha256>,
}

impl Room {
    /// From now on.
    pub(crate) fn follow(&self, policy: &Policy) {
        let updates = policy.assignments.iter().flat_map(|assigned| &assigned.updates);
        let needed = updates.flat_map(|update| &update.files).map(|file| file.sha256);
        let rule = Rule { options: policy.options.clone(), needed: needed.collect() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = rule;
    }

    /// Every file with what would become of it.
    pub(crate) async fn look(
        &self,
        library: &ContentLibrary,
        occasion: Occasion,
        now: Timestamp,
    ) -> Result<Sweep, Error> {
        let held = library.list().await?;
        let held: Vec<Cached> = held
            .iter()
            .map(|file| Cached { sha256: file.sha256, size: file.size, used_at: file.used_at })
            .collect();
        let Rule { options, needed } =
            self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let limits = CacheLimits::of(&options, disk_bytes(library.root()));
        Ok(sweep(&held, &needed, limits, occasion, now))
    }

    /// Removes what has to go. What is needed stays, and comes, however full the cache is (DEP-06).
    pub(crate) async fn make(
        &self,
        library: &ContentLibrary,
        occasion: Occasion,
        now: Timestamp,
    ) -> Result<Collected, Error> {
        let swept = self.look(library, occasion, now).await?;
        let removed = library.remove(swept.dropped().collect()).await?;
        if removed.files > 0 || swept.excess > 0 {
            let (Collected { files, bytes }, excess) = (removed, swept.excess);
            tracing::info!(files, bytes, excess, "the content cache was looked through");
        }
        Ok(removed)
    }
}

/// The size of the disk that a directory is on, if the system tells.
fn disk_bytes(directory: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(directory).ok()?;
    disk.f_blocks.checked_mul(disk.f_frsize)
}

#[cfg(test)]
mod tests;
