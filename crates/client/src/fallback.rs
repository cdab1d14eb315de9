//! When a client goes beyond the servers of its own boundary groups (BG-02, BG-06, BG-09), and to
//! the servers of publishers (DEP-04, DEP-05).

use std::collections::BTreeMap;

use model::{AssignedFile, ServerRef, Sha256, Timestamp, UpdateRef};

/// Distribution points of one waiting time that are asked for a file before the next attempt.
const ALIKE_MAX: usize = 8;

const MINUTE_MS: i64 = 60 * 1000;

/// Since when something is looked for that nobody has given.
#[derive(Clone, Debug)]
pub struct Search<K>(BTreeMap<K, Timestamp>);

impl<K> Default for Search<K> {
    fn default() -> Search<K> {
        Search(BTreeMap::new())
    }
}

impl<K: Ord> Search<K> {
    /// Begins it, if it has not begun, and says how many whole minutes it has lasted.
    pub fn minutes(&mut self, wanted: K, now: Timestamp) -> u32 {
        let since = self.0.entry(wanted).or_insert(now);
        // A clock that was set back begins it anew.
        *since = (*since).min(now);
        u32::try_from((now.0 - since.0) / MINUTE_MS).unwrap_or(u32::MAX)
    }

    /// How many whole minutes it has lasted; 0 if it has not begun.
    pub fn lasted(&self, wanted: &K, now: Timestamp) -> u32 {
        let lasted = self.0.get(wanted).map_or(0, |since| now.0.saturating_sub(since.0));
        u32::try_from(lasted.max(0) / MINUTE_MS).unwrap_or(u32::MAX)
    }

    /// Whether it is looked for.
    pub fn has(&self, wanted: &K) -> bool {
        self.0.contains_key(wanted)
    }

    pub fn end(&mut self, wanted: &K) {
        self.0.remove(wanted);
    }

    /// Ends all but those that are still wanted.
    pub fn keep(&mut self, is_wanted: impl Fn(&K) -> bool) {
        self.0.retain(|wanted, _| is_wanted(wanted));
    }
}

/// A file to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetching {
    pub file: AssignedFile,
    /// The update whose it is: update points know it by that.
    pub update: UpdateRef,
    /// How long it has been looked for.
    pub minutes: u32,
    pub public: Public,
}

/// When a file comes from where its publisher offers it to everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Public {
    Never,
    /// Where no distribution point gives it (DEP-05).
    Last,
    /// The computer is on the internet (DEP-04).
    Always,
}

/// Who may be asked for a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    Point(ServerRef),
    /// An address that is open to everybody.
    Public(String),
}

/// What is known of files; none: nobody could say.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub points: Option<BTreeMap<Sha256, Vec<ServerRef>>>,
    /// Where publishers offer them; those without an address are not named.
    pub addresses: Option<BTreeMap<Sha256, Vec<String>>>,
}

impl Known {
    fn addresses(&self, file: &AssignedFile) -> Option<&[String]> {
        let known = self.addresses.as_ref()?;
        Some(known.get(&file.sha256).map_or(&[], Vec::as_slice))
    }
}

impl Fetching {
    /// Whether it is of interest which points have it, once it is known where it is offered.
    #[must_use]
    pub fn needs_points(&self, known: &Known) -> bool {
        match self.public {
            Public::Never | Public::Last => true,
            // What nobody offers could not be installed at all.
            Public::Always => known.addresses(&self.file).is_some_and(<[String]>::is_empty),
        }
    }

    /// Whom to ask in this attempt, in order.
    #[must_use]
    pub fn carriers(&self, known: &Known) -> Vec<Carrier> {
        let points = known.points.as_ref().map(|points| points.get(&self.file.sha256));
        let named = points.flatten().map_or(&[][..], Vec::as_slice);
        // Points that have to be waited for are points, too.
        let are_all = named.iter().all(|point| point.after_minutes <= self.minutes);
        let is_offered = match self.public {
            Public::Never => false,
            Public::Last => points.is_some() && are_all,
            Public::Always => true,
        };
        let mut carriers = Vec::new();
        if self.needs_points(known) {
            carriers.extend(sources(named, self.minutes).into_iter().map(Carrier::Point));
        }
        if is_offered {
            let addresses = known.addresses(&self.file).unwrap_or_default();
            carriers.extend(addresses.iter().cloned().map(Carrier::Public));
        }
        carriers
    }
}

/// The servers that may be asked after so many minutes, in their order.
pub fn usable(servers: &[ServerRef], minutes: u32) -> Vec<ServerRef> {
    servers.iter().filter(|server| server.after_minutes <= minutes).cloned().collect()
}

/// Of these, the ones to ask in one attempt: those that could be asked before leave room for those
/// whose time has come.
fn sources(points: &[ServerRef], minutes: u32) -> Vec<ServerRef> {
    let mut alike: BTreeMap<u32, usize> = BTreeMap::new();
    let mut chosen = usable(points, minutes);
    chosen.retain(|point| {
        let count = alike.entry(point.after_minutes).or_default();
        *count += 1;
        *count <= ALIKE_MAX
    });
    chosen
}

#[cfg(test)]
mod tests;
