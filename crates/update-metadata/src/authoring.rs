//! Parts of documents as somebody who publishes an update needs them: tests of Windows, and
//! installers that only Windows knows. [`crate::linux`] has the tests of Linux.
//!
//! Refuses to know what a publisher was asked. Whatever is made here is read again by the same
//! crate, and can be said in a publisher's package.

use std::collections::BTreeMap;

use xml_guard::Element;

use crate::namespaces::{BASE_RULES, MSI_RULES, UPDATE, WINDOWS_INSTALLER, element};
use crate::{CommandLine, Comparison, Installer, Outcome, Rule};

/// A processor as Windows numbers it: 0 for x86, 9 for x64.
#[must_use]
pub fn processor(architecture: u16) -> Rule {
    base("Processor", &[("Architecture", &architecture.to_string())])
}

/// The system is at least this version.
#[must_use]
pub fn windows_at_least((major, minor, build): (u32, u32, u32)) -> Rule {
    let (major, minor, build) = (major.to_string(), minor.to_string(), build.to_string());
    let numbers = [("MajorVersion", &*major), ("MinorVersion", &*minor), ("BuildNumber", &*build)];
    let mut attributes = vec![("Comparison", Comparison::GreaterThanOrEqualTo.as_str())];
    attributes.extend(numbers);
    base("WindowsVersion", &attributes)
}

/// A system for workstations, rather than for servers.
#[must_use]
pub fn windows_workstation() -> Rule {
    base("WindowsVersion", &[("ProductType", "1")])
}

/// A file, below a folder that Windows knows by number if one is given; in this version or a later
/// one, if a version is given.
#[must_use]
pub fn file(path: &str, folder: Option<i32>, version: Option<&str>) -> Rule {
    let folder = folder.map(|csidl| csidl.to_string());
    let mut attributes = vec![("Path", path)];
    attributes.extend(folder.as_deref().map(|folder| ("Csidl", folder)));
    let Some(version) = version else { return base("FileExists", &attributes) };
    let at_least = Comparison::GreaterThanOrEqualTo.as_str();
    attributes.extend([("Comparison", at_least), ("Version", version)]);
    base("FileVersion", &attributes)
}

/// A key below HKEY_LOCAL_MACHINE, or a value of it.
#[must_use]
pub fn registry(subkey: &str, value: Option<&str>) -> Rule {
    let mut attributes = vec![("Key", "HKEY_LOCAL_MACHINE"), ("Subkey", subkey)];
    let Some(value) = value else { return base("RegKeyExists", &attributes) };
    attributes.push(("Value", value));
    base("RegValueExists", &attributes)
}

/// The computer has installed this very update.
#[must_use]
pub fn installed_once() -> Rule {
    base("InstalledOnce", &[])
}

/// A product of Windows Installer, by its code in braces.
#[must_use]
pub fn product(code: &str) -> Rule {
    Rule::Test(element(MSI_RULES, "MsiProductInstalled", &[("ProductCode", code)]))
}

/// A patch of such a product.
#[must_use]
pub fn patch(code: &str, product: &str) -> Rule {
    let attributes = [("PatchCode", code), ("ProductCode", product)];
    Rule::Test(element(MSI_RULES, "MsiPatchInstalledForProduct", &attributes))
}

fn base(local: &str, attributes: &[(&str, &str)]) -> Rule {
    Rule::Test(element(BASE_RULES, local, attributes))
}

/// Windows Installer installs a product.
#[must_use]
pub fn install_product(file: &str, code: &str, command_line: &str) -> Installer {
    let mut attributes = vec![("MsiFile", file), ("ProductCode", code)];
    attributes.extend((!command_line.is_empty()).then_some(("CommandLine", command_line)));
    let data = element(WINDOWS_INSTALLER, "MsiData", &attributes);
    Installer::Windows { type_name: "WindowsInstallerApp".to_owned(), data }
}

/// Windows Installer applies a patch.
#[must_use]
pub fn install_patch(code: &str, command_line: &str) -> Installer {
    let mut attributes = vec![("PatchCode", code)];
    attributes.extend((!command_line.is_empty()).then_some(("CommandLine", command_line)));
    let data = element(WINDOWS_INSTALLER, "MspData", &attributes);
    Installer::Windows { type_name: "WindowsInstaller".to_owned(), data }
}

/// A program runs; exit codes that are not listed mean failure.
#[must_use]
pub fn run(program: &str, arguments: &str, return_codes: BTreeMap<i32, Outcome>) -> Installer {
    Installer::CommandLine(CommandLine {
        program: program.to_owned(),
        arguments: arguments.to_owned(),
        return_codes,
        default_outcome: Outcome::FAILED,
    })
}

/// What installing does to a computer: it asks for nothing, and may want a restart or never does.
#[must_use]
pub fn installation(restart: &str) -> Element {
    element(UPDATE, "InstallationBehavior", &[("RebootBehavior", restart)])
}
