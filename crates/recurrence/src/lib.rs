//! Moments that come again: `0 2 * * TUE#2 plus 3 days in Europe/Berlin`.
//!
//! Owns how such a rule is written and when its next moment is, in any zone and across changes of
//! its clocks. Five fields of cron (minute, hour, day of the month, month, day of the week, with
//! `#2` for the second such day of a month and `L` for the last) name civil times; `plus N days`
//! moves each by whole days, into the next month if need be, because what comes some days after a
//! second Tuesday is no day of any week of the month; `in ZONE` says whose clock is meant.
//!
//! A civil time that the clock skips happens when the clock goes on; one that comes twice happens
//! the first time. A [`Window`] is open for some minutes from each such moment on, by elapsed time,
//! and a [`Calendar`] says when the windows of a client have room for an installation. Refuses to
//! know the time, and what happens then. Wrong input is an [`Error`].

mod calendar;
mod error;
mod window;
mod zone;

use std::fmt;
use std::str::FromStr;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Zoned};
use model::Timestamp;

pub use calendar::{Calendar, Room, Use};
pub use error::Error;
pub use window::{Open, Opening, Window, next_fit, open, read_start};
pub use zone::Zone;

/// Days between the time that the fields name and the moment: a rule that waits longer than the
/// shortest month would be another month's.
const PLUS_DAYS_MAX: u8 = 27;

/// A clock that is set back repeats some hours; as many minutes of them may be passed over.
const REPEATED_MAX: usize = 26 * 60;

/// The moments of one rule.
#[derive(Clone, Debug)]
pub struct Recurrence {
    fields: String,
    cron: Cron,
    plus_days: u8,
    zone: Zone,
}

impl Recurrence {
    /// The first moment after this one; none if the calendar ends before.
    #[must_use]
    pub fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        let moment = jiff::Timestamp::from_millisecond(moment.0).ok()?;
        let here = self.zone.civil(moment);
        let days = Span::new().days(i64::from(self.plus_days));
        // The fields are about civil times, which have no gaps: nothing is skipped in this zone.
        let civil = |at: DateTime| at.to_zoned(TimeZone::UTC).ok();
        let mut named: Zoned = civil(here.checked_sub(days).ok()?)?;
        for _ in 0..REPEATED_MAX {
            named = self.cron.find_next_occurrence(&named, false).ok()?;
            let happens = self.zone.happens(named.datetime().checked_add(days).ok()?)?;
            if happens > moment {
                return Some(Timestamp(happens.as_millisecond()));
            }
        }
        None
    }

    /// The next moments, for people who want to see what they wrote.
    pub fn all_after(&self, moment: Timestamp) -> impl Iterator<Item = Timestamp> {
        std::iter::successors(self.after(moment), |last| self.after(*last))
    }

    /// A moment as the clock of its zone shows it.
    #[must_use]
    pub fn show(&self, moment: Timestamp) -> String {
        self.zone.show(moment)
    }

    /// The same fields by another clock.
    #[must_use]
    pub fn in_zone(self, zone: Zone) -> Recurrence {
        Recurrence { zone, ..self }
    }

    #[must_use]
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The one spelling of the rule, whoever's clock it goes by.
    #[must_use]
    pub fn rule(&self) -> String {
        match self.plus_days {
            0 => self.fields.clone(),
            1 => format!("{} plus 1 day", self.fields),
            days => format!("{} plus {days} days", self.fields),
        }
    }
}

impl FromStr for Recurrence {
    type Err = Error;

    fn from_str(text: &str) -> Result<Recurrence, Error> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (words, zone) = match words.as_slice() {
            [front @ .., "in", zone] => (front, Zone::named(zone)?),
            all => (all, Zone::utc()),
        };
        let (fields, plus_days) = match words {
            [front @ .., "plus", days, "days" | "day"] => (front, days_of(days)?),
            all => (all, 0),
        };
        if fields.len() != 5 {
            return Err(Error::Fields { found: fields.len() });
        }
        let fields = fields.join(" ").to_ascii_uppercase();
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .dom_and_dow(true)
            .build();
        let cron = parser.parse(&fields);
        let cron = cron.map_err(|source| Error::Cron { fields: fields.clone(), source })?;
        let rule = Recurrence { fields, cron, plus_days, zone };
        match rule.after(Timestamp(0)) {
            Some(_) => Ok(rule),
            None => Err(Error::Never { fields: rule.fields }),
        }
    }
}

fn days_of(days: &str) -> Result<u8, Error> {
    let number = days.parse().ok().filter(|days| (1..=PLUS_DAYS_MAX).contains(days));
    number.ok_or_else(|| Error::Days { days: days.to_owned(), max: PLUS_DAYS_MAX })
}

/// One spelling for equal rules: what [`str::parse`] reads.
impl fmt::Display for Recurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.rule(), self.zone.name())
    }
}

impl PartialEq for Recurrence {
    fn eq(&self, other: &Recurrence) -> bool {
        (&self.fields, self.plus_days, &self.zone) == (&other.fields, other.plus_days, &other.zone)
    }
}

impl Eq for Recurrence {}

#[cfg(test)]
mod tests;
