//! Versions and how they compare.

use std::cmp::Ordering;
use std::str::FromStr;

use model::Invalid;
pub(crate) use model::{compare_debian, compare_rpm};
use serde::Deserialize;

/// A Windows file, product or registry version: up to four numbers, the rest zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Version(pub [u32; 4]);

impl FromStr for Version {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Version, Invalid> {
        let bad = || Invalid::new("version", format!("\"{text}\" is not one to four numbers"));
        let mut version = Version::default();
        for (place, part) in text.trim().split('.').enumerate() {
            *version.0.get_mut(place).ok_or_else(bad)? = part.parse().map_err(|_| bad())?;
        }
        Ok(version)
    }
}

impl TryFrom<String> for Version {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Version, Invalid> {
        text.parse()
    }
}

/// How a test compares what it found with what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    LessThan,
    LessThanOrEqualTo,
    EqualTo,
    GreaterThanOrEqualTo,
    GreaterThan,
}

impl Comparison {
    const ALL: [Comparison; 5] = [
        Comparison::LessThan,
        Comparison::LessThanOrEqualTo,
        Comparison::EqualTo,
        Comparison::GreaterThanOrEqualTo,
        Comparison::GreaterThan,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Comparison::LessThan => "LessThan",
            Comparison::LessThanOrEqualTo => "LessThanOrEqualTo",
            Comparison::EqualTo => "EqualTo",
            Comparison::GreaterThanOrEqualTo => "GreaterThanOrEqualTo",
            Comparison::GreaterThan => "GreaterThan",
        }
    }

    /// `found` is the order of what was found relative to what the test names.
    pub(crate) fn holds(self, found: Ordering) -> bool {
        match self {
            Comparison::LessThan => found.is_lt(),
            Comparison::LessThanOrEqualTo => found.is_le(),
            Comparison::EqualTo => found.is_eq(),
            Comparison::GreaterThanOrEqualTo => found.is_ge(),
            Comparison::GreaterThan => found.is_gt(),
        }
    }
}

impl FromStr for Comparison {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Comparison, Invalid> {
        let found = Comparison::ALL.into_iter().find(|c| c.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| Invalid::new("comparison", format!("there is no \"{text}\"")))
    }
}

#[cfg(test)]
mod tests;
