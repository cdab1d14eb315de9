//! Which files are looked for and fetched, and when again.

use std::collections::BTreeSet;

use model::{EnforcementState, Sha256, Timestamp};

use super::Client;
use crate::fallback::{Fetching, Public};
use crate::limits::FETCH_FILES_MAX;
use crate::plan::Wanted;
use crate::triggers::Trigger;
use crate::work::{Arrived, Event, EventKind, Work};

impl Client {
    pub(super) fn inspect(&self) -> Option<Work> {
        let unknown: BTreeSet<Sha256> = self.uninspected().copied().collect();
        (!unknown.is_empty()).then_some(Work::Inspect(unknown))
    }

    pub(super) fn fetch(&mut self, now: Timestamp) -> Option<Work> {
        let since = self.fetch_since?;
        if self.judged_at.is_none_or(|judged| judged < since) {
            // A scan that goes on answers as well.
            if self.scanning.is_none() {
                self.wanted.insert(Trigger::BeforeDownload);
            }
            return None;
        }
        let is_due = self.fetches.is_due(now);
        let untried = |wanted: &&Wanted| !self.troubles.contains_key(&wanted.file.sha256);
        // What has failed does not keep waiting what was never tried.
        let mut files: Vec<Wanted> = self.plan.fetch.iter().filter(untried).cloned().collect();
        if files.is_empty() && is_due {
            files.clone_from(&self.plan.fetch);
        }
        files.truncate(FETCH_FILES_MAX);
        if files.is_empty() {
            return None;
        }
        self.fetches.due = None;
        let wanted = &self.plan.fetch;
        self.searches.keep(|sha256| wanted.iter().any(|wanted| wanted.file.sha256 == *sha256));
        let is_on_internet = self.rules.is_on_internet;
        let searched = files.into_iter().map(|Wanted { file, update, is_public }| {
            let minutes = self.searches.minutes(file.sha256, now);
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
            self.searches.end(&file.sha256);
            self.present.insert(file.sha256);
            let bytes = Some(file.size);
            let text = from.map_or(file.name.clone(), |url| format!("{}, from {url}", file.name));
            self.event(Event { bytes, ..Event::new(EventKind::Fetch, now, text) });
        }
        let wanted = &self.plan.fetch;
        self.troubles.retain(|sha256, _| {
            wanted.iter().any(|wanted| wanted.file.sha256 == *sha256)
                && !self.present.contains(sha256)
        });
        self.troubles.extend(troubles);
        if self.troubles.is_empty() {
            // Files that come whole and are damaged here are not fetched without pause.
            if !self.has_lost {
                self.fetches.succeeded();
            }
            self.fetches.until(now);
        } else {
            self.fetches.failed(now, &mut self.chance);
        }
    }
}
