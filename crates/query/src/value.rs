//! What fields can be, and how two of a kind compare.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;

use model::Timestamp;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Compared without regard to the case of letters.
    Text,
    Number,
    /// Numbers with dots, compared one by one; what is left out counts as 0.
    Version,
    /// A day, a moment in RFC 3339, or how long ago: `2026-11-01`, `30d`.
    Time,
    /// Yes or no; stands alone.
    Flag,
    /// Compared with an address, or with a network such as `10.1.0.0/16`.
    Address,
}

/// What is known of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact<'a> {
    Text(&'a str),
    /// A row may have several of them, or none: for a field of type [`Type::Text`].
    Texts(Vec<&'a str>),
    Number(i64),
    Version(Version),
    Time(Timestamp),
    Flag(bool),
    Address(IpAddr),
}

#[derive(Clone, Debug, Default)]
pub struct Version(Vec<u64>);

/// What a field is compared with; its type is the field's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// In lower case.
    Text(String),
    Number(i64),
    Version(Version),
    Time(Timestamp),
    /// So many milliseconds before now.
    Ago(i64),
    Network(IpAddr, u8),
}

impl Type {
    pub(crate) fn shown(self) -> &'static str {
        match self {
            Type::Text => "a text",
            Type::Number => "a number",
            Type::Version => "a version",
            Type::Time => "a time",
            Type::Flag => "yes or no",
            Type::Address => "an address",
        }
    }

    pub(crate) fn is_ordered(self) -> bool {
        matches!(self, Type::Number | Type::Version | Type::Time)
    }

    /// What helps who wrote something else.
    pub(crate) fn remedy(self) -> &'static str {
        match self {
            Type::Text => "; write it in double quotes",
            Type::Number => "; write digits, such as 12",
            Type::Version => "; write numbers with dots, such as 10.0.19045",
            Type::Time => {
                "; write a day such as 2026-11-01, a moment such as 2026-11-01T08:00:00Z, or how \
                 long ago, such as 12h, 30d or 8w"
            }
            Type::Flag => "; write the name alone, or \"not\" and the name",
            Type::Address => "; write an address or a network, such as \"10.1.0.0/16\"",
        }
    }

    /// A value of this type; `is_quoted` tells a text from what stands without quotes.
    pub(crate) fn read(self, text: &str, is_quoted: bool) -> Option<Value> {
        match self {
            Type::Text => is_quoted.then(|| Value::Text(text.to_lowercase())),
            Type::Number => (!is_quoted).then(|| text.parse().ok().map(Value::Number)).flatten(),
            Type::Version => Version::parse(text).map(Value::Version),
            Type::Time => time(text),
            Type::Flag => None,
            Type::Address => network(text),
        }
    }
}

/// Most texts of most rows are in lower case already.
pub(crate) fn lower(text: &str) -> Cow<'_, str> {
    let is_lower = text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if is_lower { Cow::Borrowed(text) } else { Cow::Owned(text.to_lowercase()) }
}

fn time(text: &str) -> Option<Value> {
    if let Some((number, unit)) = text.split_at_checked(text.len().saturating_sub(1)) {
        let ms = match unit {
            "h" => DAY_MS / 24,
            "d" => DAY_MS,
            "w" => 7 * DAY_MS,
            _ => 0,
        };
        let number = number.parse::<u32>().ok().filter(|_| ms > 0);
        if let Some(number) = number {
            return i64::from(number).checked_mul(ms).map(Value::Ago);
        }
    }
    let moment = text.parse().or_else(|_| format!("{text}T00:00:00Z").parse());
    moment.ok().map(Value::Time)
}

fn network(text: &str) -> Option<Value> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(most), |bits| bits.parse().ok().filter(|bits| *bits <= most))?;
    Some(Value::Network(address, bits))
}

fn is_within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let wide = |address: IpAddr| match address.to_canonical() {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    };
    let ((address, family), (network, network_family)) = (wide(address), wide(network));
    let other = u32::from(128 - bits.min(128));
    family == network_family && (address ^ network).checked_shr(other).unwrap_or(0) == 0
}

impl Value {
    /// The moment that a time means; none for what is no time.
    #[must_use]
    pub fn moment(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Value::Time(moment) => Some(*moment),
            Value::Ago(ms) => Some(now.plus_ms(-ms)),
            Value::Text(_) | Value::Number(_) | Value::Version(_) | Value::Network(..) => None,
        }
    }

    /// How a fact lies from this value. None: it is of another type, which only a wrong vocabulary
    /// can cause.
    #[must_use]
    pub fn compare(&self, fact: &Fact<'_>, now: Timestamp) -> Option<Ordering> {
        match (fact, self) {
            (Fact::Text(fact), Value::Text(value)) => Some(lower(fact).as_ref().cmp(value)),
            (Fact::Number(fact), Value::Number(value)) => Some(fact.cmp(value)),
            (Fact::Version(fact), Value::Version(value)) => Some(fact.cmp(value)),
            (Fact::Time(fact), Value::Time(_) | Value::Ago(_)) => {
                Some(fact.cmp(&self.moment(now)?))
            }
            (Fact::Address(fact), Value::Network(network, bits)) => {
                Some(match is_within(*fact, *network, *bits) {
                    true => Ordering::Equal,
                    false => Ordering::Less,
                })
            }
            _ => None,
        }
    }
}

impl Version {
    /// None for anything but numbers with dots.
    #[must_use]
    pub fn parse(text: &str) -> Option<Version> {
        let numbers = text.split('.').map(str::parse).collect::<Result<_, _>>();
        numbers.ok().map(Version)
    }

    fn numbers(&self) -> &[u64] {
        let end = self.0.iter().rposition(|number| *number != 0).map_or(0, |last| last + 1);
        &self.0[..end]
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Version) -> bool {
        self.numbers() == other.numbers()
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Version) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Version) -> Ordering {
        self.numbers().cmp(other.numbers())
    }
}
