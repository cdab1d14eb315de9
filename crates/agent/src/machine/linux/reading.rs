//! How a Linux system describes itself: its files, read.
//!
//! All of it pure but [`boot_id`]; what a file does not say is absent, never guessed.

use std::collections::{BTreeMap, BTreeSet};
use std::{fs, io};

use update_metadata::{LinuxFacts, PackageOrder};

use crate::limits::USERS_MAX;
use crate::machine::Form;

pub(super) const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Another value after each start of the system.
pub(super) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string(BOOT_ID)?.trim().to_owned())
}

/// A variable of os-release(5), machine-info(5) and their kin.
fn variable(text: &str, key: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    line.map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
}

/// `ID` and `VERSION_ID` (os-release(5)).
pub(crate) fn os_release(text: &str) -> LinuxFacts {
    // os-release(5): a system that names no id is "linux".
    let id = variable(text, "ID").unwrap_or_else(|| "linux".to_owned());
    LinuxFacts { id, version_id: variable(text, "VERSION_ID"), ..LinuxFacts::default() }
}

/// Packages whose status is "installed", by paragraphs of dpkg's status file.
pub(crate) fn dpkg_status(text: &str) -> BTreeMap<String, String> {
    let package = |paragraph: &str| {
        let field = |key: &str| {
            let line = paragraph.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            line.map(|value| value.trim().to_owned())
        };
        let is_installed = field("Status")?.ends_with(" installed");
        is_installed.then_some((field("Package")?, field("Version")?))
    };
    text.split("\n\n").filter_map(package).collect()
}

/// How rpm is asked for its packages.
pub(super) const RPM_FORMAT: &str = "%{NAME}\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\n";

/// Packages of rpm, as [`RPM_FORMAT`] lists them; of one that is installed in several versions, as
/// kernels are, the latest.
pub(super) fn rpm_list(text: &str) -> BTreeMap<String, String> {
    let mut packages = BTreeMap::<String, String>::new();
    for (name, version) in text.lines().filter_map(|line| line.split_once('\t')) {
        let known = packages.entry(name.to_owned()).or_default();
        if PackageOrder::Rpm.compare(version, known).is_gt() {
            version.clone_into(known);
        }
    }
    packages
}

/// A server or a workstation, by what machine-info(5) calls the chassis, else by the variant of the
/// distribution, else by the firmware's number of the chassis (SMBIOS 7.4.1); else a server.
pub(super) fn form(machine_info: &str, os_release: &str, chassis_type: &str) -> Form {
    let chassis = variable(machine_info, "CHASSIS");
    match chassis.as_deref() {
        Some("desktop" | "laptop" | "convertible" | "tablet" | "handset" | "watch") => {
            return Form::Workstation;
        }
        Some("server" | "vm" | "container" | "embedded") => return Form::Server,
        _ => {}
    }
    let variant = variable(os_release, "VARIANT_ID").unwrap_or_default();
    match variant.as_str() {
        "workstation" | "desktop" | "kde" | "silverblue" => return Form::Workstation,
        "server" | "cloud" | "coreos" => return Form::Server,
        _ => {}
    }
    match chassis_type.trim().parse::<u8>() {
        // Desktops, towers, all in one; portables; tablets, convertibles, detachables.
        Ok(3 | 4 | 6 | 7 | 13 | 8..=11 | 14 | 30..=32) => Form::Workstation,
        _ => Form::Server,
    }
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
