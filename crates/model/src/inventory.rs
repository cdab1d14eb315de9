//! What a computer is made of and what is installed on it (docs/data-model.md, "Inventory").
//!
//! Owns the shape of an inventory, what changed between two of them, and the digest by which both
//! ends know that they mean the same one. Refuses to know where facts come from and how they are
//! kept. Nothing here can fail.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::words::words;
use crate::{ClientId, SiteCode, Timestamp, compare_debian, compare_rpm};

/// The form of inventories; raised when a fact changes its meaning.
pub const INVENTORY_SCHEMA: u32 = 1;

words! {
    /// What a computer is for.
    Form, "form" { Server = "server", Workstation = "workstation", }

    /// Which package manager says that software is installed.
    SoftwareOrigin, "software origin" {
        Dpkg = "dpkg",
        Rpm = "rpm",
        /// Windows Installer; the name is the product code.
        Msi = "msi",
    }
}

/// Everything known of a computer. What nobody could find out is empty or absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    pub computer: Computer,
    pub software: BTreeSet<Software>,
}

/// A computer without its software.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Computer {
    pub hardware: Hardware,
    pub os: OperatingSystem,
    /// By what they are mounted as, such as `/` or `C:`.
    pub disks: BTreeMap<String, Disk>,
    /// By name.
    pub interfaces: BTreeMap<String, Interface>,
    pub is_restart_pending: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hardware {
    pub manufacturer: String,
    pub model: String,
    pub serial: String,
    /// Version of the BIOS or the firmware.
    pub firmware: String,
    /// What the processors call themselves.
    pub cpu: String,
    /// Logical processors; 0: not known.
    pub cpu_count: u32,
    /// In bytes; 0: not known.
    pub memory: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperatingSystem {
    /// Such as `debian` or `windows`.
    pub id: String,
    /// Such as `12` or `10.0.26100`.
    pub version: String,
    pub kernel: String,
    /// Such as `26100.1742`, or `BUILD_ID` of os-release.
    pub build: String,
    /// Such as `Enterprise`, or `VARIANT_ID` of os-release.
    pub edition: String,
    pub architecture: String,
    pub installed_on: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub domain: String,
    pub form: Option<Form>,
    /// A name of the time zone database.
    pub time_zone: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    pub size: u64,
    pub free: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    pub mac: String,
    pub addresses: BTreeSet<IpAddr>,
}

/// One installed package; several versions of one may be installed beside each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Software {
    pub name: String,
    pub version: String,
    pub architecture: String,
    pub origin: SoftwareOrigin,
}

/// What makes one inventory of another. What is not named stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InventoryChange {
    pub hardware: Option<Hardware>,
    pub os: Option<OperatingSystem>,
    /// None: it is gone.
    pub disks: BTreeMap<String, Option<Disk>>,
    /// None: it is gone.
    pub interfaces: BTreeMap<String, Option<Interface>>,
    pub is_restart_pending: Option<bool>,
    pub added: BTreeSet<Software>,
    pub removed: BTreeSet<Software>,
}

/// What a client says of its computer: what changed since the report before, or everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryReport {
    pub client: ClientId,
    /// Drawn anew when a client loses its memory; serials start over with it.
    pub incarnation: u64,
    /// One more than that of the report before.
    pub serial: u64,
    pub schema: u32,
    /// Whether `change` is from nothing.
    pub is_full: bool,
    pub collected_at: Timestamp,
    pub change: InventoryChange,
    /// [`Inventory::digest`] of what it makes.
    pub digest_after: [u8; 32],
}

/// What a site keeps of a computer beside its list of software.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryRecord {
    pub client: ClientId,
    /// The site that keeps it, which gives the numbers of software.
    pub site: SiteCode,
    pub schema: u32,
    pub incarnation: u64,
    pub serial: u64,
    pub collected_at: Timestamp,
    pub computer: Computer,
}

/// The software of a computer, by numbers that its site gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledSoftware {
    pub client: ClientId,
    pub site: SiteCode,
    /// Ascending.
    pub titles: Vec<u32>,
}

/// What a number of a site stands for; it is never given to something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoftwareTitle {
    pub site: SiteCode,
    pub number: u32,
    pub software: Software,
}

impl Inventory {
    /// What makes `new` of this.
    #[must_use]
    pub fn change_to(&self, new: &Inventory) -> InventoryChange {
        let (old, now) = (&self.computer, &new.computer);
        let pending = now.is_restart_pending;
        InventoryChange {
            hardware: (old.hardware != now.hardware).then(|| now.hardware.clone()),
            os: (old.os != now.os).then(|| now.os.clone()),
            disks: changed(&old.disks, &now.disks),
            interfaces: changed(&old.interfaces, &now.interfaces),
            is_restart_pending: (old.is_restart_pending != pending).then_some(pending),
            added: new.software.difference(&self.software).cloned().collect(),
            removed: self.software.difference(&new.software).cloned().collect(),
        }
    }

    /// Makes what the change is to.
    #[must_use]
    pub fn with(mut self, change: InventoryChange) -> Inventory {
        let InventoryChange { hardware, os, disks, interfaces, .. } = change;
        let InventoryChange { is_restart_pending, added, removed, .. } = change;
        let Computer { hardware: old_hardware, os: old_os, .. } = &mut self.computer;
        *old_hardware = hardware.unwrap_or_else(|| std::mem::take(old_hardware));
        *old_os = os.unwrap_or_else(|| std::mem::take(old_os));
        apply(&mut self.computer.disks, disks);
        apply(&mut self.computer.interfaces, interfaces);
        self.computer.is_restart_pending =
            is_restart_pending.unwrap_or(self.computer.is_restart_pending);
        self.software.retain(|software| !removed.contains(software));
        self.software.extend(added);
        self
    }

    /// Equal exactly if the inventories are: every text with its length before it, every list with
    /// its count.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let Inventory { computer, software } = self;
        let mut hasher = Canonical(blake3::Hasher::new());
        hasher.computer(computer);
        hasher.number(software.len() as u64);
        for Software { name, version, architecture, origin } in software {
            hasher.texts([name, version, architecture, origin.as_str()]);
        }
        *hasher.0.finalize().as_bytes()
    }
}

impl Software {
    /// How its version lies from another, in the order of its package manager.
    #[must_use]
    pub fn compare_version(&self, other: &str) -> Ordering {
        match self.origin {
            SoftwareOrigin::Rpm => compare_rpm(&self.version, other),
            SoftwareOrigin::Dpkg | SoftwareOrigin::Msi => compare_debian(&self.version, other),
        }
    }
}

impl InventoryChange {
    /// Whether it leaves everything as it is.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == InventoryChange::default()
    }
}

fn changed<T: Clone + PartialEq>(
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
) -> BTreeMap<String, Option<T>> {
    let gone = old.keys().filter(|name| !new.contains_key(*name)).map(|name| (name.clone(), None));
    let other = new.iter().filter(|(name, entry)| old.get(*name) != Some(entry));
    gone.chain(other.map(|(name, entry)| (name.clone(), Some(entry.clone())))).collect()
}

fn apply<T>(entries: &mut BTreeMap<String, T>, changes: BTreeMap<String, Option<T>>) {
    for (name, entry) in changes {
        match entry {
            Some(entry) => drop(entries.insert(name, entry)),
            None => drop(entries.remove(&name)),
        }
    }
}

struct Canonical(blake3::Hasher);

impl Canonical {
    fn number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    fn texts<const N: usize>(&mut self, texts: [&str; N]) {
        for text in texts {
            self.number(text.len() as u64);
            self.0.update(text.as_bytes());
        }
    }

    fn time(&mut self, time: Option<Timestamp>) {
        self.number(u64::from(time.is_some()));
        self.0.update(&time.map_or(0, |time| time.0).to_le_bytes());
    }

    fn computer(&mut self, computer: &Computer) {
        let Computer { hardware, os, disks, interfaces, is_restart_pending } = computer;
        let Hardware { manufacturer, model, serial, firmware, cpu, cpu_count, memory } = hardware;
        self.texts([manufacturer, model, serial, firmware, cpu]);
        self.number(u64::from(*cpu_count));
        self.number(*memory);
        self.os(os);
        self.number(disks.len() as u64);
        for (name, Disk { size, free }) in disks {
            self.texts([name]);
            self.number(*size);
            self.number(u64::from(free.is_some()));
            self.number(free.unwrap_or(0));
        }
        self.number(interfaces.len() as u64);
        for (name, Interface { mac, addresses }) in interfaces {
            self.texts([name, mac]);
            self.number(addresses.len() as u64);
            for address in addresses {
                self.texts([&address.to_string()]);
            }
        }
        self.number(u64::from(*is_restart_pending));
    }

    fn os(&mut self, os: &OperatingSystem) {
        let OperatingSystem {
            id,
            version,
            kernel,
            build,
            edition,
            architecture,
            installed_on,
            started_at,
            domain,
            form,
            time_zone,
        } = os;
        let form = form.map_or("", Form::as_str);
        self.texts([id, version, kernel, build, edition, architecture, domain, form, time_zone]);
        self.time(*installed_on);
        self.time(*started_at);
    }
}

#[cfg(test)]
mod tests;
