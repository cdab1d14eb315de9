//! Which files are looked for and fetched, and when again.

use std::collections::{BTreeMap, BTreeSet};

use model::{EnforcementState, Sha256, Timestamp};

use super::Client;
use crate::fallback::{Fetching, Public, Search};
use crate::limits::FETCH_FILES_MAX;
use crate::plan::Wanted;
use crate::triggers::Trigger;
use crate::turn::Turn;
use crate::work::{Arrived, Event, EventKind, Work};

/// What is known of the files that policy names.
#[derive(Debug)]
pub(super) struct Content {
    /// Somebody has looked for them.
    pub(super) inspected: BTreeSet<Sha256>,
    /// They are here.
    pub(super) present: BTreeSet<Sha256>,
    pub(super) troubles: BTreeMap<Sha256, (EnforcementState, i32)>,
    /// Those that no distribution point has given.
    searches: Search<Sha256>,
    pub(super) turn: Turn,
    /// Since when something is to be fetched.
    pub(super) since: Option<Timestamp>,
    /// A file was lost that had been fetched whole.
    pub(super) has_lost: bool,
}

impl Content {
    pub(super) fn new(now: Timestamp) -> Content {
        Content {
            inspected: BTreeSet::new(),
            present: BTreeSet::new(),
            troubles: BTreeMap::new(),
            searches: Search::default(),
            turn: Turn::at(Some(now)),
            since: None,
            has_lost: false,
        }
    }
}

impl Client {
    pub(super) fn inspect(&self) -> Option<Work> {
        let unknown: BTreeSet<Sha256> = self.uninspected().copied().collect();
        (!unknown.is_empty()).then_some(Work::Inspect(unknown))
    }

    pub(super) fn fetch(&mut self, now: Timestamp) -> Option<Work> {
        let since = self.content.since?;
        if self.scans.judged_at.is_none_or(|judged| judged < since) {
            // A scan that goes on answers as well.
            if self.scans.going_on.is_none() {
                self.scans.wanted.insert(Trigger::BeforeDownload);
            }
            return None;
        }
        let is_due = self.content.turn.is_due(now);
        let untried = |wanted: &&Wanted| !self.content.troubles.contains_key(&wanted.file.sha256);
        // What has failed does not keep waiting what was never tried.
        let mut files: Vec<Wanted> = self.plan.fetch.iter().filter(untried).cloned().collect();
        if files.is_empty() && is_due {
            files.clone_from(&self.plan.fetch);
        }
        files.truncate(FETCH_FILES_MAX);
        if files.is_empty() {
            return None;
        }
        self.content.turn.due = None;
        let wanted = &self.plan.fetch;
        self.content
            .searches
            .keep(|sha256| wanted.iter().any(|wanted| wanted.file.sha256 == *sha256));
        let is_on_internet = self.rules.is_on_internet;
        let searched = files.into_iter().map(|Wanted { file, update, is_public }| {
            let minutes = self.content.searches.minutes(file.sha256, now);
            let public = match (is_on_internet, is_public) {
                (true, _) => Public::Always,
                (false, true) => Public::Last,
                (false, false) => Public::Never,
            };
            Fetching { file, update, minutes, public }
        });
        Some(Work::Fetch(searched.collect()))
    }

    pub(super) fn fetched(
        &mut self,
        files: Vec<Arrived>,
        troubles: Vec<(Sha256, (EnforcementState, i32))>,
        now: Timestamp,
    ) {
        for Arrived { file, from } in files {
            self.content.searches.end(&file.sha256);
            self.content.present.insert(file.sha256);
            let bytes = Some(file.size);
            let text = from.map_or(file.name.clone(), |url| format!("{}, from {url}", file.name));
            self.event(Event { bytes, ..Event::new(EventKind::Fetch, now, text) });
        }
        let wanted = &self.plan.fetch;
        self.content.troubles.retain(|sha256, _| {
            wanted.iter().any(|wanted| wanted.file.sha256 == *sha256)
                && !self.content.present.contains(sha256)
        });
        self.content.troubles.extend(troubles);
        if self.content.troubles.is_empty() {
            // Files that come whole and are damaged here are not fetched without pause.
            if !self.content.has_lost {
                self.content.turn.succeeded();
            }
            self.content.turn.until(now);
        } else {
            self.content.turn.failed(now, &mut self.chance);
        }
    }
}
