use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

/// Where `cargo xtask test` keeps what tests need of Python.
const PYTHON: &str = "../../target/python/bin/python";

fn again(package: &Package) -> (String, Package) {
    let written = package.to_sdp().expect("has a form");
    let read = packages(&written).remove(0);
    (written, read)
}

/// A new folder below target, which the next run replaces.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tmp").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("target is writable");
    }
    std::fs::create_dir_all(&folder).expect("target is writable");
    folder
}

#[test]
fn every_vendor_package_survives_and_validates() {
    let name = "every_vendor_package_survives_and_validates";
    let Some(catalog) = vendor_catalog(name) else { return };
    let mut packages = packages(&catalog);
    for id in ["0e6cf4ac-2853-48aa-825b-8fe28206575f", "dc718411-a5f1-4b15-966a-63a77cbb156e"] {
        let Some(xml) = reference::read(name, &format!("sdp-catalogs/{id}.sdp")) else { return };
        packages.extend(super::packages(std::str::from_utf8(&xml).expect("is UTF-8")));
    }
    let folder = folder(name);
    for package in &packages {
        let (written, read) = again(package);
        assert_eq!(&read, package);
        let file = folder.join(format!("{}.sdp", package.update.update.id));
        std::fs::write(file, written).expect("target is writable");
    }
    // One that must not pass, so that the others do not pass for nothing.
    let broken = packages[0].to_sdp().expect("has a form").replace(" CreationDate=", " Date=");
    std::fs::write(folder.join("broken.sdp"), broken).expect("target is writable");
    let Some(schemas) = reference::folder(name, "schemas") else { return };
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(PYTHON);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sdp/tests/validate.py");
    let lxml = Command::new(&python).args(["-c", "import lxml"]).status();
    if !lxml.is_ok_and(|status| status.success()) {
        return reference::skip(name, &format!("no lxml at {}", python.display()));
    }
    let output = Command::new(&python).args([&script, &schemas, &folder]).output();
    let output = output.expect("Python starts");
    let faults = String::from_utf8_lossy(&output.stderr).into_owned();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    expect![[r#"
        broken.sdp: line 1: Element '{http://schemas.microsoft.com/wsus/2005/04/CorporatePublishing/SoftwareDistributionPackage.xsd}Properties', attribute 'Date': The attribute 'Date' is not allowed.
        broken.sdp: line 1: Element '{http://schemas.microsoft.com/wsus/2005/04/CorporatePublishing/SoftwareDistributionPackage.xsd}Properties': The attribute 'CreationDate' is required but missing.
        1832 packages
    "#]].assert_eq(&(said + &faults));
}

#[test]
fn all_that_documents_keep_of_a_package_survives() {
    let file = "<p:OriginFile Digest='AQEBAQEBAQEBAQEBAQEBAQEBAQE=' FileName='a' Size='1' \
                OriginUri='http://a/a'><p:AdditionalDigest Algorithm='SHA256'>\
                AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=</p:AdditionalDigest></p:OriginFile>";
    let rules = "<p:ApplicabilityRules><p:IsInstalled><l:Not xmlns:l='http://schemas.microsoft.com/\
                 wsus/2005/04/CorporatePublishing/LogicalApplicabilityRules.xsd'><l:True/></l:Not>\
                 </p:IsInstalled><p:IsSuperseded><x xmlns='urn:tierline:applicability:linux:1'/>\
                 </p:IsSuperseded></p:ApplicabilityRules>";
    let items = format!(
        "<p:UpdateSpecificData UpdateClassification='Security Updates' MsrcSeverity='Low'>\
         <p:SecurityBulletinID>S1</p:SecurityBulletinID><p:CveID>CVE-1</p:CveID>\
         <p:KBArticleID>1</p:KBArticleID></p:UpdateSpecificData>\
         <p:SupersededPackages><p:PackageID>{one}</p:PackageID></p:SupersededPackages>\
         <p:Prerequisites><p:AtLeastOne><p:PackageID>{one}</p:PackageID><p:PackageID>{two}\
         </p:PackageID></p:AtLeastOne></p:Prerequisites>\
         <p:BundledPackages><p:PackageID>{two}</p:PackageID></p:BundledPackages>\
         <p:InstallableItem>{rules}<p:InstallProperties Impact='Minor'/>\
         <p:CommandLineInstallerData Program='a' Arguments='/q'><p:ReturnCode Code='-1' \
         Result='Succeeded' Reboot='true'/></p:CommandLineInstallerData>{file}</p:InstallableItem>\
         <p:InstallableItem><p:MspInstallerData PatchCode='{{1}}'/></p:InstallableItem>",
        one = guid(1),
        two = guid(2)
    );
    let all = packages(&sdp(&guid(9), "a", &items)).remove(0);
    let mut described = all.clone();
    // What has no description is described by its title.
    for document in described.members.iter_mut().chain([&mut described.update]) {
        document.texts[0].description = "a".to_owned();
    }
    assert_eq!(again(&all).1, described);
    let mut application =
        packages(&sdp(&guid(9), "a", "<p:ApplicationSpecificData/><InstallableItem/>"));
    let mut application = application.remove(0);
    application.update.texts[0].description = "b".to_owned();
    application.update.properties.is_expired = true;
    application.update.properties.kind = crate::UpdateKind::Driver;
    assert_eq!(again(&application).1, application);
}

#[test]
fn what_no_package_can_say_is_refused() {
    let mut package = packages(&one(1, "a")).remove(0);
    let data = xml_guard::Element::parse("<a/>".as_bytes(), Limits::default()).expect("is XML");
    package.update.installer = Some(Installer::Windows { type_name: "Cbs".to_owned(), data });
    let rejected = package.to_sdp().expect_err("is refused");
    expect![[
        r#"update 00000000-0000-0000-0000-000000000001: a package has no installer of type "Cbs""#
    ]]
    .assert_eq(&format!("{}: {}", rejected.place, rejected.reason));
}
