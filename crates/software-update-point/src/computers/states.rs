//! What events of a computer mean for its updates (MS-WUSP 2.2.2.3.1, tables of tags and events).
//!
//! Pure: owns the numbers of events and the states they lead to. An event of status lists every
//! update that concerns the computer, so what it does not list is not required. What an event
//! leaves open stays as it was. Refuses to know who sent an event, when it is sent on, and what
//! the site makes of it.

use std::collections::BTreeMap;

use model::{ComplianceState, EnforcementState, Timestamp, UpdateId, UpdateRef, UpdateState};
use wsus_protocol::reporting::{ExtendedData, ReportingEvent};

use super::limits;

/// What an event says, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) number: i32,
    pub(crate) update: Option<UpdateRef>,
    pub(crate) hresult: i32,
    pub(crate) at: Timestamp,
    /// Of an event of status.
    pub(crate) lists: Option<Lists>,
}

/// The updates that concern a computer, by what they are to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lists {
    needed: Vec<UpdateId>,
    installed: Vec<UpdateId>,
    pending: Vec<UpdateId>,
    failed: Vec<UpdateId>,
    downloaded: Vec<UpdateId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) revision: u32,
    pub(crate) state: UpdateState,
    /// When it came to be so, by the computer's clock.
    pub(crate) at: Timestamp,
}

/// Everything a computer said that still holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Updates that are not "not required".
    pub(crate) states: BTreeMap<UpdateId, Held>,
    /// The catalog version of its last scan; 0 before it has said what concerns it.
    pub(crate) covered: u64,
    pub(crate) scanned_at: Timestamp,
    pub(crate) scan_error: Option<String>,
}

/// What an event does to the state of its update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    None,
    Required(Option<EnforcementState>),
    Installed,
}

/// How much stands when an event is read, beside the event.
#[derive(Clone, Copy)]
pub(crate) struct Circumstances<'a> {
    pub(crate) scanned: Scanned,
    /// No event happened later than this.
    pub(crate) now: Timestamp,
    /// How far the computer's clock is behind ours.
    pub(crate) behind_ms: i64,
    /// The latest revision of an update of the catalog.
    pub(crate) revision: &'a dyn Fn(UpdateId) -> Option<u32>,
}

/// The last whole scan of a computer, when it reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scanned {
    /// Of the catalog that answered it; 0: none is known.
    pub(crate) version: u64,
    /// When the last answer was given.
    pub(crate) ended: Timestamp,
}

impl Circumstances<'_> {
    /// The catalog version that an event can speak of: one that happened before the last scan
    /// ended, and comes late, speaks of none that is known.
    fn covers(&self, event: &Event) -> u64 {
        let at = event.at.plus_ms(self.behind_ms.saturating_add(limits::CLOCK_STEP_MS));
        if at < self.scanned.ended { 0 } else { self.scanned.version }
    }
}

const STATUS: [i32; 2] = [153, 156];
const DETECTED: i32 = 147;
const NOT_DETECTED: [i32; 3] = [148, 157, 158];
/// The success that says "after a restart".
const RESTART_REQUIRED: i32 = 0x0024_0005;

impl Event {
    pub(crate) fn read(event: &ReportingEvent) -> Event {
        let basic = &event.basic;
        let update = basic.update.filter(|update| !update.update_id.is_nil());
        let is_status = STATUS.contains(&basic.event);
        Event {
            number: basic.event,
            update: update.map(|u| UpdateRef { id: UpdateId(u.update_id), revision: u.revision }),
            hresult: basic.hresult,
            at: Timestamp(basic.time.as_millis()),
            lists: event.extended.as_ref().filter(|_| is_status).map(Lists::read),
        }
    }
}

impl Lists {
    fn read(data: &ExtendedData) -> Lists {
        let list = |tag| data.listed_updates(tag).map(UpdateId).collect();
        Lists {
            needed: list("U"),
            installed: list("V"),
            pending: list("W"),
            failed: list("g"),
            downloaded: list("h"),
        }
    }
}

impl Standing {
    pub(crate) fn fold(&mut self, event: &Event, circumstances: Circumstances<'_>) {
        let at = event.at.min(circumstances.now);
        match event.number {
            DETECTED => {
                (self.scanned_at, self.scan_error) = (at, None);
                // Before it has listed its updates, its silence about them is no answer.
                if self.covered > 0 {
                    self.covered = self.covered.max(circumstances.covers(event));
                }
            }
            number if NOT_DETECTED.contains(&number) => {
                // What it means is said where it is shown.
                self.scan_error = Some(format!("0x{:08X}", event.hresult));
            }
            number if STATUS.contains(&number) => {
                let Some(lists) = &event.lists else { return };
                self.replace(lists, at, circumstances);
                self.covered = self.covered.max(circumstances.covers(event));
            }
            _ => self.advance(event, at, circumstances),
        }
    }

    fn replace(&mut self, lists: &Lists, at: Timestamp, circumstances: Circumstances<'_>) {
        use ComplianceState::{Installed, Required};
        use EnforcementState::{Downloaded, Failed, PendingRestart};
        let old = std::mem::take(&mut self.states);
        // The lists overlap; the later one says more.
        let all = [
            (&lists.needed, Required, None),
            (&lists.downloaded, Required, Some(Downloaded)),
            (&lists.failed, Required, Some(Failed)),
            (&lists.installed, Installed, None),
            (&lists.pending, Required, Some(PendingRestart)),
        ];
        for (list, state, listed) in all {
            for id in list {
                let before = old.get(id);
                let enforcement = match state {
                    Required => settled(before.and_then(|held| held.state.enforcement), listed),
                    _ => None,
                };
                let state = UpdateState { state, enforcement };
                let same = before.filter(|held| held.state == state);
                // Of an update that the catalog never had nobody can make anything.
                let revision = (circumstances.revision)(*id);
                let revision = revision.or_else(|| before.map(|held| held.revision));
                let Some(revision) = revision else { continue };
                let at = same.map_or(at, |held| held.at);
                self.states.insert(*id, Held { revision, state, at });
            }
        }
        (self.scanned_at, self.scan_error) = (at, None);
    }

    fn advance(&mut self, event: &Event, at: Timestamp, circumstances: Circumstances<'_>) {
        let Some(UpdateRef { id, revision }) = event.update else { return };
        if (circumstances.revision)(id).is_none() && !self.states.contains_key(&id) {
            return;
        }
        let state = match effect(event.number, event.hresult) {
            Effect::None => return,
            Effect::Required(enforcement) => {
                // Only a failure has a code to keep; that of success says nothing.
                let code = |state: EnforcementState| state.is_failure().then_some(event.hresult);
                let enforcement = enforcement.map(|state| (state, code(state).unwrap_or(0)));
                UpdateState { state: ComplianceState::Required, enforcement }
            }
            Effect::Installed => {
                UpdateState { state: ComplianceState::Installed, enforcement: None }
            }
        };
        self.states.insert(id, Held { revision, state, at });
    }
}

/// How far an update is that a status lists as `listed`, where `before` is what was known. A
/// failure keeps the code that its own event brought, and what is under way stays so.
fn settled(
    before: Option<(EnforcementState, i32)>,
    listed: Option<EnforcementState>,
) -> Option<(EnforcementState, i32)> {
    use EnforcementState::{Downloading, Failed, Installing, WaitingForContent};
    match listed {
        Some(Failed) => before.filter(|(state, _)| state.is_failure()).or(Some((Failed, 0))),
        Some(state) => Some((state, 0)),
        None => before
            .filter(|(state, _)| matches!(state, Downloading | Installing | WaitingForContent)),
    }
}

/// What an event means for its update. Numbers that are not here change nothing: they begin or end
/// what says more itself, or are about the agent.
fn effect(event: i32, hresult: i32) -> Effect {
    use EnforcementState as State;
    let required = |state| Effect::Required(Some(state));
    match event {
        161 => required(State::DownloadFailed),
        162 | 164 | 188 | 189 => required(State::Downloaded),
        165..=170 => required(State::Downloading),
        181 | 521 => required(State::Installing),
        182 | 187 | 192 | 195 | 198 | 200 | 204 | 522 | 525 => required(State::Failed),
        // Older agents say so also when all went well.
        203 if hresult < 0 => required(State::Failed),
        183 | 190 | 197 | 203 => Effect::Installed,
        184 | 191 | 193 | 194 | 199 => required(State::PendingRestart),
        201 if hresult == RESTART_REQUIRED => required(State::PendingRestart),
        // Given up by a user, or removed again: it is needed as before.
        163 | 186 | 222 => Effect::Required(None),
        _ => Effect::None,
    }
}

#[cfg(test)]
mod tests;
