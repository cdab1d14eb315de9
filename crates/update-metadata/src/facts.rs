//! What is known of a computer.
//!
//! Plain data, filled by whoever looked: a real machine's provider or a facts file. What nobody
//! looked for is absent and makes a test unknown; what was looked for and not found says so.

use std::collections::BTreeMap;

use model::Sha256;

use crate::Version;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub architecture: Option<Architecture>,
    /// By path, in lower case on Windows. `None` for a path where there is no file.
    pub files: BTreeMap<String, Option<FileFact>>,
    pub system: System,
}

/// A computer runs one of these, so the tests made for the other are false on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum System {
    Linux(LinuxFacts),
    Windows(Box<WindowsFacts>),
}

/// Processor architectures with the numbers that documents use for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    X86 = 0,
    Arm = 5,
    Amd64 = 9,
    Arm64 = 12,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileFact {
    pub size: u64,
    pub sha256: Option<Sha256>,
    pub version: Option<Version>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinuxFacts {
    /// `ID` of os-release, such as `debian`.
    pub id: String,
    /// `VERSION_ID` of os-release; rolling distributions have none.
    pub version_id: Option<String>,
    /// Installed packages and their versions; `None` where the package manager is not understood.
    pub packages: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WindowsFacts {
    pub major: u32,
    pub minor: u32,
    pub build: u32,
    pub service_pack_major: u32,
    pub service_pack_minor: u32,
    /// 1 workstation, 2 domain controller, 3 server.
    pub product_type: u32,
    pub suite_mask: u32,
    /// Known folders by CSIDL, in lower case.
    pub folders: BTreeMap<i32, String>,
    /// Below HKEY_LOCAL_MACHINE: subkeys and names of values in lower case.
    pub registry: BTreeMap<String, BTreeMap<String, RegistryValue>>,
    /// By product code in lower case without braces.
    pub msi_products: BTreeMap<String, MsiProduct>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryValue {
    Dword(u32),
    Text(String),
    /// Of a type no test reads, such as REG_BINARY.
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MsiProduct {
    pub version: Version,
    pub language: i32,
}
