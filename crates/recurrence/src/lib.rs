//! Moments that come again: `0 2 * * TUE#2 plus 3 days in Europe/Berlin`.
//!
//! Owns how such a rule is written and when its next moment is, in any zone and across changes of
//! its clocks. Five fields of cron (minute, hour, day of the month, month, day of the week, with
//! `#2` for the second such day of a month and `L` for the last) name civil times; `plus N days`
//! moves each by whole days, into the next month if need be, because what comes some days after a
//! second Tuesday is no day of any week of the month; `in ZONE` says whose clock is meant.
//!
//! A civil time that the clock skips happens when the clock goes on; one that comes twice happens
//! the first time. Refuses to know the time, and what happens then. Wrong input is an [`Error`].

mod error;

use std::fmt;
use std::str::FromStr;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Zoned};
use model::Timestamp;

pub use error::Error;

/// Days between the time that the fields name and the moment: a rule that waits longer than the
/// shortest month would be another month's.
const PLUS_DAYS_MAX: u8 = 27;

/// A clock that is set back repeats some hours; as many minutes of them may be passed over.
const REPEATED_MAX: usize = 26 * 60;

/// The best known zone, when none is given.
const DEFAULT_ZONE: &str = "UTC";

/// The moments of one rule.
#[derive(Clone, Debug)]
pub struct Recurrence {
    fields: String,
    cron: Cron,
    plus_days: u8,
    zone: TimeZone,
    zone_name: String,
}

impl Recurrence {
    /// The first moment after this one; none if the calendar ends before.
    #[must_use]
    pub fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        let moment = jiff::Timestamp::from_millisecond(moment.0).ok()?;
        let here = moment.to_zoned(self.zone.clone()).datetime();
        let days = Span::new().days(i64::from(self.plus_days));
        // The fields are about civil times, which have no gaps: nothing is skipped in this zone.
        let civil = |at: DateTime| at.to_zoned(TimeZone::UTC).ok();
        let mut named: Zoned = civil(here.checked_sub(days).ok()?)?;
        for _ in 0..REPEATED_MAX {
            named = self.cron.find_next_occurrence(&named, false).ok()?;
            let happens = happens(&self.zone, named.datetime().checked_add(days).ok()?)?;
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
        match jiff::Timestamp::from_millisecond(moment.0) {
            Ok(at) => at.to_zoned(self.zone.clone()).strftime("%a %Y-%m-%d %H:%M %Z").to_string(),
            Err(_) => moment.to_string(),
        }
    }
}

/// When a clock shows this: the first time, or when it goes on after it skipped it.
fn happens(zone: &TimeZone, at: DateTime) -> Option<jiff::Timestamp> {
    match zone.to_ambiguous_timestamp(at).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(at).ok(),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(at).ok(),
        AmbiguousOffset::Gap { after, .. } => {
            let before_it = after.to_timestamp(at).ok()?;
            zone.following(before_it).next().map(|change| change.timestamp())
        }
    }
}

impl FromStr for Recurrence {
    type Err = Error;

    fn from_str(text: &str) -> Result<Recurrence, Error> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (words, zone_name) = match words.as_slice() {
            [front @ .., "in", zone] => (front, (*zone).to_owned()),
            all => (all, DEFAULT_ZONE.to_owned()),
        };
        let (fields, plus_days) = match words {
            [front @ .., "plus", days, "days" | "day"] => (front, days_of(days)?),
            all => (all, 0),
        };
        let zone = TimeZone::get(&zone_name)
            .map_err(|source| Error::Zone { zone: zone_name.clone(), source })?;
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
        let rule = Recurrence { fields, cron, plus_days, zone, zone_name };
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
        f.write_str(&self.fields)?;
        match self.plus_days {
            0 => {}
            1 => f.write_str(" plus 1 day")?,
            days => write!(f, " plus {days} days")?,
        }
        write!(f, " in {}", self.zone_name)
    }
}

impl PartialEq for Recurrence {
    fn eq(&self, other: &Recurrence) -> bool {
        (&self.fields, self.plus_days, &self.zone_name)
            == (&other.fields, other.plus_days, &other.zone_name)
    }
}

impl Eq for Recurrence {}

#[cfg(test)]
mod tests;
