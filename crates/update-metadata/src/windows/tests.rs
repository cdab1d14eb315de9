use std::collections::BTreeSet;
use std::fmt::Write as _;

use xml_guard::{Element, Limits};

use super::every_test;
use crate::asked::Context;
use crate::namespaces::{BASE_RULES, PREFIXES};
use crate::{Document, Facts, Rule, System, Truth, WindowsFacts, questions};

mod table;

use table::{FACTS, OTHER, TABLE};

const CODE: &str = "{FB2B7CC0-8307-47E6-A065-11015CC96B99}";

fn facts() -> Facts {
    toml::from_str(FACTS).expect("is a facts file")
}

fn windows_of(facts: &mut Facts) -> &mut WindowsFacts {
    let System::Windows(windows) = &mut facts.system else { panic!("runs Windows") };
    windows
}

/// Nobody looked for anything that need not be known.
fn blank() -> Facts {
    let system = System::Windows(Box::default());
    Facts { architecture: None, files: [].into(), system }
}

fn declarations() -> String {
    let more = [
        ("cbsar", super::CBS_RULES),
        ("drv", super::DRIVER_RULES),
        ("mspblob", "http://www.microsoft.com/msi/patch_applicability.xsd"),
    ];
    PREFIXES.iter().chain(&more).fold(String::new(), |mut declared, (prefix, uri)| {
        write!(declared, " xmlns:{prefix}='{uri}'").expect("writes to a string");
        declared
    })
}

/// A line with its words filled in.
fn filled(line: &str) -> String {
    line.replace("HKLM", "Key='HKEY_LOCAL_MACHINE' Subkey='SOFTWARE\\Acme'")
        .replace("PARTS", "Key='HKEY_LOCAL_MACHINE' Subkey='SOFTWARE\\Acme\\Parts'")
        .replace("MSI ", &format!("ProductCode='{CODE}' "))
        .replace("MSI/", &format!("ProductCode='{CODE}'/"))
        .replace("CODE", CODE)
        .replace("DRV", "<drv:WindowsDriverMetaData")
}

fn patch(arguments: &str, sequence: &str) -> String {
    let [number, validation, version] = arguments.split(", ").collect::<Vec<_>>()[..] else {
        panic!("{arguments}")
    };
    format!(
        "<mar:MsiPatchMetadata><mspblob:MsiPatch PatchGUID='{{aaaaaaaa-0000-0000-0000-00000000000{number}}}'>\
         <mspblob:TargetProduct><mspblob:TargetProductCode Validate='true'>{CODE}</mspblob:TargetProductCode>\
         <mspblob:TargetVersion {validation}>{version}</mspblob:TargetVersion>\
         <mspblob:TargetLanguage Validate='true'>1033</mspblob:TargetLanguage>\
         <mspblob:UpgradeCode Validate='true'>{{33333333-3333-3333-3333-333333333333}}</mspblob:UpgradeCode>\
         </mspblob:TargetProduct><mspblob:TargetProductCode>{CODE}</mspblob:TargetProductCode>{sequence}\
         </mspblob:MsiPatch></mar:MsiPatchMetadata>"
    )
}

fn package(arguments: &str) -> String {
    let (name, language) = arguments.split_once(", ").expect("has two arguments");
    format!(
        "<cbsar:CbsPackageApplicabilityMetadata><assembly xmlns='urn:schemas-microsoft-com:asm.v3'>\
         <assemblyIdentity name='Package_{name}' version='10.0.1.1' language='{language}' \
         processorArchitecture='amd64' publicKeyToken='31bf'/><package><parent><assemblyIdentity \
         name='Other'/></parent></package></assembly></cbsar:CbsPackageApplicabilityMetadata>"
    )
}

/// A document that brings the metadata of a `given` line.
fn document(given: &str) -> Document {
    let call = |name| given.strip_prefix(name)?.split_once(')');
    let metadata = match (call("PATCH("), call("PACKAGE(")) {
        (Some((arguments, sequence)), _) => patch(arguments, sequence),
        (_, Some((arguments, _))) => package(arguments),
        _ => filled(given),
    };
    let xml = format!(
        "<upd:Update{}><upd:UpdateIdentity UpdateID='00000000-0000-0000-0000-000000000001' \
         RevisionNumber='1'/><upd:Properties UpdateType='Software'/><upd:ApplicabilityRules>\
         <upd:Metadata>{metadata}</upd:Metadata></upd:ApplicabilityRules></upd:Update>",
        declarations()
    );
    Document::parse(xml.as_bytes()).expect("is a document")
}

fn rule(xml: &str) -> Rule {
    let xml = format!("<all{}>{}</all>", declarations(), filled(xml));
    let mut all = Element::parse(xml.as_bytes(), Limits::default()).expect("is XML");
    Rule::decode(all.children.remove(0))
}

fn judge(rule: &Rule, document: &Document, facts: &Facts) -> Truth {
    Context { document, facts, loop_target: None }.judge(rule).into()
}

/// Calls `check` with the document, the rule and the answer of each line.
fn each_line(table: &str, mut check: impl FnMut(Document, Rule, Truth)) {
    let mut given = "";
    for line in table.lines().filter(|line| !line.is_empty()) {
        if let Some(metadata) = line.strip_prefix("given ") {
            given = metadata;
            continue;
        }
        let (answer, xml) = line.split_once(" | ").expect("has an answer");
        let answer = match answer {
            "true" => Truth::True,
            "false" => Truth::False,
            reason => Truth::Unknown(reason.to_owned()),
        };
        let rule = rule(xml);
        let mut document = document(given);
        document.rules.is_installed = Some(rule.clone());
        check(document, rule, answer);
    }
}

fn other() -> Facts {
    let mut facts = facts();
    let windows = windows_of(&mut facts);
    windows.languages.as_mut().expect("known").mui = Some(["de-DE".into(), "fr".into()].into());
    windows.cluster = Some(crate::Cluster::default());
    windows.installed_once = Some([].into());
    facts
}

#[test]
fn every_test_is_judged_by_what_is_known() {
    let mut wrong = Vec::new();
    for (table, facts) in [(TABLE, facts()), (OTHER, other())] {
        each_line(table, |document, rule, expected| {
            let answer = judge(&rule, &document, &facts);
            if answer != expected {
                wrong.push((rule, expected, answer));
            }
        });
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_table_has_each_test_true_and_false() {
    let mut seen = BTreeSet::new();
    for table in [TABLE, OTHER] {
        each_line(table, |_, rule, answer| {
            if let Rule::Test(test) = rule {
                seen.insert((test.tag.ns.to_string(), test.tag.local, answer == Truth::True));
            }
        });
    }
    let undocumented = |(_, name): &(&str, &str)| *name == "WindowsDriver";
    let all = every_test().filter(|test| !undocumented(test)).chain([(BASE_RULES, "Processor")]);
    for (ns, name) in all {
        for answer in [true, false] {
            let key = (ns.to_owned(), name.to_owned(), answer);
            assert!(seen.contains(&key), "{name} is never {answer}");
        }
    }
}

#[test]
fn what_nobody_looked_for_is_unknown_and_asked_for() {
    let always_known = ["Platform", "WindowsVersion", "PlatformVersion"];
    let blank = blank();
    each_line(&format!("{TABLE}{OTHER}"), |document, rule, answer| {
        let Rule::Test(test) = &rule else { panic!("is a test") };
        if matches!(answer, Truth::Unknown(_)) || always_known.contains(&&*test.tag.local) {
            return;
        }
        assert!(matches!(judge(&rule, &document, &blank), Truth::Unknown(_)), "{rule:?}");
        assert!(!questions(&document, &blank).is_empty(), "{rule:?}");
    });
}

#[test]
fn the_metadata_of_servicing_is_kept_as_its_identity() {
    let document = document("PACKAGE(A, neutral)");
    let [metadata] = &*document.rules.metadata else { panic!("has metadata") };
    let names: Vec<_> = metadata.children.iter().map(|child| &*child.tag.local).collect();
    assert_eq!(names, [super::CBS_IDENTITY]);
    assert_eq!(Document::parse(document.to_xml().as_bytes()).expect("parses"), document);
}
