//! Wire messages ↔ model values, one module per area. Messages are taken apart field by field, so
//! that a new field does not compile until it is handled.

mod address;
mod batch;
mod boundary;
mod catalog;
mod content;
mod deploying;
mod inventory;
mod object;
mod policy;
mod report;
mod rule;
mod setting;
mod time;

pub use address::{read_address, wire_address};
pub use batch::{decode_entries, encode_entries};
pub use inventory::{decode_inventory_report, encode_inventory_report};
pub use policy::{Part, check_part, decode_head, decode_part, encode_head, encode_part};
pub use report::{decode_report, encode_report};
pub use time::{read_time, wire_time};

use model::{Invalid, UpdateId};

fn update_ids(bytes: Vec<Vec<u8>>) -> Result<Vec<UpdateId>, Invalid> {
    bytes.iter().map(|b| UpdateId::from_slice(b)).collect()
}

fn required<T>(field: &'static str, value: Option<T>) -> Result<T, Invalid> {
    value.ok_or_else(|| Invalid::new(field, "is missing"))
}
