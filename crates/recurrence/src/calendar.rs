//! When the windows of one client let an update be installed.
//!
//! Owns which of its windows count for updates (CSET-07) and whether an installation fits or waits
//! (MW-03). A client with windows of which none can be read installs nothing by itself: that a
//! window is not understood must not mean that there is none. Refuses to know deployments.

use model::{AssignedWindow, ObjectCode, Timestamp, WindowKind, WindowZone};

use crate::window::HORIZON_MS;
use crate::{Error, Opening, Recurrence, Window, Zone, next_fit, open};

/// What windows of all deployments are to updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// They count only for clients without a window for updates.
    Otherwise,
    /// They count as well.
    Also,
}

/// The windows that count for updates on one client.
#[derive(Clone, Debug, Default)]
pub struct Calendar {
    /// False: anything may be installed at any time.
    is_bound: bool,
    codes: Vec<ObjectCode>,
    /// One for each code.
    windows: Vec<Window>,
}

/// Where an installation of some minutes finds room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    Now,
    From(Timestamp),
    /// In no window within a year.
    Never,
}

impl Calendar {
    /// Windows that go by the client's clock go by `clock`. What cannot be read is told besides; a
    /// window whose zone is not known here goes by UTC.
    #[must_use]
    pub fn of(
        assigned: &[AssignedWindow],
        all: Use,
        clock: &Zone,
    ) -> (Calendar, Vec<(ObjectCode, Error)>) {
        let of_kind = |kind| assigned.iter().filter(move |window| window.kind == kind);
        let mut counting: Vec<_> = of_kind(WindowKind::Updates).collect();
        if counting.is_empty() || all == Use::Also {
            counting.extend(of_kind(WindowKind::All));
        }
        let is_bound = !counting.is_empty();
        let (mut codes, mut windows, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        for assigned in counting {
            let zone = zone_of(assigned, clock).unwrap_or_else(|error| {
                problems.push((assigned.code.clone(), error));
                Zone::utc()
            });
            match read(assigned, zone) {
                Ok(window) => {
                    codes.push(assigned.code.clone());
                    windows.push(window);
                }
                Err(error) => problems.push((assigned.code.clone(), error)),
            }
        }
        (Calendar { is_bound, codes, windows }, problems)
    }

    /// The openings of a year that end after a moment, in order; what overlaps or touches is one.
    pub fn openings(&self, since: Timestamp) -> impl Iterator<Item = Opening> {
        open(&self.windows, since).take_while(move |opening| opening.from.0 - since.0 <= HORIZON_MS)
    }

    /// The windows that an opening is made of.
    pub fn windows_in(&self, opening: Opening) -> impl Iterator<Item = &ObjectCode> {
        let all = self.codes.iter().zip(&self.windows);
        let within = all.filter(move |(_, window)| {
            window.first_since(opening.from).is_some_and(|own| own.from < opening.to)
        });
        within.map(|(code, _)| code)
    }

    /// The clock that all windows go by; if they differ, UTC.
    #[must_use]
    pub fn zone(&self) -> Zone {
        let mut zones = self.windows.iter().map(|window| window.starts().zone());
        let first = zones.next().filter(|first| zones.all(|zone| zone == *first));
        first.cloned().unwrap_or_else(Zone::utc)
    }

    /// Where an installation finds room that may take so long.
    #[must_use]
    pub fn room(&self, now: Timestamp, minutes: u32) -> Room {
        if !self.is_bound {
            return Room::Now;
        }
        match next_fit(&self.windows, now, minutes) {
            Some(from) if from == now => Room::Now,
            Some(from) => Room::From(from),
            None => Room::Never,
        }
    }
}

fn zone_of(assigned: &AssignedWindow, clock: &Zone) -> Result<Zone, Error> {
    match &assigned.zone {
        WindowZone::Client => Ok(clock.clone()),
        WindowZone::Named(name) => Zone::named(name),
    }
}

fn read(assigned: &AssignedWindow, zone: Zone) -> Result<Window, Error> {
    Window::new(assigned.at.parse::<Recurrence>()?.in_zone(zone), assigned.minutes)
}

#[cfg(test)]
mod tests;
