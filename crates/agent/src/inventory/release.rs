//! Which Linux system it is, and what the computer is for.
//!
//! Pure: texts of os-release(5), machine-info(5) and their kin go in. What they do not say is
//! absent, never guessed.

use model::Form;

/// A variable.
pub(crate) fn variable(text: &str, key: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    line.map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
}

/// os-release(5): a system that names no id is "linux".
pub(crate) fn id(os_release: &str) -> String {
    let named = variable(os_release, "ID").filter(|id| !id.is_empty());
    named.unwrap_or_else(|| "linux".to_owned())
}

/// A server or a workstation, by what machine-info(5) calls the chassis, else by the variant of the
/// distribution, else by the firmware's number of the chassis (SMBIOS 7.4.1).
pub(crate) fn form(machine_info: &str, os_release: &str, chassis_type: &str) -> Option<Form> {
    match variable(machine_info, "CHASSIS").as_deref() {
        Some("desktop" | "laptop" | "convertible" | "tablet" | "handset" | "watch") => {
            return Some(Form::Workstation);
        }
        Some("server" | "vm" | "container" | "embedded") => return Some(Form::Server),
        _ => {}
    }
    match variable(os_release, "VARIANT_ID").as_deref() {
        Some("workstation" | "desktop" | "kde" | "silverblue") => return Some(Form::Workstation),
        Some("server" | "cloud" | "coreos") => return Some(Form::Server),
        _ => {}
    }
    match chassis_type.trim().parse::<u8>().ok()? {
        // Desktops, towers, all in one; portables; tablets, convertibles, detachables.
        3 | 4 | 6 | 7 | 13 | 8..=11 | 14 | 30..=32 => Some(Form::Workstation),
        17 | 23 | 25 | 28 | 29 => Some(Form::Server),
        _ => None,
    }
}
