//! Moments, as the well-known type that tools know how to show.

use model::{Invalid, Timestamp};

#[must_use]
pub fn wire_time(at: Timestamp) -> prost_types::Timestamp {
    let nanos = i32::try_from(at.0.rem_euclid(1000) * 1_000_000).unwrap_or(0);
    prost_types::Timestamp { seconds: at.0.div_euclid(1000), nanos }
}

pub fn read_time(at: prost_types::Timestamp) -> Result<Timestamp, Invalid> {
    let prost_types::Timestamp { seconds, nanos } = at;
    let millis =
        seconds.checked_mul(1000).and_then(|ms| ms.checked_add(i64::from(nanos) / 1_000_000));
    millis.map(Timestamp).ok_or_else(|| Invalid::new("time", "is out of range"))
}
