//! A Linux computer as its files describe it.
//!
//! Owns where each fact is: os-release(5), proc(5), the firmware's table below `/sys/class/dmi/id`,
//! `/sys/class/net`, and what the kernel says of mounted file systems. Sizes of disks are whole
//! MiB, so that a log line is no news.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use model::{Computer, Disk, Hardware, Interface, OperatingSystem, Timestamp};
use rpc::limits::INVENTORY_ENTRIES_MAX;
use rustix::fs::statvfs;

use super::Sources;
use super::packages::read;
use super::release::{self, variable};

/// File systems that hold what people keep; the others are memory, views or somebody else's.
const KEEPING: &str = "ext2 ext3 ext4 xfs btrfs f2fs zfs bcachefs jfs reiserfs vfat exfat ntfs \
                       ntfs3 overlay";

/// What a firmware says that was never filled in.
const UNFILLED: [&str; 6] = [
    "to be filled by o.e.m.",
    "default string",
    "not specified",
    "system serial number",
    "system product name",
    "none",
];

const MINUTE_MS: i64 = 60 * 1000;

pub(super) fn computer(sources: &Sources) -> Computer {
    let files = Files(&sources.root);
    let pending = |flag: &PathBuf| fs::exists(flag).unwrap_or(false);
    Computer {
        hardware: hardware(&files),
        os: system(&files),
        disks: if sources.is_running { disks(&files) } else { BTreeMap::new() },
        interfaces: interfaces(&files),
        is_restart_pending: sources.restart_flags.iter().any(pending),
    }
}

struct Files<'a>(&'a Path);

impl Files<'_> {
    fn read(&self, path: &str) -> String {
        read(&self.0.join(path))
    }

    fn line(&self, path: &str) -> String {
        self.read(path).lines().next().unwrap_or_default().trim().to_owned()
    }
}

fn hardware(files: &Files<'_>) -> Hardware {
    let firmware = |name: &str| {
        let text = files.line(&format!("sys/class/dmi/id/{name}"));
        if UNFILLED.contains(&text.to_lowercase().as_str()) { String::new() } else { text }
    };
    let (cpu, cpu_count) = processors(&files.read("proc/cpuinfo"));
    Hardware {
        manufacturer: firmware("sys_vendor"),
        model: firmware("product_name"),
        serial: firmware("product_serial"),
        firmware: firmware("bios_version"),
        cpu,
        cpu_count,
        memory: memory(&files.read("proc/meminfo")),
    }
}

/// The name of the first processor, and how many there are. Not every architecture names them.
pub(super) fn processors(cpuinfo: &str) -> (String, u32) {
    let value = |line: &str, key: &str| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim().to_owned())
    };
    let name = cpuinfo.lines().find_map(|line| {
        value(line, "model name").or_else(|| value(line, "cpu")).or_else(|| value(line, "Model"))
    });
    let numbered = cpuinfo.lines().filter(|line| value(line, "processor").is_some()).count();
    (name.unwrap_or_default(), u32::try_from(numbered).unwrap_or(u32::MAX))
}

/// Bytes; 0 if it does not say.
pub(super) fn memory(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    number.map_or(0, |kibibytes| kibibytes.saturating_mul(1024))
}

fn system(files: &Files<'_>) -> OperatingSystem {
    let release = match files.read("etc/os-release") {
        empty if empty.is_empty() => files.read("usr/lib/os-release"),
        release => release,
    };
    let (machine, chassis) =
        (files.read("etc/machine-info"), files.line("sys/class/dmi/id/chassis_type"));
    let variable = |key| variable(&release, key).unwrap_or_default();
    OperatingSystem {
        id: release::id(&release),
        version: variable("VERSION_ID"),
        kernel: files.line("proc/sys/kernel/osrelease"),
        build: variable("BUILD_ID"),
        edition: variable("VARIANT_ID"),
        architecture: architecture().to_owned(),
        installed_on: installed_on(files),
        started_at: started_at(&files.read("proc/stat")),
        domain: domain(files),
        form: release::form(&machine, &release, &chassis),
        time_zone: zone(files),
    }
}

/// As the client's registration calls it.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// When the machine was given its identity, which installers and images do first. To the minute.
fn installed_on(files: &Files<'_>) -> Option<Timestamp> {
    let of = |path: &str| fs::metadata(files.0.join(path)).ok()?.modified().ok();
    let at = of("var/log/installer").or_else(|| of("etc/machine-id"))?;
    let ms = i64::try_from(at.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()?;
    Some(Timestamp(ms / MINUTE_MS * MINUTE_MS))
}

/// The kernel's own second of its start, which does not move with the clock.
pub(super) fn started_at(stat: &str) -> Option<Timestamp> {
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    let seconds = line.trim().parse::<i64>().ok()?;
    seconds.checked_mul(1000).filter(|ms| *ms > 0).map(Timestamp)
}

/// What the computer's full name, or the resolver, calls its domain.
fn domain(files: &Files<'_>) -> String {
    let name = files.line("etc/hostname");
    if let Some((_, domain)) = name.split_once('.') {
        return domain.to_owned();
    }
    let resolver = files.read("etc/resolv.conf");
    let search = |key: &str| {
        let line = resolver.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next().filter(|domain| *domain != ".").map(str::to_owned)
    };
    search("domain ").or_else(|| search("search ")).unwrap_or_default()
}

fn zone(files: &Files<'_>) -> String {
    let named = files.line("etc/timezone");
    if !named.is_empty() {
        return named;
    }
    let link = fs::read_link(files.0.join("etc/localtime")).unwrap_or_default();
    let link = link.to_string_lossy();
    link.split_once("zoneinfo/").map(|(_, name)| name.to_owned()).unwrap_or_default()
}

fn disks(files: &Files<'_>) -> BTreeMap<String, Disk> {
    let mounts = mounted(&files.read("proc/mounts"));
    mounts.into_iter().filter_map(|at| Some((at.clone(), disk(Path::new(&at))?))).collect()
}

/// Where something is mounted that is kept: the first place of each device.
pub(super) fn mounted(mounts: &str) -> Vec<String> {
    let mut devices = BTreeSet::new();
    let mut places = Vec::new();
    for line in mounts.lines() {
        let mut fields = line.split(' ');
        let (Some(device), Some(at), Some(kind)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let is_kept = KEEPING.split_whitespace().any(|keeping| keeping == kind);
        // Blanks and the like are written in octal (fstab(5)); such places are left out.
        let is_plain = at.starts_with('/') && !at.contains('\\');
        if is_kept && is_plain && (kind != "overlay" || at == "/") && devices.insert(device) {
            places.push(at.to_owned());
        }
        if places.len() >= INVENTORY_ENTRIES_MAX {
            break;
        }
    }
    places
}

fn disk(at: &Path) -> Option<Disk> {
    let found = statvfs(at).ok()?;
    let whole = |blocks: u64| blocks.saturating_mul(found.f_frsize) >> 20 << 20;
    let size = whole(found.f_blocks);
    (size > 0).then(|| Disk { size, free: Some(whole(found.f_bavail)) })
}

/// Interfaces but for the one to itself, with the addresses that `/proc/net` tells.
fn interfaces(files: &Files<'_>) -> BTreeMap<String, Interface> {
    let Ok(entries) = fs::read_dir(files.0.join("sys/class/net")) else { return BTreeMap::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut v6 = addresses_v6(&files.read("proc/net/if_inet6"));
    let v4 = addresses_v4(&files.read("proc/net/fib_trie"), &files.read("proc/net/route"));
    let described = names.filter(|name| name != "lo").map(|name| {
        let mac = files.line(&format!("sys/class/net/{name}/address"));
        let mac = if mac == "00:00:00:00:00:00" { String::new() } else { mac };
        let mut addresses = v6.remove(&name).unwrap_or_default();
        addresses.extend(v4.get(&name).into_iter().flatten().copied());
        (name, Interface { mac, addresses })
    });
    described.collect()
}

/// By interface; those that hold only on the link are left out.
pub(super) fn addresses_v6(if_inet6: &str) -> BTreeMap<String, BTreeSet<IpAddr>> {
    let mut found: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
    for line in if_inet6.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [address, _, _, _, _, name] = fields.as_slice() else { continue };
        let Ok(bits) = u128::from_str_radix(address, 16) else { continue };
        let address = Ipv6Addr::from_bits(bits);
        if !address.is_unicast_link_local() && !address.is_loopback() {
            found.entry((*name).to_owned()).or_default().insert(address.into());
        }
    }
    found
}

/// By interface: the computer's own addresses, each at the interface whose network holds it.
pub(super) fn addresses_v4(fib_trie: &str, route: &str) -> BTreeMap<String, BTreeSet<IpAddr>> {
    let mut own = BTreeSet::new();
    let mut last = None;
    for line in fib_trie.lines() {
        if let Some(address) = line.trim_start().strip_prefix("|-- ") {
            last = address.trim().parse::<Ipv4Addr>().ok();
        } else if line.contains("/32 host LOCAL") {
            own.extend(last.filter(|address| !address.is_loopback()));
        }
    }
    let networks: Vec<(&str, u32, u32)> = route.lines().filter_map(network).collect();
    let mut found: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
    for address in own {
        let holds = |(_, network, mask): &&(&str, u32, u32)| address.to_bits() & mask == *network;
        let nearest = networks.iter().filter(holds).max_by_key(|(_, _, mask)| mask.count_ones());
        if let Some((name, ..)) = nearest {
            found.entry((*name).to_owned()).or_default().insert(address.into());
        }
    }
    found
}

/// Of a line of `/proc/net/route`, whose numbers stand in the order of this machine's bytes. The
/// way to everywhere is no network.
fn network(line: &str) -> Option<(&str, u32, u32)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let number = |at: usize| {
        let number = u32::from_str_radix(fields.get(at)?, 16).ok()?;
        Some(u32::from_be_bytes(number.to_ne_bytes()))
    };
    let (network, mask) = (number(1)?, number(7)?);
    (mask != 0).then_some((*fields.first()?, network, mask))
}
