//! Which files are looked for and fetched, and when again.

use std::collections::BTreeSet;

use model::{AssignedFile, EnforcementState, Sha256, Timestamp};

use super::Client;
use crate::limits::FETCH_FILES_MAX;
use crate::triggers::Trigger;
use crate::work::{Event, EventKind, Work};

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
        let untried = |file: &&AssignedFile| !self.troubles.contains_key(&file.sha256);
        // What has failed does not keep waiting what was never tried.
        let mut files: Vec<AssignedFile> =
            self.plan.fetch.iter().filter(untried).cloned().collect();
        if files.is_empty() && is_due {
            files.clone_from(&self.plan.fetch);
        }
        files.truncate(FETCH_FILES_MAX);
        if files.is_empty() {
            return None;
        }
        self.fetches.due = None;
        let wanted = &self.plan.fetch;
        self.searches.keep(|sha256| wanted.iter().any(|file| file.sha256 == *sha256));
        let searched = files.into_iter().map(|file| {
            let minutes = self.searches.minutes(file.sha256, now);
            (file, minutes)
        });
        Some(Work::Fetch(searched.collect()))
    }

    pub(super) fn fetched(
        &mut self,
        files: Vec<AssignedFile>,
        troubles: Vec<(Sha256, (EnforcementState, i32))>,
        now: Timestamp,
    ) {
        for file in files {
            self.searches.end(&file.sha256);
            self.present.insert(file.sha256);
            let bytes = Some(file.size);
            self.event(Event { bytes, ..Event::new(EventKind::Fetch, now, file.name) });
        }
        let wanted = &self.plan.fetch;
        self.troubles.retain(|sha256, _| {
            wanted.iter().any(|file| file.sha256 == *sha256) && !self.present.contains(sha256)
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
