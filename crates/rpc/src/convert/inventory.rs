//! Inventories: reports of clients, and what sites keep of them.

use std::collections::BTreeMap;

use model::{
    ClientId, Computer, Disk, Form, Hardware, InstalledSoftware, Interface, Invalid,
    InventoryChange, InventoryRecord, InventoryReport, OperatingSystem, SiteCode, Software,
    SoftwareOrigin, SoftwareTitle, Timestamp,
};
use prost::Message as _;

use super::required;
use crate::limits::{
    INVENTORY_ADDRESSES_MAX, INVENTORY_ENTRIES_MAX, INVENTORY_SOFTWARE_MAX,
    INVENTORY_TEXT_BYTES_MAX,
};
use crate::pb::{client as pb, object};

#[must_use]
pub fn encode_inventory_report(report: &InventoryReport) -> Vec<u8> {
    pb::InventoryReport::from(report).encode_to_vec()
}

pub fn decode_inventory_report(bytes: &[u8]) -> Result<InventoryReport, Invalid> {
    let message = pb::InventoryReport::decode(bytes)
        .map_err(|e| Invalid::new("inventory report", e.to_string()))?;
    message.try_into()
}

fn most(field: &'static str, count: usize, max: usize) -> Result<(), Invalid> {
    match count > max {
        true => Err(Invalid::new(field, format!("are {count}, of at most {max}; leave some out"))),
        false => Ok(()),
    }
}

fn text(field: &'static str, text: String) -> Result<String, Invalid> {
    let (bytes, max) = (text.len(), INVENTORY_TEXT_BYTES_MAX);
    match bytes > max {
        true => Err(Invalid::new(field, format!("has {bytes} bytes, of at most {max}; cut it"))),
        false => Ok(text),
    }
}

impl From<&InventoryReport> for pb::InventoryReport {
    fn from(value: &InventoryReport) -> pb::InventoryReport {
        let InventoryReport {
            client,
            incarnation,
            serial,
            schema,
            is_full,
            collected_at,
            change,
            digest_after,
        } = value;
        let InventoryChange { hardware, os, disks, interfaces, .. } = change;
        let InventoryChange { is_restart_pending, added, removed, .. } = change;
        let (disks, removed_disks) = split(disks, wire_disk);
        let (interfaces, removed_interfaces) = split(interfaces, wire_interface);
        pb::InventoryReport {
            client: client.as_bytes().to_vec(),
            incarnation: *incarnation,
            serial: *serial,
            schema: *schema,
            full: *is_full,
            collected_at_ms: collected_at.0,
            hardware: hardware.as_ref().map(Into::into),
            os: os.as_ref().map(Into::into),
            restart_pending: *is_restart_pending,
            disks,
            removed_disks,
            interfaces,
            removed_interfaces,
            added: added.iter().map(Into::into).collect(),
            removed: removed.iter().map(Into::into).collect(),
            digest_after: digest_after.to_vec(),
        }
    }
}

impl TryFrom<pb::InventoryReport> for InventoryReport {
    type Error = Invalid;

    fn try_from(message: pb::InventoryReport) -> Result<InventoryReport, Invalid> {
        let pb::InventoryReport {
            client,
            incarnation,
            serial,
            schema,
            full: is_full,
            collected_at_ms,
            hardware,
            os,
            restart_pending: is_restart_pending,
            disks,
            removed_disks,
            interfaces,
            removed_interfaces,
            added,
            removed,
            digest_after,
        } = message;
        most("added", added.len(), INVENTORY_SOFTWARE_MAX)?;
        most("removed", removed.len(), INVENTORY_SOFTWARE_MAX)?;
        if serial == 0 {
            return Err(Invalid::new("serial", "is 0; the first report has 1"));
        }
        let change = InventoryChange {
            hardware: hardware.map(TryInto::try_into).transpose()?,
            os: os.map(TryInto::try_into).transpose()?,
            disks: join("disks", read_disks(disks)?, removed_disks)?,
            interfaces: join("interfaces", read_interfaces(interfaces)?, removed_interfaces)?,
            is_restart_pending,
            added: added.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            removed: removed.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
        };
        Ok(InventoryReport {
            client: ClientId::from_slice(&client)?,
            incarnation,
            serial,
            schema,
            is_full,
            collected_at: Timestamp(collected_at_ms),
            change,
            digest_after: digest_after
                .try_into()
                .map_err(|_| Invalid::new("digest_after", "is not 32 bytes"))?,
        })
    }
}

/// Entries that are there, and the names of those that are gone.
fn split<T, M>(
    entries: &BTreeMap<String, Option<T>>,
    wire: impl Fn(&str, &T) -> M,
) -> (Vec<M>, Vec<String>) {
    let here = entries.iter().filter_map(|(name, entry)| Some(wire(name, entry.as_ref()?)));
    let gone = entries.iter().filter(|(_, entry)| entry.is_none()).map(|(name, _)| name.clone());
    (here.collect(), gone.collect())
}

fn join<T>(
    field: &'static str,
    here: BTreeMap<String, T>,
    gone: Vec<String>,
) -> Result<BTreeMap<String, Option<T>>, Invalid> {
    most(field, gone.len(), INVENTORY_ENTRIES_MAX)?;
    let gone = gone.into_iter().map(|name| Ok((text(field, name)?, None)));
    let here = here.into_iter().map(|(name, entry)| Ok((name, Some(entry))));
    gone.chain(here).collect()
}

fn wire_disk(name: &str, disk: &Disk) -> object::Disk {
    let Disk { size, free } = *disk;
    object::Disk { name: name.to_owned(), size, free }
}

fn read_disks(disks: Vec<object::Disk>) -> Result<BTreeMap<String, Disk>, Invalid> {
    most("disks", disks.len(), INVENTORY_ENTRIES_MAX)?;
    let read = |object::Disk { name, size, free }| Ok((text("disk", name)?, Disk { size, free }));
    disks.into_iter().map(read).collect()
}

fn wire_interface(name: &str, interface: &Interface) -> object::NetworkInterface {
    let Interface { mac, addresses } = interface;
    let addresses = addresses.iter().map(|address| super::wire_address(Some(*address))).collect();
    object::NetworkInterface { name: name.to_owned(), mac: mac.clone(), addresses }
}

fn read_interfaces(
    interfaces: Vec<object::NetworkInterface>,
) -> Result<BTreeMap<String, Interface>, Invalid> {
    most("interfaces", interfaces.len(), INVENTORY_ENTRIES_MAX)?;
    let read = |interface| {
        let object::NetworkInterface { name, mac, addresses } = interface;
        most("addresses", addresses.len(), INVENTORY_ADDRESSES_MAX)?;
        let address = |bytes: &Vec<u8>| required("address", super::read_address(bytes)?);
        let addresses = addresses.iter().map(address).collect::<Result<_, _>>()?;
        Ok((text("interface", name)?, Interface { mac: text("mac", mac)?, addresses }))
    };
    interfaces.into_iter().map(read).collect()
}

impl From<&Hardware> for object::Hardware {
    fn from(value: &Hardware) -> object::Hardware {
        let Hardware { manufacturer, model, serial, firmware, cpu, cpu_count, memory } = value;
        object::Hardware {
            manufacturer: manufacturer.clone(),
            model: model.clone(),
            serial: serial.clone(),
            firmware: firmware.clone(),
            cpu: cpu.clone(),
            cpu_count: *cpu_count,
            memory: *memory,
        }
    }
}

impl TryFrom<object::Hardware> for Hardware {
    type Error = Invalid;

    fn try_from(message: object::Hardware) -> Result<Hardware, Invalid> {
        let object::Hardware { manufacturer, model, serial, firmware, cpu, cpu_count, memory } =
            message;
        Ok(Hardware {
            manufacturer: text("manufacturer", manufacturer)?,
            model: text("model", model)?,
            serial: text("serial number", serial)?,
            firmware: text("firmware", firmware)?,
            cpu: text("cpu", cpu)?,
            cpu_count,
            memory,
        })
    }
}

impl From<&OperatingSystem> for object::OperatingSystem {
    fn from(value: &OperatingSystem) -> object::OperatingSystem {
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
        } = value;
        object::OperatingSystem {
            id: id.clone(),
            version: version.clone(),
            kernel: kernel.clone(),
            build: build.clone(),
            edition: edition.clone(),
            architecture: architecture.clone(),
            installed_on_ms: installed_on.map(|time| time.0),
            started_at_ms: started_at.map(|time| time.0),
            domain: domain.clone(),
            form: form.map(|form| form.as_str().to_owned()).unwrap_or_default(),
            time_zone: time_zone.clone(),
        }
    }
}

impl TryFrom<object::OperatingSystem> for OperatingSystem {
    type Error = Invalid;

    fn try_from(message: object::OperatingSystem) -> Result<OperatingSystem, Invalid> {
        let object::OperatingSystem {
            id,
            version,
            kernel,
            build,
            edition,
            architecture,
            installed_on_ms,
            started_at_ms,
            domain,
            form,
            time_zone,
        } = message;
        Ok(OperatingSystem {
            id: text("os", id)?,
            version: text("os version", version)?,
            kernel: text("kernel", kernel)?,
            build: text("build", build)?,
            edition: text("edition", edition)?,
            architecture: text("architecture", architecture)?,
            installed_on: installed_on_ms.map(Timestamp),
            started_at: started_at_ms.map(Timestamp),
            domain: text("domain", domain)?,
            form: if form.is_empty() { None } else { Some(Form::from_name(&form)?) },
            time_zone: text("time zone", time_zone)?,
        })
    }
}

impl From<&Software> for object::Software {
    fn from(value: &Software) -> object::Software {
        let Software { name, version, architecture, origin } = value;
        let origin = match origin {
            SoftwareOrigin::Dpkg => object::SoftwareOrigin::Dpkg,
            SoftwareOrigin::Rpm => object::SoftwareOrigin::Rpm,
            SoftwareOrigin::Msi => object::SoftwareOrigin::Msi,
        };
        object::Software {
            name: name.clone(),
            version: version.clone(),
            architecture: architecture.clone(),
            origin: origin.into(),
        }
    }
}

impl TryFrom<object::Software> for Software {
    type Error = Invalid;

    fn try_from(message: object::Software) -> Result<Software, Invalid> {
        let origin = match message.origin() {
            object::SoftwareOrigin::Dpkg => SoftwareOrigin::Dpkg,
            object::SoftwareOrigin::Rpm => SoftwareOrigin::Rpm,
            object::SoftwareOrigin::Msi => SoftwareOrigin::Msi,
            object::SoftwareOrigin::Unspecified => {
                let reason = format!("there is no origin {}", message.origin);
                return Err(Invalid::new("software origin", reason));
            }
        };
        let object::Software { name, version, architecture, origin: _ } = message;
        Ok(Software {
            name: text("software name", name)?,
            version: text("software version", version)?,
            architecture: text("architecture", architecture)?,
            origin,
        })
    }
}

impl From<&Computer> for object::Computer {
    fn from(value: &Computer) -> object::Computer {
        let Computer { hardware, os, disks, interfaces, is_restart_pending } = value;
        object::Computer {
            hardware: Some(hardware.into()),
            os: Some(os.into()),
            disks: disks.iter().map(|(name, disk)| wire_disk(name, disk)).collect(),
            interfaces: interfaces.iter().map(|(name, one)| wire_interface(name, one)).collect(),
            restart_pending: *is_restart_pending,
        }
    }
}

impl TryFrom<object::Computer> for Computer {
    type Error = Invalid;

    fn try_from(message: object::Computer) -> Result<Computer, Invalid> {
        let object::Computer { hardware, os, disks, interfaces, restart_pending } = message;
        Ok(Computer {
            hardware: required("hardware", hardware)?.try_into()?,
            os: required("os", os)?.try_into()?,
            disks: read_disks(disks)?,
            interfaces: read_interfaces(interfaces)?,
            is_restart_pending: restart_pending,
        })
    }
}

impl From<&InventoryRecord> for object::Inventory {
    fn from(value: &InventoryRecord) -> object::Inventory {
        let InventoryRecord { client, site, schema, incarnation, serial, collected_at, computer } =
            value;
        object::Inventory {
            client: client.as_bytes().to_vec(),
            site: site.to_string(),
            schema: *schema,
            incarnation: *incarnation,
            serial: *serial,
            collected_at_ms: collected_at.0,
            computer: Some(computer.into()),
        }
    }
}

impl TryFrom<object::Inventory> for InventoryRecord {
    type Error = Invalid;

    fn try_from(message: object::Inventory) -> Result<InventoryRecord, Invalid> {
        let object::Inventory {
            client,
            site,
            schema,
            incarnation,
            serial,
            collected_at_ms,
            computer,
        } = message;
        Ok(InventoryRecord {
            client: ClientId::from_slice(&client)?,
            site: SiteCode::new(&site)?,
            schema,
            incarnation,
            serial,
            collected_at: Timestamp(collected_at_ms),
            computer: required("computer", computer)?.try_into()?,
        })
    }
}

impl From<&InstalledSoftware> for object::InstalledSoftware {
    fn from(value: &InstalledSoftware) -> object::InstalledSoftware {
        let InstalledSoftware { client, site, titles } = value;
        let mut before = 0;
        let differences = titles.iter().map(|title| {
            let difference = title.saturating_sub(before);
            before = *title;
            difference
        });
        object::InstalledSoftware {
            client: client.as_bytes().to_vec(),
            site: site.to_string(),
            titles: differences.collect(),
        }
    }
}

impl TryFrom<object::InstalledSoftware> for InstalledSoftware {
    type Error = Invalid;

    fn try_from(message: object::InstalledSoftware) -> Result<InstalledSoftware, Invalid> {
        let object::InstalledSoftware { client, site, titles } = message;
        most("titles", titles.len(), INVENTORY_SOFTWARE_MAX)?;
        let mut before = 0_u32;
        let numbers = titles.into_iter().map(|difference| {
            let number = before.checked_add(difference).filter(|_| difference > 0);
            before = required("title after the last", number)?;
            Ok(before)
        });
        Ok(InstalledSoftware {
            client: ClientId::from_slice(&client)?,
            site: SiteCode::new(&site)?,
            titles: numbers.collect::<Result<_, Invalid>>()?,
        })
    }
}

impl From<&SoftwareTitle> for object::SoftwareTitle {
    fn from(value: &SoftwareTitle) -> object::SoftwareTitle {
        let SoftwareTitle { site, number, software } = value;
        let site = site.to_string();
        object::SoftwareTitle { site, number: *number, software: Some(software.into()) }
    }
}

impl TryFrom<object::SoftwareTitle> for SoftwareTitle {
    type Error = Invalid;

    fn try_from(message: object::SoftwareTitle) -> Result<SoftwareTitle, Invalid> {
        let object::SoftwareTitle { site, number, software } = message;
        let software = required("software", software)?.try_into()?;
        Ok(SoftwareTitle { site: SiteCode::new(&site)?, number, software })
    }
}

#[cfg(test)]
mod tests;
