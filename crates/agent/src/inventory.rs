//! What a computer is made of and what is installed on it, looked up and cut to what a site takes.
//!
//! Owns which files tell what, below a root that is the real one but for tests. Refuses to know
//! when and to whom it is told. What cannot be found out or understood is left out: an inventory
//! never fails, and nothing that a file says ends the agent.

mod linux;
pub(crate) mod packages;
pub(crate) mod release;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use model::{Computer, Hardware, Interface, Inventory, InventoryChange, OperatingSystem, Software};
pub(crate) use told::Told;

use rpc::limits::{
    INVENTORY_ADDRESSES_MAX, INVENTORY_ENTRIES_MAX, INVENTORY_SOFTWARE_MAX,
    INVENTORY_TEXT_BYTES_MAX,
};

/// Where a Linux computer is described.
#[derive(Clone, Debug)]
pub struct Sources {
    /// `/`, but for tests.
    pub root: PathBuf,
    /// Flags that say by their presence that the system has to be restarted.
    pub restart_flags: Vec<PathBuf>,
    /// What is mounted and which addresses there are can only be asked of the running system.
    pub is_running: bool,
}

/// Looks everything up.
pub async fn collect(sources: &Sources) -> Inventory {
    let computer = linux::computer(sources);
    let software = packages::software(&sources.root).await;
    bounded(Inventory { computer, software })
}

/// What makes of the inventory that was told last the one that is, if it is another.
#[must_use]
pub fn news(told: &Inventory, now: &Inventory) -> Option<InventoryChange> {
    Some(told.change_to(now)).filter(|change| !change.is_nothing())
}

/// No more than a site takes: of what is too much, the first by name.
pub(crate) fn bounded(inventory: Inventory) -> Inventory {
    let Inventory { computer, software } = inventory;
    let Computer { hardware, os, disks, interfaces, is_restart_pending } = computer;
    let interface = |(name, Interface { mac, addresses })| {
        let addresses = addresses.into_iter().take(INVENTORY_ADDRESSES_MAX).collect();
        (name, Interface { mac: cut(mac), addresses })
    };
    let computer = Computer {
        hardware: cut_hardware(hardware),
        os: cut_os(os),
        disks: first(disks),
        interfaces: first(interfaces).into_iter().map(interface).collect(),
        is_restart_pending,
    };
    let package = |Software { name, version, architecture, origin }| {
        let (name, version, architecture) = (cut(name), cut(version), cut(architecture));
        Software { name, version, architecture, origin }
    };
    let software: BTreeSet<Software> = software.into_iter().map(package).collect();
    let software = software.into_iter().take(INVENTORY_SOFTWARE_MAX).collect();
    Inventory { computer, software }
}

fn first<T>(entries: BTreeMap<String, T>) -> BTreeMap<String, T> {
    let entries = entries.into_iter().map(|(name, entry)| (cut(name), entry));
    let entries: BTreeMap<String, T> = entries.collect();
    entries.into_iter().take(INVENTORY_ENTRIES_MAX).collect()
}

fn cut(mut text: String) -> String {
    if text.len() > INVENTORY_TEXT_BYTES_MAX {
        let end = (0..=INVENTORY_TEXT_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
    }
    text
}

fn cut_hardware(hardware: Hardware) -> Hardware {
    let Hardware { manufacturer, model, serial, firmware, cpu, cpu_count, memory } = hardware;
    let [manufacturer, model, serial, firmware, cpu] =
        [manufacturer, model, serial, firmware, cpu].map(cut);
    Hardware { manufacturer, model, serial, firmware, cpu, cpu_count, memory }
}

fn cut_os(os: OperatingSystem) -> OperatingSystem {
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
    let [id, version, kernel, build, edition] = [id, version, kernel, build, edition].map(cut);
    let [architecture, domain, time_zone] = [architecture, domain, time_zone].map(cut);
    OperatingSystem {
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
    }
}

#[cfg(test)]
mod tests;
