//! When the client scans, and what it makes of a scan.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{LastScan, RoleKind, ServerRef, Switching, Timestamp, UpdateId};
use update_metadata::Applicability;

use super::Client;
use crate::limits::{CATALOG_FRESH_MS, DAY_MS};
use crate::plan::{Phase, Run};
use crate::scan::Scan;
use crate::states::{Retry, last_scan};
use crate::triggers::{Reach, Trigger};
use crate::turn::Turn;
use crate::update_point::{Explained, Listed, Next};
use crate::work::{Attempt, Event, EventKind, Failure, Found, Scanned, Scanning, Source, Work};

/// Which scan goes on, and which are wanted.
#[derive(Debug)]
pub(super) struct Scans {
    pub(super) turn: Turn,
    pub(super) wanted: BTreeSet<Trigger>,
    /// What the scan that failed was made for.
    repeats: Option<Trigger>,
    pub(super) going_on: Option<Trigger>,
    /// When what is required was last looked at.
    pub(super) judged_at: Option<Timestamp>,
}

impl Scans {
    pub(super) fn new() -> Scans {
        Scans {
            turn: Turn::at(None),
            wanted: BTreeSet::new(),
            repeats: None,
            going_on: None,
            judged_at: None,
        }
    }
}

impl Client {
    /// Something asks for a scan.
    pub fn want_scan(&mut self, trigger: Trigger) {
        self.scans.wanted.insert(trigger);
    }

    /// All clients of the site are asked for a scan at the same moment.
    pub fn want_scan_soon(&mut self, now: Timestamp) {
        self.scans.repeats = Some(Trigger::Asked);
        let at = self.within_moments(now);
        self.scans.turn.until(at);
    }

    /// The scan that is due, if one is.
    pub(super) fn scan_due(&mut self, now: Timestamp) -> Option<Work> {
        // Policy names the servers, so that a wish to scan waits for it.
        if self.policy.version == 0 {
            return None;
        }
        if self.scans.turn.is_due(now) {
            self.scans.wanted.insert(self.scans.repeats.take().unwrap_or(Trigger::Schedule));
        }
        let trigger = self.scans.wanted.iter().copied().max_by_key(|trigger| trigger.reach())?;
        // One scan answers all that ask for no more.
        self.scans.wanted.clear();
        if trigger.reach() > Reach::Offline {
            self.scans.turn.due = None;
        }
        self.scans.going_on = Some(trigger);
        self.notes.update_point.ask();
        let wanted = self.policy.settings().catalog_version;
        Some(Work::Scan(Scanning {
            reach: trigger.reach(),
            wanted,
            is_fresh: self.has_fresh_catalog(now),
            policy: self.policy.clone(),
            servers: self.update_points(trigger, now),
        }))
    }

    /// What is here is young enough for a scan that nobody asked for (SCAN-09, SCAN-10).
    pub(super) fn has_fresh_catalog(&self, now: Timestamp) -> bool {
        let age = self.notes.refreshed_at.map(|at| now.0.saturating_sub(at.0));
        let is_young = age.is_some_and(|age| (0..CATALOG_FRESH_MS).contains(&age));
        let wanted = self.policy.settings().catalog_version;
        is_young && self.record.catalog.is_some() && self.record.covered >= wanted
    }

    /// The update points that this scan may ask. Who asks for one does not wait for a server that
    /// is given time.
    fn update_points(&self, trigger: Trigger, now: Timestamp) -> Vec<ServerRef> {
        let servers = self.listed_update_points();
        let listed = Listed { servers: &servers, switching: self.switching() };
        let points = &self.notes.update_point;
        match points.next(&listed, now) {
            Next::Try(servers) => servers,
            Next::At(_) | Next::Asked | Next::Nobody if trigger.reach() < Reach::Forced => {
                Vec::new()
            }
            Next::At(_) | Next::Asked | Next::Nobody => match points.kept(&listed) {
                Some(kept) => vec![kept.clone()],
                None => servers,
            },
        }
    }

    fn listed_update_points(&self) -> Vec<ServerRef> {
        let servers = self.policy.servers.iter();
        servers.filter(|server| server.kind == RoleKind::SoftwareUpdatePoint).cloned().collect()
    }

    fn switching(&self) -> Switching {
        Switching::of(&self.policy.options)
    }

    /// What the client does about its update points, in values and in words (PAIN-14).
    #[must_use]
    pub fn explain_update_points(&self, now: Timestamp) -> Explained {
        let servers = self.listed_update_points();
        let listed = Listed { servers: &servers, switching: self.switching() };
        self.notes.update_point.explain(&listed, now)
    }

    pub(super) fn scanned(&mut self, scanned: Scanned, now: Timestamp) {
        let trigger = self.scans.going_on.take().unwrap_or(Trigger::Asked);
        self.scans.judged_at = Some(now);
        self.installing.has_installed = false;
        let switching = self.switching();
        for Attempt { url, ended, reason } in &scanned.attempts {
            self.notes.update_point.tell(url, (*ended, reason), switching, now);
        }
        if !scanned.attempts.is_empty() {
            self.keep_notes();
        }
        if trigger.reach() > Reach::Offline || scanned.end.is_err() {
            let mut last = last_scan(&scanned, self.retry(now), now);
            if scanned.end.is_ok() && scanned.attempts.is_empty() && last.server.is_empty() {
                // What is here has done: it came with the last contact.
                let before = self.record.scan.as_ref();
                let contact = before.map(|before| (before.server.clone(), before.bytes));
                (last.server, last.bytes) = contact.unwrap_or_default();
            }
            // To fail once more as before is no news, or a server that is away would mean a report
            // for each attempt.
            let has_failed = scanned.end.is_err();
            let is_same = |before: &LastScan| {
                let (at, duration_ms) = (last.at, last.duration_ms);
                has_failed && last == LastScan { at, duration_ms, ..before.clone() }
            };
            if !self.record.scan.as_ref().is_some_and(is_same) {
                self.record.scan = Some(last);
            }
        }
        match scanned.end {
            Ok(found) => self.found(found, trigger, scanned.begun, now),
            Err(failure) => self.scan_failed(failure, &scanned.attempts, trigger, now),
        }
    }

    fn found(&mut self, found: Found, trigger: Trigger, begun: Timestamp, now: Timestamp) {
        let Found { mut scan, catalog, covered, from, missing } = found;
        self.withhold(&mut scan);
        let mut event = Event::new(EventKind::Scan, now, trigger.as_str());
        event.duration_ms = Some(now.0.saturating_sub(begun.0).max(0));
        if let Some(Source { url, bytes }) = from {
            self.notes.refreshed_at = Some(now);
            self.keep_notes();
            event.text = format!("{}, with {url}", trigger.as_str());
            event.bytes = Some(bytes);
        }
        self.event(event);
        if trigger.reach() > Reach::Offline || self.scans.turn.due.is_none() {
            self.schedule_scan(missing.is_some(), now);
            self.record.scanned_at = now;
            self.record.scan_error = missing;
        }
        self.record.covered = covered;
        self.record.updates = scan.counted().count() as u64;
        self.record.catalog = Some(catalog);
        self.scan = Some(scan);
        // Policy may have named a newer one meanwhile, or before the start.
        let is_behind = covered > 0 && covered < self.policy.settings().catalog_version;
        // What an update point lacks comes with the attempt that is waited for.
        let is_local = trigger.reach() == Reach::Offline && self.record.scan_error.is_none();
        if is_behind || (is_local && self.unjudged_deadline().is_some()) {
            self.scan_within_spread(now);
        }
    }

    /// What asked for a restart is not installed before there was one, even if detection sees it
    /// (STATE-08).
    fn withhold(&self, scan: &mut Arc<Scan>) {
        let waits = |(id, run): (&UpdateId, &Run)| {
            let judged = scan.updates.get(id)?;
            let waits = run.phase == Phase::PendingRestart
                && run.boot == self.around.boot
                && judged.update.revision == run.revision
                && judged.verdict == Applicability::Installed;
            waits.then_some(*id)
        };
        let waiting: BTreeSet<UpdateId> = self.runs.iter().filter_map(waits).collect();
        if !waiting.is_empty() {
            Arc::make_mut(scan).withhold(waiting);
        }
    }

    fn schedule_scan(&mut self, is_lacking: bool, now: Timestamp) {
        if is_lacking {
            return self.repeat_scan(&[], now);
        }
        self.scans.turn.succeeded();
        let due = now.plus_ms(self.scan_interval_ms());
        // Computers that were scanned together shall not come together again (CSET-02).
        self.scans.turn.due = Some(self.chance.within(due, self.profile.scan_spread_ms));
    }

    fn scan_failed(
        &mut self,
        failure: Failure,
        attempts: &[Attempt],
        trigger: Trigger,
        now: Timestamp,
    ) {
        let Failure { reason, code, is_distrusted } = failure;
        if is_distrusted {
            // Nothing is done upon documents that are altered or damaged.
            (self.scan, self.record.catalog) = (None, None);
        }
        self.repeat_scan(attempts, now);
        // What was asked for is asked for again.
        self.scans.repeats = Some(trigger);
        let text = format!("{}: {reason}", trigger.as_str());
        self.event(Event { code: Some(code), ..Event::new(EventKind::Scan, now, text) });
        self.record.scan_error = Some(reason);
    }

    fn retry(&self, now: Timestamp) -> Retry {
        let servers = self.listed_update_points();
        let listed = Listed { servers: &servers, switching: self.switching() };
        match self.notes.update_point.next(&listed, now) {
            Next::Asked => Retry::InTime,
            Next::At(_) | Next::Try(_) | Next::Nobody => Retry::Soon,
        }
    }

    /// After a scan that failed: when its update point, or another one, may be asked again.
    fn repeat_scan(&mut self, attempts: &[Attempt], now: Timestamp) {
        let servers = self.listed_update_points();
        let listed = Listed { servers: &servers, switching: self.switching() };
        let is_new = |server: &ServerRef| attempts.iter().all(|tried| tried.url != server.url);
        match self.notes.update_point.next(&listed, now) {
            Next::At(at) => self.scans.turn.due = Some(at),
            Next::Asked => self.scans.turn.due = Some(now.plus_ms(self.scan_interval_ms())),
            // Policy has named them since the scan began.
            Next::Try(next) if !attempts.is_empty() && next.iter().all(is_new) => {
                self.scans.turn.due = Some(now);
            }
            Next::Try(_) | Next::Nobody => self.scans.turn.failed(now, &mut self.chance),
        }
    }

    pub(super) fn scan_interval_ms(&self) -> i64 {
        let interval = self.policy.settings().scan_interval_ms;
        let interval = i64::try_from(interval).unwrap_or(7 * DAY_MS);
        self.rules.detect_ms.map_or(interval, |detect| detect.min(interval))
    }
}
