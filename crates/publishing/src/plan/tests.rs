use std::fs;
use std::path::Path;
use std::process::Command;

use expect_test::expect;
use model::{Sha1, Sha256};
use testkit::reference::{reference, skip};
use update_metadata::sdp::{Entry, PackageReader};
use uuid::Uuid;

use super::*;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn answers() -> Answers {
    Answers {
        update: UpdateId(Uuid::from_u128(7)),
        created_at: Timestamp(1_768_327_200_000),
        title: String::new(),
        description: String::new(),
        vendor: String::new(),
        product: String::new(),
        classification: "security updates".to_owned(),
        severity: Some(MsrcSeverity::Important),
        architecture: None,
        systems: Vec::new(),
        arguments: None,
        detect: Vec::new(),
        prerequisites: Vec::new(),
        return_codes: BTreeMap::new(),
    }
}

fn detect(texts: &[&str]) -> Vec<Condition> {
    texts.iter().map(|text| Condition::written("--detect", text)).collect()
}

fn product() -> Installer {
    let code = "{01234567-89AB-CDEF-0123-456789ABCDEF}".to_owned();
    Installer {
        title: "Editor 2.1".to_owned(),
        vendor: "Acme & Sons".to_owned(),
        product: "Editor".to_owned(),
        architecture: Some(Architecture::X64),
        identity: Identity::Product { code },
        ..Installer::default()
    }
}

fn files() -> Vec<ItemFile> {
    let (sha1, sha256) = (Sha1([1; 20]), Some(Sha256([2; 32])));
    vec![ItemFile { name: "update.cab".to_owned(), size: 9, sha1, sha256 }]
}

fn every_windows_draft() -> Vec<Draft> {
    let setup = Answers {
        title: "Setup".to_owned(),
        arguments: Some("/q".to_owned()),
        architecture: Some(Architecture::X86),
        systems: ["windows-10", "windows-server-2019", "windows-22000"]
            .map(OperatingSystem::named)
            .into(),
        detect: detect(&[
            "file=%ProgramFiles(x86)%\\Editor\\editor.exe@2.1.0.0",
            "file=C:\\a.dll",
            "msi={01234567-89ab-cdef-0123-456789abcdef}",
            "registry=HKLM\\SOFTWARE\\Acme\\Editor",
            "registry=HKLM\\SOFTWARE\\Acme@Version",
        ]),
        prerequisites: vec![
            Prerequisite::Update(UpdateId(Uuid::from_u128(8))),
            Prerequisite::Found(Condition::written("--prerequisite", "file=C:\\b.dll")),
        ],
        return_codes: [return_code("1641=restart").expect("is one")].into(),
        ..answers()
    };
    let once = Answers { detect: Vec::new(), ..setup.clone() };
    let patch = Installer {
        identity: Identity::Patch {
            code: "{11111111-2222-3333-4444-555555555555}".to_owned(),
            products: vec!["{01234567-89AB-CDEF-0123-456789ABCDEF}".to_owned()],
        },
        ..product()
    };
    let nothing = Installer::default();
    let drafts = [
        plan(answers(), Kind::Msi, "editor.msi", &product()),
        plan(answers(), Kind::Msp, "fix.msp", &patch),
        plan(setup, Kind::Exe, "setup.exe", &nothing),
        plan(once, Kind::Exe, "setup.exe", &nothing),
    ];
    drafts.into_iter().map(|draft| draft.expect("can be published")).collect()
}

fn read_back(sdp: &str) -> Package {
    let mut reader = PackageReader::new(sdp.as_bytes());
    match reader.next_entry().expect("is well-formed") {
        Some(Entry::Package(package)) => *package,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_package_says_what_was_planned() {
    for draft in every_windows_draft() {
        let package = read_back(&draft.to_sdp(files()).expect("has a form"));
        let Document { files, rules, installer, relations, properties, .. } = &package.update;
        assert_eq!((files, rules), (&super::tests::files(), &draft.document.rules));
        assert_eq!(installer, &draft.document.installer);
        assert_eq!(relations, &draft.document.relations);
        assert_eq!(properties.severity, Some(MsrcSeverity::Important));
        assert!(properties.is_explicitly_deployable);
        assert_eq!(package.categories, draft.categories);
    }
}

#[test]
fn packages_validate_against_the_schemas() {
    let name = "packages_validate_against_the_schemas";
    let Some(schemas) = reference(name, "schemas") else { return };
    let python = Path::new(ROOT).join("target/python/bin/python");
    let lxml = Command::new(&python).args(["-c", "import lxml"]).status();
    if !lxml.is_ok_and(|status| status.success()) {
        return skip(name, "lxml is not installed");
    }
    let folder = tempfile::tempdir().expect("is made");
    for (number, draft) in every_windows_draft().iter().enumerate() {
        let sdp = draft.to_sdp(files()).expect("has a form");
        fs::write(folder.path().join(format!("{number}.sdp")), sdp).expect("is writable");
    }
    let script = Path::new(ROOT).join("crates/update-metadata/src/sdp/tests/validate.py");
    let output = Command::new(&python).arg(script).arg(schemas).arg(folder.path()).output();
    let output = output.expect("Python starts");
    let said = [output.stdout, output.stderr].concat();
    expect![[r#"
        4 packages
    "#]]
    .assert_eq(&String::from_utf8_lossy(&said));
}

#[test]
fn what_an_update_runs_and_how_it_is_found() {
    let shown = |kind, file: &str, answers, found: &Installer| {
        let draft = plan(answers, kind, file, found).expect("can be published");
        let Some(Handler::CommandLine(command)) = draft.document.installer else {
            panic!("no command line")
        };
        let Some(Rule::Test(installed)) = draft.document.rules.is_installed else {
            panic!("no single test")
        };
        let attributes = installed.tag.attributes.iter().map(|a| a.value.clone());
        let attributes: Vec<_> = attributes.collect();
        let codes: Vec<i32> = command.return_codes.keys().copied().collect();
        let local = installed.tag.local;
        format!("{} {} {codes:?}\n  {local} {attributes:?}\n", command.program, command.arguments)
    };
    let titled = || Answers { title: "A".to_owned(), ..answers() };
    let with = |arguments: &str| Answers { arguments: Some(arguments.to_owned()), ..titled() };
    let (name, version) = ("editor".to_owned(), "2.1-3".to_owned());
    let package =
        Installer { identity: Identity::Package { name, version }, ..Installer::default() };
    let found = Answers { detect: detect(&["file=/etc/editor"]), ..with("--now 'a b'") };
    let nothing = Installer::default();
    let all = [
        shown(Kind::Exe, "setup.exe", with("/q"), &nothing),
        shown(Kind::Deb, "editor_2.1-3_amd64.deb", titled(), &package),
        shown(Kind::Rpm, "editor.rpm", with("--nodeps"), &package),
        shown(Kind::Script, "install.sh", with("--now"), &nothing),
        shown(Kind::Script, "install.sh", found, &nothing),
    ];
    expect![[r#"
        setup.exe /q [0, 3010]
          InstalledOnce []
        editor_2.1-3_amd64.deb  [0, 3010]
          PackageInstalled ["editor", "2.1-3", "GreaterThanOrEqualTo"]
        editor.rpm --nodeps [0, 3010]
          PackageInstalled ["editor", "2.1-3", "GreaterThanOrEqualTo"]
        /bin/sh -c './install.sh --now; code=$?; case $code in 0|194) mkdir -p /var/lib/tierline/installed && : > /var/lib/tierline/installed/00000000-0000-0000-0000-000000000007;; esac; exit $code' [0, 3010]
          FileExists ["/var/lib/tierline/installed/00000000-0000-0000-0000-000000000007"]
        install.sh --now 'a b' [0, 3010]
          FileExists ["/etc/editor"]
    "#]]
    .assert_eq(&all.concat());
}

#[test]
fn what_cannot_be_published_says_how_it_could() {
    let titled = || Answers { title: "A".to_owned(), ..answers() };
    let refused = |kind, file: &str, answers: Answers| {
        let error = plan(answers, kind, file, &Installer::default()).expect_err("is refused");
        format!("{error}\n")
    };
    let detected = |text: &str| Answers { detect: detect(&[text]), ..titled() };
    let quoted = Answers { arguments: Some("'a b'".to_owned()), ..titled() };
    let system = |name: &str| Answers { systems: vec![OperatingSystem::named(name)], ..titled() };
    let tool = Answers { classification: "Tools".to_owned(), ..titled() };
    let all = [
        refused(Kind::Exe, "setup.exe", titled()),
        refused(Kind::Exe, "setup.exe", answers()),
        refused(Kind::Script, "a.sh", quoted),
        refused(Kind::Script, "a b.sh", titled()),
        refused(Kind::Script, "a.sh", tool),
        refused(Kind::Script, "a.sh", detected("msi={1}")),
        refused(Kind::Script, "a.sh", detected("file=relative")),
        refused(Kind::Exe, "a.exe", detected("msi={1}")),
        refused(Kind::Exe, "a.exe", detected("registry=HKCU\\A")),
        refused(Kind::Exe, "a.exe", detected("file=C:\\a@new")),
        refused(Kind::Exe, "a.exe", detected("anything")),
        refused(Kind::Exe, "a.exe", system("debian-12")),
        refused(Kind::Script, "a.sh", system("windows-11")),
        format!("{}\n", return_code("3010").expect_err("is refused")),
        format!("{}\n", Kind::of("a.exe", b"PK").expect_err("is refused")),
        format!("{}\n", Kind::of("a.zip", b"PK").expect_err("is refused")),
    ];
    expect![[r#"
        setup.exe may ask questions, and an update that does cannot be used; name what makes it silent, as in --arguments "/q", or --arguments "" if it never asks
        setup.exe does not say what it is; name it with --title
        ./a.sh 'a b': it cannot be seen whether it is installed, because its arguments hold a single quote; name a rule with --detect, or write the arguments with double quotes
        FILE "a b.sh": rename the file: letters, digits and ._+-~ may stand in its name
        --classification "Tools": choose Updates, Critical Updates, Security Updates, Update Rollups or Service Packs
        --detect "msi={1}": is for Windows; on Linux look for file=… or package=…
        --detect "file=relative": names no absolute path
        --detect "msi={1}": is no product code, such as {01234567-…}
        --detect "registry=HKCU\A": names no key below HKLM, as in registry=HKLM\SOFTWARE\Name
        --detect "file=C:\a@new": has no version such as 1.2.3.4 after @
        --detect "anything": is not of the form file=…, msi=…, registry=… or package=…
        --os "debian-12": choose windows-10, windows-11, windows-server-2016, -2019, -2022 or -2025, or a first build, as in windows-19045
        --os "windows-11": write what /etc/os-release says, as in debian or debian-12
        --return-code "3010": write CODE=success, CODE=restart or CODE=failure
        a.exe is damaged: it does not begin as an .exe file does
        a.zip is no installer that can be published; publish .msi, .msp or .exe for Windows, .deb, .rpm or a script for Linux
    "#]].assert_eq(&all.concat());
}
