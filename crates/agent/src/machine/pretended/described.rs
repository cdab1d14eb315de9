//! The inventory of a computer that is a facts file: what the file's facts say, and a section of
//! its own for the rest.
//!
//! ```toml
//! [inventory]
//! manufacturer = "Contoso"
//! memory = 8589934592
//! disks = { "/" = { size = 500000000000, free = 1000000000 } }
//! interfaces = { eth0 = { mac = "02:00:00:00:00:01", addresses = ["10.0.0.7"] } }
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use model::{
    Computer, Disk, Hardware, Interface, Inventory, OperatingSystem, Software, SoftwareOrigin,
    Timestamp,
};
use serde::{Deserialize, Serialize};
use update_metadata::{System, WindowsFacts};

use super::facts_file::{FactsFile, Order};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Described {
    manufacturer: String,
    model: String,
    serial: String,
    firmware: String,
    cpu: String,
    cpu_count: u32,
    /// Bytes.
    memory: u64,
    kernel: String,
    build: String,
    edition: String,
    domain: String,
    /// Milliseconds since 1970.
    installed_on: Option<i64>,
    started_at: Option<i64>,
    disks: BTreeMap<String, DescribedDisk>,
    interfaces: BTreeMap<String, DescribedInterface>,
}

/// Bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribedDisk {
    size: u64,
    free: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribedInterface {
    #[serde(default)]
    mac: String,
    #[serde(default)]
    addresses: BTreeSet<IpAddr>,
}

impl FactsFile {
    pub(super) fn inventory(&self) -> Inventory {
        let mut inventory = Inventory {
            computer: Computer {
                hardware: self.hardware(),
                os: self.system(),
                disks: self.disks(),
                interfaces: self.interfaces(),
                is_restart_pending: self.asks_for_restart,
            },
            software: BTreeSet::new(),
        };
        match self.facts().map(|facts| facts.system) {
            Ok(System::Windows(windows)) => self.describe_windows(&windows, &mut inventory),
            Ok(System::Linux(_)) | Err(_) => inventory.software = self.packages(),
        }
        inventory
    }

    fn hardware(&self) -> Hardware {
        let Described { manufacturer, model, serial, firmware, cpu, cpu_count, memory, .. } =
            self.inventory.clone();
        Hardware { manufacturer, model, serial, firmware, cpu, cpu_count, memory }
    }

    fn system(&self) -> OperatingSystem {
        let Described { kernel, build, edition, domain, installed_on, started_at, .. } =
            self.inventory.clone();
        OperatingSystem {
            id: self.id.clone(),
            version: self.version_id.clone().unwrap_or_default(),
            kernel,
            build,
            edition,
            architecture: self.architecture.clone(),
            installed_on: installed_on.map(Timestamp),
            started_at: started_at.map(Timestamp),
            domain,
            form: Some(self.form.into()),
            time_zone: self.zone.clone().unwrap_or_else(|| "UTC".to_owned()),
        }
    }

    fn disks(&self) -> BTreeMap<String, Disk> {
        let disk = |(name, disk): (&String, &DescribedDisk)| {
            (name.clone(), Disk { size: disk.size, free: disk.free })
        };
        self.inventory.disks.iter().map(disk).collect()
    }

    fn interfaces(&self) -> BTreeMap<String, Interface> {
        let interface = |(name, one): (&String, &DescribedInterface)| {
            let DescribedInterface { mac, addresses } = one.clone();
            (name.clone(), Interface { mac, addresses })
        };
        self.inventory.interfaces.iter().map(interface).collect()
    }

    fn packages(&self) -> BTreeSet<Software> {
        let origin = match self.order {
            Order::Debian => SoftwareOrigin::Dpkg,
            Order::Rpm => SoftwareOrigin::Rpm,
        };
        let architecture = &self.architecture;
        let package = |(name, version): (&String, &String)| {
            let (name, version) = (name.clone(), version.clone());
            Software { name, version, architecture: architecture.clone(), origin }
        };
        self.packages.iter().map(package).collect()
    }

    fn describe_windows(&self, windows: &WindowsFacts, inventory: &mut Inventory) {
        let WindowsFacts { major, minor, build, processors, msi_products, .. } = windows;
        let os = &mut inventory.computer.os;
        os.id = "windows".to_owned();
        os.version = format!("{major}.{minor}.{build}");
        if os.build.is_empty() {
            os.build = build.to_string();
        }
        // Workstations say so (OSVERSIONINFOEX).
        os.form = Some(match windows.product_type {
            1 => model::Form::Workstation,
            _ => model::Form::Server,
        });
        let hardware = &mut inventory.computer.hardware;
        if let Some(processors) = processors.filter(|_| hardware.cpu_count == 0) {
            hardware.cpu_count = processors.count;
        }
        let products = msi_products.iter().flatten().map(|(code, product)| Software {
            name: format!("{{{}}}", code.as_str()),
            version: product.version.0.map(|number| number.to_string()).join("."),
            architecture: String::new(),
            origin: SoftwareOrigin::Msi,
        });
        inventory.software = products.collect();
    }
}
