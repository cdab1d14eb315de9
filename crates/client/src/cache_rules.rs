//! Which files leave the content cache, and why the others stay (CONT-21, DEP-06).
//!
//! Owns the order in which files go. What a deployment still needs never goes, and is fetched
//! however full the cache is: then the cache is too large until that deployment is done. Refuses
//! to know where files lie and who reads them; a file that is being read stays readable.

use std::collections::BTreeSet;

use model::{ClientOptions, Sha256, Timestamp};

use crate::limits::MINUTE_MS;

const MB: u64 = 1_000_000;

/// How much the cache may hold, and for how long nothing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    pub bytes_max: u64,
    pub age_min_ms: i64,
}

impl CacheLimits {
    /// `disk_bytes` is the size of the disk that the cache is on, where that is known.
    #[must_use]
    pub fn of(options: &ClientOptions, disk_bytes: Option<u64>) -> CacheLimits {
        let by_size = u64::from(options.number("cache.max_mb")) * MB;
        let part = |disk: u64| disk / 100 * u64::from(options.number("cache.max_percent"));
        CacheLimits {
            bytes_max: disk_bytes.map_or(by_size, |disk| by_size.min(part(disk))),
            age_min_ms: i64::from(options.number("cache.min_age")) * MINUTE_MS,
        }
    }
}

/// A file of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cached {
    pub sha256: Sha256,
    pub size: u64,
    /// When it came, or was last installed from.
    pub used_at: Timestamp,
}

/// Why the cache is looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// So many bytes are about to be fetched.
    Coming(u64),
    /// The disk has no room left, whatever the cache may hold.
    DiskFull,
    /// Somebody wants it emptied.
    Asked,
}

/// What becomes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A deployment that holds for this client names it.
    Needed,
    /// It was used too recently.
    Young { until: Timestamp },
    /// There is room for it.
    Fits,
    /// It makes room.
    Dropped,
}

/// What becomes of all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Those used longest ago first.
    pub files: Vec<(Cached, Fate)>,
    /// By how much the cache is larger than it may be, once what goes is gone and what comes is
    /// here.
    pub excess: u64,
}

impl Sweep {
    pub fn dropped(&self) -> impl Iterator<Item = Sha256> {
        let gone = self.files.iter().filter(|(_, fate)| *fate == Fate::Dropped);
        gone.map(|(file, _)| file.sha256)
    }
}

/// Decides about every file. `needed` is what deployments that hold for this client name.
#[must_use]
pub fn sweep(
    cached: &[Cached],
    needed: &BTreeSet<Sha256>,
    limits: CacheLimits,
    occasion: Occasion,
    now: Timestamp,
) -> Sweep {
    let mut files = cached.to_vec();
    files.sort_by_key(|file| (file.used_at, file.sha256));
    let held: u128 = files.iter().map(|file| u128::from(file.size)).sum();
    let coming = match occasion {
        Occasion::Coming(bytes) => bytes,
        Occasion::DiskFull | Occasion::Asked => 0,
    };
    let mut total = held + u128::from(coming);
    let decide = |file: Cached| {
        let is_wanted = match occasion {
            Occasion::Coming(_) => total > u128::from(limits.bytes_max),
            Occasion::DiskFull | Occasion::Asked => true,
        };
        let until = file.used_at.plus_ms(limits.age_min_ms);
        let fate = match occasion {
            _ if needed.contains(&file.sha256) => Fate::Needed,
            Occasion::Coming(_) | Occasion::DiskFull if until > now => Fate::Young { until },
            _ if is_wanted => Fate::Dropped,
            _ => Fate::Fits,
        };
        if fate == Fate::Dropped {
            total -= u128::from(file.size);
        }
        (file, fate)
    };
    let files = files.into_iter().map(decide).collect();
    let excess = total.saturating_sub(u128::from(limits.bytes_max));
    Sweep { files, excess: u64::try_from(excess).unwrap_or(u64::MAX) }
}

#[cfg(test)]
mod tests;
