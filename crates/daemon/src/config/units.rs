//! Durations ("15m") and sizes ("64MiB") as people write them.

use std::time::Duration;

const DURATIONS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

const SIZES: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)];

pub fn duration(text: &str) -> Result<Duration, String> {
    let remedy = "a duration; write 500ms, 30s, 15m, 2h or 7d";
    scaled(text, &DURATIONS, remedy).map(Duration::from_millis)
}

pub fn size(text: &str) -> Result<u64, String> {
    scaled(text, &SIZES, "a size; write 512B, 64KiB, 64MiB or 2GiB")
}

fn scaled(text: &str, units: &[(&str, u64)], remedy: &str) -> Result<u64, String> {
    let bad = || format!("\"{text}\" is not {remedy}");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
    let (number, unit) = (&text[..digits], text[digits..].trim_start());
    let (_, scale) = units.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
    number.parse::<u64>().ok().and_then(|n| n.checked_mul(*scale)).ok_or_else(bad)
}
