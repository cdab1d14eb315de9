//! Tests of packages of servicing.
//!
//! What such a package needs to be installable only servicing itself can tell, so facts say it.

use crate::asked::{Doubt, Doubtful, Test, all, any, known};
use crate::facts::{CbsPackage, CbsState, Name, Named, WindowsFacts};
use crate::question::Subject;

/// What a document brings of a package, and in it what names the package.
pub(crate) const METADATA: &str = "CbsPackageApplicabilityMetadata";
pub(crate) const IDENTITY: &str = "assemblyIdentity";

pub(super) fn installed_by_identity(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let identity = Name::from(test.text("PackageIdentity")?);
    Ok(is_installed(packages(windows)?.get(&identity)))
}

/// Several packages are one update: all of them are installed, or the update is not.
pub(super) fn installed(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let packages = packages(windows)?;
    all(identities(test)?.iter().map(|identity| Ok(is_installed(packages.get(identity)))))
}

pub(super) fn installable(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let packages = packages(windows)?;
    any(identities(test)?.iter().map(|identity| {
        let package = packages.get(identity);
        if is_installed(package) {
            return Ok(false);
        }
        let answer = package.and_then(|package| package.is_applicable);
        known(answer, Subject::CbsApplicability, identity.as_str())
    }))
}

fn is_installed(package: Option<&CbsPackage>) -> bool {
    let state = package.map(|package| package.state);
    matches!(state, Some(CbsState::Installed | CbsState::Superseded))
}

fn packages(windows: &WindowsFacts) -> Result<&Named<CbsPackage>, Doubt> {
    known(windows.cbs_packages.as_ref(), Subject::CbsPackages, "")
}

fn identities(test: &Test<'_>) -> Result<Vec<Name>, Doubt> {
    let metadata = test.metadata(METADATA)?;
    let found = metadata.into_iter().flat_map(|element| element.children_named(IDENTITY));
    let identities: Vec<Name> = found
        .map(|identity| {
            let part = |name| match identity.tag.attribute(name).unwrap_or_default() {
                "neutral" if name == "language" => "",
                part => part,
            };
            let parts = ["name", "publicKeyToken", "processorArchitecture", "language", "version"];
            Name::from(parts.map(part).join("~"))
        })
        .collect();
    if identities.is_empty() {
        return Err("the document names no package".into());
    }
    Ok(identities)
}
