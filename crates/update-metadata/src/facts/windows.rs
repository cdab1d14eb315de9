//! What is known of a Windows computer.
//!
//! Each field says how much its presence means. A list that is there is complete: what it does not
//! name is not on the computer. A list that is `None` was never made.

use std::collections::{BTreeMap, BTreeSet};

use model::Timestamp;
use serde::Deserialize;

use super::reading;
use crate::Version;

/// A name that Windows compares without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(from = "String")]
pub struct Name(String);

pub type Named<T> = BTreeMap<Name, T>;
pub type Names = BTreeSet<Name>;

impl Name {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Name {
        Name(name.to_lowercase())
    }
}

impl From<String> for Name {
    fn from(name: String) -> Name {
        Name::from(name.as_str())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WindowsFacts {
    pub major: u32,
    pub minor: u32,
    pub build: u32,
    pub service_pack_major: u32,
    pub service_pack_minor: u32,
    /// 1 workstation, 2 domain controller, 3 server.
    pub product_type: u32,
    pub suite_mask: u32,
    pub processors: Option<Processors>,
    pub languages: Option<Languages>,
    pub cluster: Option<Cluster>,
    /// What `GetSystemMetrics` says, by index; an index that is not here was not asked.
    #[serde(deserialize_with = "reading::numbered")]
    pub metrics: BTreeMap<i32, i32>,
    /// Known folders by CSIDL; one that is not here was not asked.
    #[serde(deserialize_with = "reading::numbered")]
    pub folders: BTreeMap<i32, String>,
    /// Values by key below HKEY_LOCAL_MACHINE; the default value of a key has no name.
    pub registry: Option<Named<Named<RegistryValue>>>,
    pub licenses: Option<Named<RegistryValue>>,
    /// Rows by namespace and class; a class that is not here was not asked, nor was a column that
    /// is not in a row.
    pub wmi: Named<Named<Vec<Named<WmiValue>>>>,
    /// By product code without braces, as all GUIDs here.
    pub msi_products: Option<Named<MsiProduct>>,
    /// By package identity, `name~token~architecture~language~version`.
    pub cbs_packages: Option<Named<CbsPackage>>,
    pub devices: Option<Vec<Device>>,
    /// Ids that stand for the model of the computer, from the most specific on.
    pub computer_ids: Option<Names>,
    pub product_releases: Option<Named<Version>>,
    /// Ids of updates that were ever installed with success.
    pub installed_once: Option<Names>,
    pub hardware: Hardware,
    pub generic_answers: Vec<GenericAnswer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Processors {
    pub count: u32,
    pub level: u16,
    pub revision: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Languages {
    /// What the system was localized to, such as `en-us`.
    pub system: Name,
    /// Languages of the multilingual user interface, where that is installed.
    pub mui: Option<Names>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cluster {
    pub is_member: bool,
    pub owned_resources: Names,
}

/// In a file: a number is a REG_DWORD, a text a REG_SZ, and the others name themselves.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum RegistryValue {
    Dword(u32),
    Text(String),
    /// REG_EXPAND_SZ, as it is stored.
    Expandable {
        expandable: String,
    },
    /// Of a type whose values no test reads, such as `REG_BINARY`.
    Other {
        r#type: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum WmiValue {
    Flag(bool),
    Number(i64),
    /// Also moments, as WMI writes them: `20190204000000.000000+000`.
    Text(String),
    Null,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MsiProduct {
    pub version: Version,
    pub language: i32,
    pub upgrade_code: Option<Name>,
    pub features: Option<Names>,
    pub components: Option<Names>,
    pub patches: Option<Named<MsiPatchState>>,
    /// By patch family: the highest sequence whose patch supersedes earlier ones.
    pub patch_sequences: Named<Version>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MsiPatchState {
    Applied,
    Superseded,
    Obsoleted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CbsPackage {
    pub state: CbsState,
    /// Whether it could be installed; only servicing can tell.
    pub is_applicable: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CbsState {
    Absent,
    Staged,
    Installed,
    /// Installed still, and a later package has the say.
    Superseded,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Device {
    /// From the best match to the worst: hardware ids, then compatible ids.
    pub ids: Vec<Name>,
    pub driver: Option<Driver>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Driver {
    /// The id by which it was chosen.
    pub matched_id: Name,
    #[serde(deserialize_with = "reading::moment")]
    pub date: Option<Timestamp>,
    pub version: Version,
    pub provider: Name,
    /// Lower is better.
    pub feature_score: Option<u8>,
}

/// Each part is `None` where nobody looked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hardware {
    pub direct3d: Option<Direct3d>,
    /// Megabytes by the type that rules ask for.
    pub memory_mb: Named<u64>,
    pub video_memory_mb: Option<u64>,
    pub sensors: Option<Names>,
    pub nfc_capabilities: Option<Names>,
    pub camera_locations: Option<Names>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Direct3d {
    pub hardware_version: Version,
    pub feature_level: Version,
}

/// What an extension of a vendor answers to one query.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenericAnswer {
    pub namespace: Name,
    pub r#type: Name,
    pub parameter: Name,
    /// `None` where there is nothing of the kind.
    pub value: Option<String>,
}
