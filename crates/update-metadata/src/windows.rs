//! The tests of Windows updates.
//!
//! Owns the tables that name every test and who answers it. Refuses to know logic between tests.
//! What a test compares as text it compares without regard to case.

use std::fmt::Display;

use crate::WindowsFacts;
use crate::asked::{Doubtful, Test, known};
use crate::facts::{Name, Names};
use crate::namespaces::{BASE_RULES, CBS_RULES, DRIVER_RULES, MSI_RULES, UPDATE};
use crate::question::Subject;

mod cbs;
mod driver;
mod files;
mod machine;
mod msi;
mod patch;
mod registry;
mod wmi;

pub(crate) use cbs::{IDENTITY as CBS_IDENTITY, METADATA as CBS_METADATA};
pub(crate) use files::canonical_path;

type Evaluator = fn(&Test<'_>, &WindowsFacts) -> Doubtful;
type Table = &'static [(&'static str, Evaluator)];

/// By namespace. `Processor` is missing: it is asked of any computer.
const TABLES: [(&str, Table); 5] = [
    (BASE_RULES, BASE),
    (UPDATE, &[("ProductReleaseVersion", machine::product_release)]),
    (MSI_RULES, MSI),
    (CBS_RULES, CBS),
    (DRIVER_RULES, DRIVERS),
];

const BASE: Table = &[
    ("Camera", |test, windows| {
        member(test, "Location", windows.hardware.camera_locations.as_ref(), Subject::Cameras)
    }),
    ("ClusterResourceOwner", machine::cluster_resource_owner),
    ("ClusteredOS", machine::clustered),
    ("Direct3D", machine::direct3d),
    ("FileCreated", files::created),
    ("FileCreatedPrependRegSz", files::created),
    ("FileExists", files::exists),
    ("FileExistsPrependRegSz", files::exists),
    ("FileModified", files::modified),
    ("FileModifiedPrependRegSz", files::modified),
    ("FileSize", files::size),
    ("FileSizePrependRegSz", files::size),
    ("FileVersion", files::version),
    ("FileVersionPrependRegSz", files::version),
    ("GenericQuery", machine::generic_query),
    ("InstalledOnce", machine::installed_once),
    ("LicenseDword", machine::license_dword),
    ("LicenseValueExists", machine::license_exists),
    ("Memory", machine::memory),
    ("MuiInstalled", machine::mui_installed),
    ("MuiLanguageInstalled", machine::mui_language),
    ("NFC", |test, windows| {
        member(test, "Capability", windows.hardware.nfc_capabilities.as_ref(), Subject::Nfc)
    }),
    ("NumberOfProcessors", machine::number_of_processors),
    ("Platform", machine::platform),
    ("PlatformLanguage", machine::language),
    ("PlatformVersion", machine::version),
    ("ProductReleaseInstalled", machine::product_release),
    ("RegDword", registry::dword),
    ("RegExpandSz", registry::expandable),
    ("RegKeyExists", registry::key_exists),
    ("RegKeyLoop", registry::key_loop),
    ("RegSz", registry::text),
    ("RegSzToVersion", registry::text_as_version),
    ("RegValueExists", registry::value_exists),
    ("SensorById", |test, windows| {
        member(test, "Id", windows.hardware.sensors.as_ref(), Subject::Sensors)
    }),
    ("SystemMetric", machine::metric),
    ("VideoMemory", machine::video_memory),
    ("WUv4RegKeySubstring", registry::contains_text),
    ("WUv4RegKeyValue", registry::equals_text),
    ("WindowsLanguage", machine::language),
    ("WindowsVersion", machine::version),
    ("WmiQuery", wmi::query),
];

const MSI: Table = &[
    ("MsiApplicationInstallable", msi::application_installable),
    ("MsiApplicationInstalled", msi::application_installed),
    ("MsiApplicationSuperseded", msi::application_superseded),
    ("MsiComponentInstalledForProduct", msi::component_installed),
    ("MsiFeatureInstalledForProduct", msi::feature_installed),
    ("MsiPatchInstallable", patch::installable),
    ("MsiPatchInstalled", patch::installed),
    ("MsiPatchInstalledForProduct", msi::patch_installed_for_product),
    ("MsiPatchSuperseded", patch::superseded),
    ("MsiProductInstalled", msi::product_installed),
];

const CBS: Table = &[
    ("CbsPackageInstallable", cbs::installable),
    ("CbsPackageInstalled", cbs::installed),
    ("CbsPackageInstalledByIdentity", cbs::installed_by_identity),
];

const DRIVERS: Table = &[
    ("WindowsDriver", |_, _| Err("what it asks is not documented".into())),
    ("WindowsDriverInstallable", driver::installable),
    ("WindowsDriverInstalled", driver::installed),
    ("WindowsDriverSuperseded", driver::superseded),
];

pub(crate) fn evaluate(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let table = TABLES.iter().find(|(ns, _)| **ns == *test.element.tag.ns);
    let (_, table) = table.ok_or("this is not a rule")?;
    let evaluator = table.iter().find(|(name, _)| *name == test.name());
    evaluator.ok_or("there is no such test")?.1(test, windows)
}

/// Whether a list names what an attribute names.
fn member(test: &Test<'_>, attribute: &str, names: Option<&Names>, subject: Subject) -> Doubtful {
    let wanted = guid(test.text(attribute)?);
    Ok(known(names, subject, "")?.contains(&wanted))
}

/// A GUID, with or without braces; any other name remains what it is.
fn guid(text: impl Display) -> Name {
    Name::from(text.to_string().trim().trim_start_matches('{').trim_end_matches('}'))
}

/// Every test of the vocabulary, for tests.
#[cfg(test)]
pub(crate) fn every_test() -> impl Iterator<Item = (&'static str, &'static str)> {
    let names = |(ns, table): (&'static str, Table)| table.iter().map(move |(name, _)| (ns, *name));
    TABLES.into_iter().flat_map(names)
}

#[cfg(test)]
mod tests;
