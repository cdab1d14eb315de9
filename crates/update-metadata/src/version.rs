//! Versions and how they compare.

use std::cmp::Ordering;
use std::str::FromStr;

use model::Invalid;
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

/// The order of Debian package versions, `epoch:upstream-revision` (Debian policy 5.6.12).
pub(crate) fn compare_debian(a: &str, b: &str) -> Ordering {
    let (epoch_a, rest_a) = a.split_once(':').unwrap_or(("0", a));
    let (epoch_b, rest_b) = b.split_once(':').unwrap_or(("0", b));
    let (upstream_a, revision_a) = rest_a.rsplit_once('-').unwrap_or((rest_a, ""));
    let (upstream_b, revision_b) = rest_b.rsplit_once('-').unwrap_or((rest_b, ""));
    compare_part(epoch_a, epoch_b)
        .then_with(|| compare_part(upstream_a, upstream_b))
        .then_with(|| compare_part(revision_a, revision_b))
}

/// Runs of non-digits and of digits in turn, until one of them decides.
fn compare_part(mut a: &str, mut b: &str) -> Ordering {
    while !(a.is_empty() && b.is_empty()) {
        let (text_a, text_b) =
            (take(&mut a, |c| !c.is_ascii_digit()), take(&mut b, |c| !c.is_ascii_digit()));
        let order = compare_text(text_a, text_b);
        if order.is_ne() {
            return order;
        }
        let number_a = take(&mut a, |c| c.is_ascii_digit()).trim_start_matches('0');
        let number_b = take(&mut b, |c| c.is_ascii_digit()).trim_start_matches('0');
        // Without leading zeros the longer number is the larger one, whatever its size.
        let order = number_a.len().cmp(&number_b.len()).then_with(|| number_a.cmp(number_b));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn take<'a>(rest: &mut &'a str, wanted: impl Fn(char) -> bool) -> &'a str {
    let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
    let (head, tail) = rest.split_at(end);
    *rest = tail;
    head
}

/// `~` sorts before the end, the end before letters, letters before anything else.
fn compare_text(a: &str, b: &str) -> Ordering {
    let weight = |c: Option<char>| match c {
        Some('~') => (0, '~'),
        None => (1, ' '),
        Some(c) if c.is_ascii_alphabetic() => (2, c),
        Some(c) => (3, c),
    };
    let (mut a, mut b) = (a.chars(), b.chars());
    loop {
        let (next_a, next_b) = (a.next(), b.next());
        let order = weight(next_a).cmp(&weight(next_b));
        if order.is_ne() || next_a.is_none() {
            return order;
        }
    }
}

#[cfg(test)]
mod tests;
