//! What is known of a computer.
//!
//! Plain data, filled by whoever looked: a real machine's provider or a facts file. What nobody
//! looked for is absent and makes a test unknown; what was looked for and not found says so.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use model::{Sha256, Timestamp};
use serde::Deserialize;

use crate::Version;
use crate::version::{compare_debian, compare_rpm};

mod reading;
mod windows;

pub use windows::{
    CbsPackage, CbsState, Cluster, Device, Direct3d, Driver, GenericAnswer, Hardware, Languages,
    MsiPatchState, MsiProduct, Name, Named, Names, Processors, RegistryValue, WindowsFacts,
    WmiValue,
};

/// A facts file has the same form, in any format of serde, and names the files that are not there
/// in a list of their own, `absent_files`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "reading::FactsFile")]
pub struct Facts {
    pub architecture: Option<Architecture>,
    /// By path, on Windows in lower case with single backslashes. `None` for a path where there is
    /// no file.
    pub files: BTreeMap<String, Option<FileFact>>,
    pub system: System,
}

/// A computer runs one of these, so the tests made for the other are false on it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum System {
    Linux(LinuxFacts),
    Windows(Box<WindowsFacts>),
}

/// Processor architectures with the numbers that documents use for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    X86 = 0,
    Arm = 5,
    Amd64 = 9,
    Arm64 = 12,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileFact {
    pub size: u64,
    #[serde(deserialize_with = "reading::parsed")]
    pub sha256: Option<Sha256>,
    pub version: Option<Version>,
    #[serde(deserialize_with = "reading::moment")]
    pub created: Option<Timestamp>,
    #[serde(deserialize_with = "reading::moment")]
    pub modified: Option<Timestamp>,
    /// As a language identifier, such as 1033.
    pub language: Option<u16>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinuxFacts {
    /// `ID` of os-release, such as `debian`.
    pub id: String,
    /// `VERSION_ID` of os-release; rolling distributions have none.
    pub version_id: Option<String>,
    /// Installed packages and their versions; `None` where the package manager is not understood.
    pub packages: Option<BTreeMap<String, String>>,
    /// How those versions compare.
    pub order: PackageOrder,
}

/// Each family of package managers orders versions in its own way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageOrder {
    #[default]
    Debian,
    Rpm,
}

impl PackageOrder {
    #[must_use]
    pub fn compare(self, a: &str, b: &str) -> Ordering {
        match self {
            PackageOrder::Debian => compare_debian(a, b),
            PackageOrder::Rpm => compare_rpm(a, b),
        }
    }
}
