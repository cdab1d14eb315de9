//! When a client goes beyond the servers of its own boundary groups (BG-02, BG-06, BG-09).

use std::collections::BTreeMap;

use model::{ServerRef, Timestamp};

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

/// The servers that may be asked after so many minutes, in their order.
pub fn usable(servers: &[ServerRef], minutes: u32) -> Vec<ServerRef> {
    servers.iter().filter(|server| server.after_minutes <= minutes).cloned().collect()
}

/// Of these, the ones to ask in one attempt: those that could be asked before leave room for those
/// whose time has come.
pub fn sources(points: &[ServerRef], minutes: u32) -> Vec<ServerRef> {
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
