//! Windows: open for some minutes from each moment of a rule on (MW-01).
//!
//! Owns how long a window may be, how windows that overlap or touch become one (MW-02), and when
//! there is room for so many minutes (MW-03). A window ends by elapsed time: one of three hours is
//! open for three hours also in the night in which the clock is set. Refuses to know whose windows
//! they are. Wrong input is an [`Error`].

use std::ops::RangeInclusive;

use model::{Timestamp, WindowZone};

use crate::zone::CLIENT;
use crate::{Error, Recurrence, Zone};

/// Shorter ones fit nothing; longer ones would overlap themselves (MW-01).
const WINDOW_MINUTES: RangeInclusive<u32> = 5..=1_440;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// Windows that are always open are one without an end; it is told in pieces of at least this, and
/// no installation may take so long.
const PIECE_MS: i64 = 31 * DAY_MS;

/// Openings that are looked at for room that no window has alone: a year of windows every hour.
const OPENINGS_MAX: usize = 10_000;

/// How far ahead room is looked for: more than a year, so that a yearly window is found.
pub(crate) const HORIZON_MS: i64 = 400 * DAY_MS;

/// When something may be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    starts: Recurrence,
    minutes: u32,
}

/// From a moment until just before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Window {
    pub fn new(starts: Recurrence, minutes: u32) -> Result<Window, Error> {
        if !WINDOW_MINUTES.contains(&minutes) {
            let (min, max) = WINDOW_MINUTES.into_inner();
            return Err(Error::Minutes { minutes, min, max });
        }
        Ok(Window { starts, minutes })
    }

    #[must_use]
    pub fn starts(&self) -> &Recurrence {
        &self.starts
    }

    /// The first opening that ends after a moment.
    #[must_use]
    pub fn first_since(&self, moment: Timestamp) -> Option<Opening> {
        self.starts.after(moment.plus_ms(-self.ms())).map(|from| self.opening(from))
    }

    /// The first moment from `now` on at which it is open for so long by itself.
    fn fits(&self, now: Timestamp, room_ms: i64) -> Option<Timestamp> {
        if self.ms() < room_ms {
            return None;
        }
        let begun = self.starts.all_after(now.plus_ms(-self.ms()));
        // One that begins from now on fits; those before it are at most one a minute.
        let mut begun = begun.map(|from| (from.max(now), from.plus_ms(self.ms())));
        begun.find(|(from, to)| to.0 - from.0 >= room_ms).map(|(from, _)| from)
    }

    fn opening(&self, from: Timestamp) -> Opening {
        Opening { from, to: from.plus_ms(self.ms()) }
    }

    fn ms(&self) -> i64 {
        i64::from(self.minutes) * MINUTE_MS
    }
}

impl Opening {
    #[must_use]
    pub fn minutes(&self) -> u32 {
        u32::try_from((self.to.0 - self.from.0) / MINUTE_MS).unwrap_or(u32::MAX)
    }
}

/// When a window begins, as people write it: a recurrence, by the clock of each client unless a
/// zone is named. Gives its one spelling without the zone.
pub fn read_start(text: &str) -> Result<(String, WindowZone), Error> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        [front @ .., "in", zone] if !zone.eq_ignore_ascii_case(CLIENT) => {
            let recurrence: Recurrence = front.join(" ").parse()?;
            let zone = Zone::named(zone)?;
            Ok((recurrence.rule(), WindowZone::Named(zone.name().to_owned())))
        }
        [front @ .., "in", _] | front => {
            let recurrence: Recurrence = front.join(" ").parse()?;
            Ok((recurrence.rule(), WindowZone::Client))
        }
    }
}

/// When at least one of the windows is open, from the openings that end after a moment on, in
/// order. What overlaps or touches is one.
#[must_use]
pub fn open(windows: &[Window], since: Timestamp) -> Open<'_> {
    let heads = windows.iter().map(|window| (window, window.first_since(since)));
    Open { heads: heads.collect(), told: Timestamp(i64::MIN) }
}

/// The first moment from `now` on at which a window stays open for so long; none within a year.
/// Room that only several windows make together is not looked for without end.
#[must_use]
pub fn next_fit(windows: &[Window], now: Timestamp, minutes: u32) -> Option<Timestamp> {
    let (room_ms, horizon) = (i64::from(minutes) * MINUTE_MS, now.plus_ms(HORIZON_MS));
    let alone = windows.iter().filter_map(|window| window.fits(now, room_ms));
    let alone = alone.min().filter(|at| *at <= horizon);
    let latest = alone.unwrap_or(horizon);
    let openings = open(windows, now).map(|opening| (opening.from.max(now), opening.to));
    let mut near = openings.take(OPENINGS_MAX).take_while(|(from, _)| *from <= latest);
    let together = near.find(|(from, to)| to.0 - from.0 >= room_ms).map(|(from, _)| from);
    together.or(alone)
}

/// See [`open`].
#[derive(Clone, Debug)]
pub struct Open<'a> {
    /// The next opening of each window.
    heads: Vec<(&'a Window, Option<Opening>)>,
    /// Up to here all is told.
    told: Timestamp,
}

impl Open<'_> {
    /// Takes the earliest opening, if it begins by then.
    fn take_by(&mut self, latest: Timestamp) -> Option<Opening> {
        let begun = self.heads.iter_mut().filter_map(|(window, head)| {
            let opening = (*head)?;
            (opening.from <= latest).then_some((opening, window, head))
        });
        let (opening, window, head) = begun.min_by_key(|(opening, ..)| opening.from)?;
        *head = window.starts.after(opening.from).map(|from| window.opening(from));
        Some(opening)
    }
}

impl Iterator for Open<'_> {
    type Item = Opening;

    fn next(&mut self) -> Option<Opening> {
        let mut all = loop {
            let first = self.take_by(Timestamp(i64::MAX))?;
            if first.to > self.told {
                break Opening { from: first.from.max(self.told), to: first.to };
            }
        };
        while all.to.0 - all.from.0 < PIECE_MS
            && let Some(next) = self.take_by(all.to)
        {
            all.to = all.to.max(next.to);
        }
        self.told = all.to;
        Some(all)
    }
}

#[cfg(test)]
mod tests;
