//! The plain form of a replication batch, before compression.

use model::Invalid;
use prost::Message as _;

use crate::pb::replication as pb;

#[must_use]
pub fn encode_entries(entries: Vec<pb::Entry>) -> Vec<u8> {
    pb::EntryList { entries }.encode_to_vec()
}

pub fn decode_entries(bytes: &[u8]) -> Result<Vec<pb::Entry>, Invalid> {
    let list = pb::EntryList::decode(bytes).map_err(|e| Invalid::new("batch", e.to_string()))?;
    Ok(list.entries)
}
