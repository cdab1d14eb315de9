//! What a computer says of itself to a server outside of the hierarchy.

use update_metadata::{Architecture, Facts, LinuxFacts, System};
use wsus_protocol::client::ComputerInfo;
use wsus_protocol::reporting::DetailedVersion;

/// What the client says it is where the native one says its version.
const CLIENT: [&str; 3] = [
    env!("CARGO_PKG_VERSION_MAJOR"),
    env!("CARGO_PKG_VERSION_MINOR"),
    env!("CARGO_PKG_VERSION_PATCH"),
];
/// Workstations and servers, as Windows numbers its editions.
const PRODUCTS: [(u32, i32); 2] = [(1, 48), (3, 7)];
const UNKNOWN: &str = "unknown";

pub(super) fn describe(facts: &Facts, dns_name: &str) -> ComputerInfo {
    let mut info = ComputerInfo {
        dns_name: dns_name.to_owned(),
        os_locale: "en-US".to_owned(),
        processor_architecture: architecture(facts.architecture).to_owned(),
        ..ComputerInfo::default()
    };
    for text in [
        &mut info.manufacturer,
        &mut info.model,
        &mut info.bios_version,
        &mut info.bios_name,
        &mut info.oem,
        &mut info.device_type,
        &mut info.firmware_version,
        &mut info.mobile_operator,
    ] {
        UNKNOWN.clone_into(text);
    }
    [info.client_major, info.client_minor, info.client_build] = CLIENT.map(number);
    match &facts.system {
        System::Windows(windows) => {
            (info.os_major, info.os_minor) = (small(windows.major), small(windows.minor));
            info.os_build = small(windows.build);
            info.os_service_pack_major = small(windows.service_pack_major);
            info.os_service_pack_minor = small(windows.service_pack_minor);
            info.suite_mask = small(windows.suite_mask);
            info.old_product_type = small(windows.product_type);
            let product = PRODUCTS.iter().find(|(kind, _)| *kind == windows.product_type);
            info.new_product_type = product.map_or(0, |(_, product)| *product);
            info.os_description = format!("Windows {}.{}", windows.major, windows.minor);
        }
        System::Linux(LinuxFacts { id, version_id, .. }) => {
            let version = version_id.as_deref().unwrap_or_default();
            let mut parts = version.split('.').map(number);
            info.os_major = parts.next().unwrap_or_default();
            info.os_minor = parts.next().unwrap_or_default();
            info.os_build = parts.next().unwrap_or_default();
            info.os_description = format!("{id} {version}").trim().to_owned();
        }
    }
    info
}

/// The same as events have it.
pub(super) fn version(info: &ComputerInfo) -> DetailedVersion {
    DetailedVersion {
        major: info.os_major,
        minor: info.os_minor,
        build: info.os_build,
        revision: 0,
        service_pack_major: info.os_service_pack_major,
        service_pack_minor: info.os_service_pack_minor,
    }
}

/// As registrations name it; events know but a few.
fn architecture(architecture: Option<Architecture>) -> &'static str {
    match architecture {
        Some(Architecture::Amd64) => "AMD64",
        Some(Architecture::Arm64) => "ARM64",
        Some(Architecture::X86) => "x86",
        Some(Architecture::Arm) => "ARM",
        None => UNKNOWN,
    }
}

pub(super) fn event_architecture(info: &ComputerInfo) -> &'static str {
    match info.processor_architecture.as_str() {
        "AMD64" => "Amd64Compatible",
        "x86" => "X86Compatible",
        _ => "Unknown",
    }
}

fn number(text: &str) -> i32 {
    text.parse().unwrap_or_default()
}

fn small(number: u32) -> i32 {
    i32::try_from(number).unwrap_or_default()
}
