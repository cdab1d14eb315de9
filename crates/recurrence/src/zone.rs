//! Whose clock is meant: the rules of a time zone and its name.
//!
//! Owns what a clock shows at a moment and when it shows a civil time. Refuses to know which zone
//! the machine is in. A zone that is not known is an [`Error`].

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use model::Timestamp;

use crate::Error;

/// What people write for the clock of each client.
pub(crate) const CLIENT: &str = "client";

/// A clock that is set by the rules of a time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

impl Zone {
    /// By its name in the time zone database.
    pub fn named(name: &str) -> Result<Zone, Error> {
        let found = TimeZone::get(name);
        let rules = found.map_err(|source| Error::Zone { zone: name.to_owned(), source })?;
        Ok(Zone { name: rules.iana_name().unwrap_or(name).to_owned(), rules })
    }

    #[must_use]
    pub fn utc() -> Zone {
        Zone { name: "UTC".to_owned(), rules: TimeZone::UTC }
    }

    /// The clock of a machine.
    #[must_use]
    pub fn of_machine(rules: TimeZone) -> Zone {
        Zone { name: rules.iana_name().unwrap_or("local").to_owned(), rules }
    }

    /// A clock that is nowhere yet: each client's own, where no client is meant.
    #[must_use]
    pub fn of_any_client() -> Zone {
        Zone { name: CLIENT.to_owned(), rules: TimeZone::UTC }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A moment as this clock shows it.
    #[must_use]
    pub fn show(&self, moment: Timestamp) -> String {
        let Ok(at) = jiff::Timestamp::from_millisecond(moment.0) else {
            return moment.to_string();
        };
        let at = at.to_zoned(self.rules.clone());
        if self.name == CLIENT {
            return format!("{} {CLIENT}", at.strftime("%a %Y-%m-%d %H:%M"));
        }
        at.strftime("%a %Y-%m-%d %H:%M %Z").to_string()
    }

    /// When this clock first shows a civil time, which is written as if it were UTC.
    #[must_use]
    pub fn moment(&self, civil: Timestamp) -> Timestamp {
        let at = jiff::Timestamp::from_millisecond(civil.0).ok();
        let at = at.and_then(|at| self.happens(TimeZone::UTC.to_datetime(at)));
        // Beyond the end of the calendar no clock shows anything.
        at.map_or(civil, |at| Timestamp(at.as_millisecond()))
    }

    /// What this clock shows at a moment, written as if it were UTC.
    #[must_use]
    pub fn civil_time(&self, moment: Timestamp) -> Timestamp {
        let at = jiff::Timestamp::from_millisecond(moment.0).ok();
        let at = at.and_then(|at| TimeZone::UTC.to_timestamp(self.civil(at)).ok());
        at.map_or(moment, |at| Timestamp(at.as_millisecond()))
    }

    pub(crate) fn civil(&self, moment: jiff::Timestamp) -> DateTime {
        self.rules.to_datetime(moment)
    }

    /// When the clock shows this: the first time, or when it goes on after it skipped it.
    pub(crate) fn happens(&self, at: DateTime) -> Option<jiff::Timestamp> {
        match self.rules.to_ambiguous_timestamp(at).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(at).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(at).ok(),
            AmbiguousOffset::Gap { after, .. } => {
                let before_it = after.to_timestamp(at).ok()?;
                self.rules.following(before_it).next().map(|change| change.timestamp())
            }
        }
    }
}

#[cfg(test)]
mod tests;
