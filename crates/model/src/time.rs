//! Wall time as data: milliseconds since 1970-01-01 UTC.

use std::fmt;
use std::str::FromStr;

use crate::Invalid;

/// A moment, to the millisecond. Shown and read as RFC 3339 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(ms))
    }

    /// The same day of the month and time of day, in UTC; in a shorter month its last day.
    #[must_use]
    pub fn plus_months(self, months: u32) -> Timestamp {
        let later = jiff::Timestamp::from_millisecond(self.0).and_then(|moment| {
            let span = jiff::Span::new().try_months(months)?;
            moment.to_zoned(jiff::tz::TimeZone::UTC).checked_add(span)
        });
        later.map_or(Timestamp(i64::MAX), |later| Timestamp(later.timestamp().as_millisecond()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(moment) => write!(f, "{moment:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Timestamp, Invalid> {
        let parsed: jiff::Timestamp = text
            .parse()
            .map_err(|_| Invalid::new("time", format!("\"{text}\" is not an RFC 3339 time")))?;
        Ok(Timestamp(parsed.as_millisecond()))
    }
}
