//! The tests of Linux updates, namespace `urn:tierline:applicability:linux:1`.
//!
//! | test | attributes |
//! | --- | --- |
//! | `OsRelease` | `Id`, `VersionId`? with `Comparison`? |
//! | `FileExists` | `Path`, `Sha256`? |
//! | `PackageInstalled` | `Name`, `Version`? with `Comparison`? |
//!
//! A missing `Comparison` means `EqualTo`. Versions of packages are ordered as the computer's own
//! package manager orders them, those of systems as Debian orders versions.

use model::Sha256;
use xml_guard::Element;

use crate::asked::{Doubtful, Test, known};
use crate::namespaces::{LINUX_RULES, element};
use crate::question::Subject;
use crate::version::compare_debian;
use crate::{Comparison, LinuxFacts, Rule, System};

#[must_use]
pub fn os_release(id: &str, version_id: Option<(Comparison, &str)>) -> Rule {
    versioned("OsRelease", ("Id", id), "VersionId", version_id)
}

#[must_use]
pub fn package_installed(name: &str, version: Option<(Comparison, &str)>) -> Rule {
    versioned("PackageInstalled", ("Name", name), "Version", version)
}

#[must_use]
pub fn file_exists(path: &str, sha256: Option<Sha256>) -> Rule {
    let sha256 = sha256.map(|digest| digest.to_string());
    let mut attributes = vec![("Path", path)];
    attributes.extend(sha256.as_deref().map(|digest| ("Sha256", digest)));
    Rule::Test(element(LINUX_RULES, "FileExists", &attributes))
}

fn versioned(
    local: &str,
    name: (&str, &str),
    attribute: &str,
    version: Option<(Comparison, &str)>,
) -> Rule {
    let mut attributes = vec![name];
    if let Some((comparison, version)) = version {
        attributes.extend([(attribute, version), ("Comparison", comparison.as_str())]);
    }
    Rule::Test(element(LINUX_RULES, local, &attributes))
}

pub(crate) fn is_linux(test: &Element) -> bool {
    *test.tag.ns == *LINUX_RULES
}

pub(crate) fn evaluate(test: &Test<'_>) -> Doubtful {
    let System::Linux(linux) = &test.context.facts.system else { return Ok(false) };
    match test.name() {
        "OsRelease" => os_release_holds(test, linux),
        "FileExists" => file_exists_holds(test),
        "PackageInstalled" => package_holds(test, linux),
        _ => Err("there is no such test".into()),
    }
}

fn os_release_holds(test: &Test<'_>, linux: &LinuxFacts) -> Doubtful {
    if test.text("Id")? != linux.id {
        return Ok(false);
    }
    match (test.optional("VersionId"), &linux.version_id) {
        (None, _) => Ok(true),
        (Some(_), None) => Err("the system names no version".into()),
        (Some(wanted), Some(found)) => Ok(test.comparison()?.holds(compare_debian(found, wanted))),
    }
}

fn file_exists_holds(test: &Test<'_>) -> Doubtful {
    let path = test.text("Path")?;
    let wanted = test.parsed::<Sha256>("Sha256")?;
    let Some(file) = test.file(path)? else { return Ok(false) };
    match wanted {
        None => Ok(true),
        Some(wanted) => Ok(wanted == known(file.sha256, Subject::FileDigest, path)?),
    }
}

fn package_holds(test: &Test<'_>, linux: &LinuxFacts) -> Doubtful {
    let name = test.text("Name")?;
    let packages = known(linux.packages.as_ref(), Subject::Packages, "")?;
    match (packages.get(name), test.optional("Version")) {
        (None, _) => Ok(false),
        (Some(_), None) => Ok(true),
        (Some(found), Some(wanted)) => {
            Ok(test.comparison()?.holds(linux.order.compare(found, wanted)))
        }
    }
}
