//! IP addresses on the wire: 4 or 16 bytes, and none for one that is not known.

use std::net::IpAddr;

use model::Invalid;

#[must_use]
pub fn wire_address(address: Option<IpAddr>) -> Vec<u8> {
    match address.map(|address| address.to_canonical()) {
        None => Vec::new(),
        Some(IpAddr::V4(address)) => address.octets().to_vec(),
        Some(IpAddr::V6(address)) => address.octets().to_vec(),
    }
}

pub fn read_address(bytes: &[u8]) -> Result<Option<IpAddr>, Invalid> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let address = v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
    let refuse = |_| Invalid::new("address", format!("{} bytes instead of 4 or 16", bytes.len()));
    Ok(Some(address.map_err(refuse)?.to_canonical()))
}
