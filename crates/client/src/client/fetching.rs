//! Which files are looked for and fetched, and when again.

use model::{AssignedFile, EnforcementState, Sha256, Timestamp};

use super::Client;
use crate::triggers::Trigger;
use crate::work::{Event, EventKind, Work};

impl Client {
    pub(super) fn fetch(&mut self, now: Timestamp) -> Option<Work> {
        let unknown: std::collections::BTreeSet<Sha256> = self.uninspected().copied().collect();
        if !unknown.is_empty() {
            return Some(Work::Inspect(unknown));
        }
        let since = self.fetch_since?;
        if !self.fetches.is_due(now) {
            return None;
        }
        if self.judged_at.is_none_or(|judged| judged < since) {
            self.wanted.insert(Trigger::BeforeDownload);
            return None;
        }
        let files = self.plan.fetch.clone();
        self.searches.keep(|sha256| files.iter().any(|file| file.sha256 == *sha256));
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
        self.troubles = troubles.into_iter().collect();
        if self.troubles.is_empty() {
            self.fetches.succeeded();
        } else {
            self.fetches.failed(now, &mut self.chance);
        }
    }
}
