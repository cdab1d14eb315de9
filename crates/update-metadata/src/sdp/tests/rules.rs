//! The rules of real publishers, judged over computers that exist only here.

use std::collections::BTreeMap;

use crate::{
    Applicability, Document, Facts, Name, Question, Subject, System, WindowsFacts, evaluate,
    questions,
};

use super::*;

/// An HP computer on which most of what rules ask for is missing.
const COMPUTER: &str = r#"
architecture = "amd64"
[files]
'C:\Windows\System32\drivers\iaStorA.sys' = { version = "15.9.0.1015" }
'C:\Windows\HP\HpUefiSupport.dll' = { version = "6.8.0.0" }
'C:\Program Files\HP\HP Collaboration Keyboard\HPCollaborationKeyboard.exe' = { version = "1.4.18.1" }
[system.windows]
major = 10
build = 16299
[system.windows.folders]
36 = 'C:\Windows'
37 = 'C:\Windows\System32'
38 = 'C:\Program Files'
41 = 'C:\Windows\SysWOW64'
42 = 'C:\Program Files (x86)'
[system.windows.msi_products]
[system.windows.registry.'Software\Microsoft\Windows NT\CurrentVersion']
ReleaseId = "1709"
[system.windows.wmi.'root\cimv2']
Win32_ComputerSystem = [{ Manufacturer = "HP", Model = "HP EliteDesk 800 G3" }]
Win32_BaseBoard = [{ Product = "829A" }]
Win32_BIOS = [{ ReleaseDate = "20180101000000.000000+000" }]
Win32_Product = []
Win32_PnpEntity = [
    { DeviceID = 'PCI\VEN_8086&DEV_A282&SUBSYS_8299103C&REV_00\3&11583659' },
    { DeviceID = 'HDAUDIO\FUNC_01&VEN_10EC&DEV_0221&SUBSYS_103C8299' },
    { DeviceID = 'PCI\VEN_8086&DEV_15B7' },
    { DeviceID = 'USB\VID_8087&PID_0A2B\5' },
    { DeviceID = 'PCI\VEN_8086&DEV_2822&CC_0104' },
]
"#;

fn computer() -> Facts {
    toml::from_str(COMPUTER).expect("is a facts file")
}

fn windows_of(facts: &mut Facts) -> &mut WindowsFacts {
    let System::Windows(windows) = &mut facts.system else { panic!("runs Windows") };
    windows
}

fn table(rows: &str) -> BTreeMap<Name, Vec<crate::Named<crate::WmiValue>>> {
    toml::from_str(rows).expect("is a table of classes")
}

fn of_maker(manufacturer: &str, model: &str) -> Facts {
    let mut facts = computer();
    let rows = format!(
        "Win32_ComputerSystem = [{{ Manufacturer = '{manufacturer}', Model = '{model}' }}]"
    );
    let classes = windows_of(&mut facts).wmi.get_mut(&"root\\cimv2".into()).expect("known");
    classes.extend(table(&rows));
    facts
}

/// Looks for what a document asks: files are not there, and classes have no rows.
fn judge(document: &Document, facts: &mut Facts) -> Applicability {
    loop {
        let asked = questions(document, facts);
        if asked.is_empty() {
            return evaluate(document, facts);
        }
        for Question { subject, name } in asked {
            match (subject, name.split_once(':')) {
                (Subject::File, _) => drop(facts.files.insert(name, None)),
                (Subject::WmiClass, Some((namespace, class))) => {
                    let classes = windows_of(facts).wmi.entry(namespace.into()).or_default();
                    classes.insert(class.into(), Vec::new());
                }
                _ => panic!("nobody asked for {subject:?} {name} before"),
            }
        }
    }
}

/// Counts what the packages of a catalog are to a computer.
fn judge_all(packages: &[Package], mut facts: Facts) -> String {
    let mut counts = BTreeMap::<String, u32>::new();
    for package in packages {
        let verdict = judge(&package.update, &mut facts);
        *counts.entry(format!("{verdict:?}")).or_default() += 1;
    }
    format!("{counts:?}")
}

#[test]
fn the_rules_of_a_vendor_catalog_are_judged() {
    let name = "the_rules_of_a_vendor_catalog_are_judged";
    let Some(xml) = vendor_catalog(name) else { return };
    let packages = packages(&xml);
    // An independent evaluator of the same rules counts the same.
    expect![[r#"{"Applicable": 26, "Installed": 2, "NotApplicable": 1801}"#]]
        .assert_eq(&judge_all(&packages, computer()));
    expect![[r#"{"Installed": 2, "NotApplicable": 1827}"#]]
        .assert_eq(&judge_all(&packages, of_maker("LENOVO", "HP EliteDesk 800 G3")));
    // What is not known never makes an update applicable, and a foreign maker is enough to know.
    let mut unseen: Facts = of_maker("Dell Inc.", "Latitude 5480");
    let windows = windows_of(&mut unseen);
    windows.folders.clear();
    windows
        .wmi
        .values_mut()
        .for_each(|classes| classes.retain(|class, _| class.as_str() == "win32_computersystem"));
    let verdicts = packages.iter().map(|package| evaluate(&package.update, &unseen));
    assert!(
        verdicts.into_iter().all(|verdict| !matches!(
            verdict,
            Applicability::Applicable | Applicability::Installed
        ))
    );
}

#[test]
fn the_rules_of_two_packages_for_one_maker_are_judged() {
    let name = "the_rules_of_two_packages_for_one_maker_are_judged";
    let read = |id: &str| reference::read(name, &format!("sdp-catalogs/{id}.sdp"));
    let (Some(audio), Some(agent)) = (
        read("0e6cf4ac-2853-48aa-825b-8fe28206575f"),
        read("dc718411-a5f1-4b15-966a-63a77cbb156e"),
    ) else {
        return;
    };
    let read = |xml: &[u8]| packages(std::str::from_utf8(xml).expect("is UTF-8")).remove(0).update;
    let (audio, agent) = (read(&audio), read(&agent));
    let latitude = || of_maker("Dell Inc.", "Latitude 5480");
    let with_audio = |version: &str| {
        let mut facts = latitude();
        let rows = format!(
            "Dell_OEMComputerSystem = [{{ SystemTypeID = '2098' }}]\n\
             [[Dell_SoftwareIdentity]]\nDescription = 'Dell:DRVR_100352__A02'\n\
             VersionString = '{version}'"
        );
        windows_of(&mut facts).wmi.insert("root\\dell\\sysinv".into(), table(&rows));
        facts
    };
    let mut with_agent = latitude();
    let product = "fb2b7cc0-8307-47e6-a065-11015cc96b99 = { version = '1.6.6.5' }";
    windows_of(&mut with_agent).msi_products = toml::from_str(product).ok();
    use Applicability::{Applicable, Installed, NotApplicable};
    for (document, mut facts, expected) in [
        (&audio, of_maker("LENOVO", "Latitude 5480"), NotApplicable),
        (&audio, latitude(), NotApplicable),
        (&audio, with_audio("0006.0000.0001.8000"), Applicable),
        (&audio, with_audio("0006.0000.0001.8454"), Installed),
        (&agent, of_maker("LENOVO", "Latitude 5480"), NotApplicable),
        (&agent, of_maker("Dell Inc.", "Inspiron 15"), NotApplicable),
        (&agent, latitude(), Applicable),
        (&agent, with_agent, Installed),
    ] {
        assert_eq!(judge(document, &mut facts), expected, "{:?}", document.texts[0].title);
    }
}
