//! Times as the protocol writes them.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{DateTime, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A UTC time, exact to the 100 ns the protocol carries, between the years 1 and 9999.
///
/// Milliseconds would not bring a cookie's expiration back as it came, and jiff's timestamps end
/// before the "never" of this protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WireTime {
    ticks: i64,
}

const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);
const TICKS_PER_MILLI: i64 = 10_000;
const NANOS_PER_TICK: i64 = 100;

impl WireTime {
    /// 0001-01-01, which .NET writes for "not set".
    pub const MIN: WireTime = WireTime { ticks: -621_355_968_000_000_000 };
    /// 9999-12-31T23:59:59.9999999, which the protocol writes for "never".
    pub const NEVER: WireTime = WireTime { ticks: 2_534_023_007_999_999_999 };

    /// From milliseconds since 1970-01-01 UTC; what lies outside comes to the nearer end.
    #[must_use]
    pub fn from_millis(millis: i64) -> WireTime {
        WireTime::from_ticks(millis.saturating_mul(TICKS_PER_MILLI))
    }

    /// Milliseconds since 1970-01-01 UTC, rounded down.
    #[must_use]
    pub fn as_millis(self) -> i64 {
        self.ticks.div_euclid(TICKS_PER_MILLI)
    }

    /// The day alone, `yyyy-mm-dd`.
    #[must_use]
    pub fn date(self) -> String {
        let mut text = self.to_string();
        text.truncate("yyyy-mm-dd".len());
        text
    }

    pub(crate) fn from_ticks(ticks: i64) -> WireTime {
        WireTime { ticks: ticks.clamp(WireTime::MIN.ticks, WireTime::NEVER.ticks) }
    }

    pub(crate) fn ticks(self) -> i64 {
        self.ticks
    }
}

/// Any number of fraction digits up to nine; `Z`, an offset or no zone, which means UTC.
impl FromStr for WireTime {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<WireTime, jiff::Error> {
        // A timestamp needs a zone and ends too early, a local time ignores offsets.
        let utc = match text.parse::<Timestamp>() {
            Ok(time) => TimeZone::UTC.to_datetime(time),
            Err(_) => text.strip_suffix(['Z', 'z']).unwrap_or(text).parse::<DateTime>()?,
        };
        let ticks = utc.duration_since(EPOCH).as_nanos().div_euclid(i128::from(NANOS_PER_TICK));
        Ok(WireTime::from_ticks(i64::try_from(ticks).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for WireTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = SignedDuration::from_micros(self.ticks.div_euclid(10))
            + SignedDuration::from_nanos(self.ticks.rem_euclid(10) * NANOS_PER_TICK);
        write!(f, "{}Z", EPOCH.saturating_add(since))
    }
}
