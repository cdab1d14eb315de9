//! What Windows computers say went wrong: the codes of the Windows Update Agent and of what it
//! stands on, each with what it means, what helps, and whether trying again may help.
//!
//! Refuses to know who said it and when. A code that is not in the table is still a code: it can
//! be written, read and kept, and only has no meaning here.

use std::fmt;
use std::str::FromStr;

use crate::Invalid;

mod table;

use table::TABLE;

/// A code as events carry it; failures are negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hresult(pub i32);

/// Whether a scan that failed so is worth repeating unchanged: 36 codes are (SUPX-19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    Yes,
    No,
}

/// What is known of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Meaning {
    code: u32,
    name: &'static str,
    meaning: &'static str,
    remedy: &'static str,
    retry: Retry,
}

impl Hresult {
    #[must_use]
    pub fn is_known(self) -> bool {
        self.entry().is_some()
    }

    /// The symbol of the platform's headers.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        self.entry().map(|entry| entry.name)
    }

    #[must_use]
    pub fn meaning(self) -> Option<&'static str> {
        self.entry().map(|entry| entry.meaning)
    }

    #[must_use]
    pub fn remedy(self) -> Option<&'static str> {
        self.entry().map(|entry| entry.remedy)
    }

    /// What is not known is not repeated.
    #[must_use]
    pub fn retry(self) -> Retry {
        self.entry().map_or(Retry::No, |entry| entry.retry)
    }

    /// Every code in the table, ascending as unsigned numbers.
    pub fn all() -> impl Iterator<Item = Hresult> {
        TABLE.iter().map(|entry| Hresult(entry.code.cast_signed()))
    }

    fn entry(self) -> Option<&'static Meaning> {
        let at = TABLE.binary_search_by_key(&self.0.cast_unsigned(), |entry| entry.code).ok()?;
        Some(&TABLE[at])
    }
}

/// `0x8024401C`, with what is known of it.
impl fmt::Display for Hresult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08X}", self.0)?;
        match self.entry() {
            Some(Meaning { name, meaning, remedy, .. }) => {
                write!(f, " {name}: {meaning}; {remedy}")
            }
            None => Ok(()),
        }
    }
}

/// `0x8024401C`, the same without `0x`, or the decimal number that other tools print.
impl FromStr for Hresult {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Hresult, Invalid> {
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        let is_bare_hex = text.len() == 8 && !text.starts_with('-');
        let code = match digits.or(is_bare_hex.then_some(text)) {
            Some(digits) => u32::from_str_radix(digits, 16).ok().map(u32::cast_signed),
            None => text.parse().ok().or_else(|| text.parse().ok().map(u32::cast_signed)),
        };
        let reason = || format!("\"{text}\" is not a code such as 0x8024401C or -2145107940");
        code.map(Hresult).ok_or_else(|| Invalid::new("code", reason()))
    }
}

#[cfg(test)]
mod tests;
