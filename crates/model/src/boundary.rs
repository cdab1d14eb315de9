//! Boundaries: parts of the network, as administrators write them (COLL-01).
//!
//! Owns the text form of a scope and which addresses it covers. A VPN is told by its connection,
//! not by an address, so that such a boundary matches none. Refuses to know which servers a place
//! uses: boundary groups say that.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::{Invalid, ObjectCode};

mod group;
mod index;
mod map;

pub use group::{BoundaryGroup, BoundaryLink, BoundaryOptions, Fallback, Neighbor};
pub use map::{Asker, BoundaryMap, Offer, Proximity, Relation};

/// A description is a line, not a document.
const DESCRIPTION_BYTES_MAX: usize = 512;

/// The documented lengths of a VPN connection's name and description.
const VPN_NAME_MAX: usize = 250;
const VPN_DESCRIPTION_MAX: usize = 243;

const FORMS: &str = "write a subnet (10.1.2.0/24), an IPv6 prefix (2001:db8::/48), a range \
     (10.1.2.10-10.1.2.99), or vpn auto, vpn name TEXT, vpn description TEXT";

/// A part of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary {
    pub code: ObjectCode,
    pub scope: BoundaryScope,
    pub description: String,
}

impl Boundary {
    pub fn new(
        code: ObjectCode,
        scope: BoundaryScope,
        description: String,
    ) -> Result<Boundary, Invalid> {
        if description.len() > DESCRIPTION_BYTES_MAX {
            let reason =
                format!("{} bytes, at most {DESCRIPTION_BYTES_MAX}; shorten it", description.len());
            return Err(Invalid::new("description", reason));
        }
        Ok(Boundary { code, scope, description })
    }
}

/// Which connections are meant by a VPN boundary. A text that ends with `*` is a beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VpnMatch {
    /// Any connection that the system knows as a VPN.
    Auto,
    Name(String),
    Description(String),
}

/// What a boundary covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoundaryScope {
    Subnet {
        network: Ipv4Addr,
        length: u8,
    },
    Prefix {
        network: Ipv6Addr,
        length: u8,
    },
    /// Both of one family, the first not after the last.
    Range {
        first: IpAddr,
        last: IpAddr,
    },
    Vpn(VpnMatch),
}

impl BoundaryScope {
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            BoundaryScope::Subnet { .. } => "subnet",
            BoundaryScope::Prefix { .. } => "prefix",
            BoundaryScope::Range { .. } => "range",
            BoundaryScope::Vpn(_) => "vpn",
        }
    }

    /// The name of its boundary (COLL-02).
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            BoundaryScope::Subnet { .. } => format!("IP subnet {self}"),
            BoundaryScope::Prefix { .. } => format!("IPv6 prefix {self}"),
            BoundaryScope::Range { .. } => format!("IP address range {self}"),
            BoundaryScope::Vpn(VpnMatch::Auto) => "VPN".to_owned(),
            BoundaryScope::Vpn(VpnMatch::Name(text)) => format!("VPN name {text}"),
            BoundaryScope::Vpn(VpnMatch::Description(text)) => format!("VPN description {text}"),
        }
    }

    /// Its first and its last address.
    #[must_use]
    pub fn span(&self) -> Option<(IpAddr, IpAddr)> {
        match *self {
            BoundaryScope::Subnet { network, length } => {
                let last = Ipv4Addr::from_bits(network.to_bits() | !mask4(length));
                Some((network.into(), last.into()))
            }
            BoundaryScope::Prefix { network, length } => {
                let last = Ipv6Addr::from_bits(network.to_bits() | !mask6(length));
                Some((network.into(), last.into()))
            }
            BoundaryScope::Range { first, last } => Some((first, last)),
            BoundaryScope::Vpn(_) => None,
        }
    }

    fn is_subnet(&self) -> bool {
        matches!(self, BoundaryScope::Subnet { .. } | BoundaryScope::Prefix { .. })
    }
}

impl fmt::Display for BoundaryScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BoundaryScope::Subnet { network, length } => write!(f, "{network}/{length}"),
            BoundaryScope::Prefix { network, length } => write!(f, "{network}/{length}"),
            BoundaryScope::Range { first, last } => write!(f, "{first}-{last}"),
            BoundaryScope::Vpn(VpnMatch::Auto) => f.write_str("vpn auto"),
            BoundaryScope::Vpn(VpnMatch::Name(text)) => write!(f, "vpn name {text}"),
            BoundaryScope::Vpn(VpnMatch::Description(text)) => write!(f, "vpn description {text}"),
        }
    }
}

impl FromStr for BoundaryScope {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<BoundaryScope, Invalid> {
        let text = text.trim();
        if let Some(vpn) = text.strip_prefix("vpn ") {
            return parse_vpn(text, vpn.trim());
        }
        if let Some((first, last)) = text.split_once('-') {
            return parse_range(text, (first.trim(), last.trim()));
        }
        match text.split_once('/') {
            Some((network, length)) => parse_subnet(text, (network.trim(), length.trim())),
            None => Err(refuse(text, format!("is no boundary; {FORMS}"))),
        }
    }
}

fn refuse(text: &str, why: impl fmt::Display) -> Invalid {
    Invalid::new("boundary", format!("\"{text}\" {why}"))
}

fn address(text: &str, part: &str) -> Result<IpAddr, Invalid> {
    let address: Result<IpAddr, _> = part.parse();
    let why = || refuse(text, format!("has \"{part}\" where an IP address stands; {FORMS}"));
    Ok(address.map_err(|_| why())?.to_canonical())
}

fn parse_vpn(text: &str, vpn: &str) -> Result<BoundaryScope, Invalid> {
    let (how, value) = vpn.split_once(' ').unwrap_or((vpn, ""));
    let value = value.trim();
    let (limit, scope) = match (how, value.is_empty()) {
        ("auto", true) => return Ok(BoundaryScope::Vpn(VpnMatch::Auto)),
        ("name", false) => (VPN_NAME_MAX, VpnMatch::Name(value.to_owned())),
        ("description", false) => (VPN_DESCRIPTION_MAX, VpnMatch::Description(value.to_owned())),
        _ => return Err(refuse(text, format!("is no boundary; {FORMS}"))),
    };
    let length = value.chars().count();
    if length > limit {
        return Err(refuse(text, format!("has {length} characters of {how}, at most {limit}")));
    }
    Ok(BoundaryScope::Vpn(scope))
}

fn parse_range(text: &str, (first, last): (&str, &str)) -> Result<BoundaryScope, Invalid> {
    let (first, last) = (address(text, first)?, address(text, last)?);
    if first.is_ipv4() != last.is_ipv4() {
        return Err(refuse(text, "mixes IPv4 and IPv6; make one range of each"));
    }
    if first > last {
        return Err(refuse(text, format!("ends before it begins; write {last}-{first}")));
    }
    Ok(BoundaryScope::Range { first, last })
}

fn parse_subnet(text: &str, (network, length): (&str, &str)) -> Result<BoundaryScope, Invalid> {
    // Not canonical: a length counts bits of the form that was written.
    let network: IpAddr =
        network.parse().map_err(|_| address(text, network).expect_err("it is no address"))?;
    let longest = if network.is_ipv4() { 32 } else { 128 };
    let fits = length.parse::<u8>().ok().filter(|length| *length <= longest);
    let why = || refuse(text, format!("has \"{length}\" where a length of 0 to {longest} stands"));
    let length = fits.ok_or_else(why)?;
    let (scope, start): (BoundaryScope, IpAddr) = match network {
        IpAddr::V4(network) => {
            let start = Ipv4Addr::from_bits(network.to_bits() & mask4(length));
            (BoundaryScope::Subnet { network, length }, start.into())
        }
        IpAddr::V6(network) if network.to_ipv4_mapped().is_some() => {
            return Err(refuse(text, "is IPv4 in IPv6 form; write it as IPv4"));
        }
        IpAddr::V6(network) => {
            let start = Ipv6Addr::from_bits(network.to_bits() & mask6(length));
            (BoundaryScope::Prefix { network, length }, start.into())
        }
    };
    if start != network {
        return Err(refuse(text, format!("names a computer in it; write {start}/{length}")));
    }
    Ok(scope)
}

fn mask4(length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
}

fn mask6(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
