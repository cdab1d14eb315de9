//! Who and what is at work on a Linux system: its files, read.
//!
//! All of it pure but [`boot_id`]; what a file does not say is absent, never guessed.

use std::collections::BTreeSet;
use std::{fs, io};

use crate::inventory::release::variable;
use crate::limits::USERS_MAX;

pub(super) const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Another value after each start of the system.
pub(super) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string(BOOT_ID)?.trim().to_owned())
}

/// A record of utmp(5) on this architecture's Linux, and where its parts are.
const UTMP_BYTES: usize = if cfg!(target_arch = "aarch64") { 400 } else { 384 };
const UTMP_USER: std::ops::Range<usize> = 44..76;
const USER_PROCESS: i16 = 7;

/// Who is logged on, each once.
pub(super) fn utmp(bytes: &[u8]) -> BTreeSet<String> {
    let user = |record: &[u8]| {
        let kind = i16::from_ne_bytes([record[0], record[1]]);
        let name = record[UTMP_USER].split(|byte| *byte == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name).into_owned();
        (kind == USER_PROCESS && !name.is_empty()).then_some(name)
    };
    bytes.chunks_exact(UTMP_BYTES).take(USERS_MAX).filter_map(user).collect()
}

/// The name in a file of `/run/systemd/users`, if that user is logged on.
pub(super) fn logind_user(text: &str) -> Option<String> {
    let state = variable(text, "STATE");
    let is_here = matches!(state.as_deref(), Some("active" | "online"));
    variable(text, "NAME").filter(|_| is_here)
}

/// When the process of this `/proc/PID/stat` started; none if it has ended.
pub(super) fn started(stat: &str) -> Option<u64> {
    of_running(stat, 18)?.parse().ok()
}

/// Of which group it is; none if it has ended.
pub(super) fn group(stat: &str) -> Option<i32> {
    of_running(stat, 1)?.parse().ok()
}

/// A field of `/proc/PID/stat`, counted from behind the state.
fn of_running(stat: &str, field: usize) -> Option<&str> {
    // The name of the program stands in parentheses and may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let is_running = !matches!(fields.next()?, "Z" | "X" | "x");
    fields.nth(field).filter(|_| is_running)
}

#[cfg(test)]
mod tests;
