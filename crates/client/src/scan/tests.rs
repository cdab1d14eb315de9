use std::fmt::Write as _;

use expect_test::expect;
use model::CategoryKind;
use update_metadata::{Comparison, LinuxFacts, Prerequisite, Rule, System, UpdateKind, linux};

use super::*;
use crate::testing::{software, update_id};

/// Verdicts on a Debian 12 that has package `old` in version 1.
fn check(documents: &[Document]) -> String {
    let packages = [("old".to_owned(), "1".to_owned())].into();
    let id = "debian".to_owned();
    let (version_id, packages) = (Some("12".to_owned()), Some(packages));
    let linux = LinuxFacts { id, version_id, packages, ..LinuxFacts::default() };
    let (files, system) = (BTreeMap::new(), System::Linux(linux));
    let facts = Facts { architecture: None, files, system };
    let mut scanning = Scanning::default();
    documents.iter().for_each(|d| scanning.add(d, Sha256([0; 32]), &facts));
    let short = |id: &UpdateId| id.0.as_u128();
    let mut said = String::new();
    for judged in scanning.finish().updates.values() {
        let members: Vec<u128> = judged.members.iter().map(short).collect();
        let hidden = if judged.is_visible { "" } else { " hidden" };
        let _ =
            writeln!(said, "{}{hidden} {:?} {members:?}", short(&judged.update.id), judged.verdict);
    }
    said.replace("00000000-0000-0000-0000-00000000000", "#")
}

fn package(number: u128, name: &str, version: &str) -> Document {
    let mut document = software(number);
    let newer = Comparison::GreaterThanOrEqualTo;
    document.rules.is_installed = Some(linux::package_installed(name, Some((newer, version))));
    document
}

fn needs(mut document: Document, any_of: &[u128]) -> Document {
    let any_of = any_of.iter().map(|id| update_id(*id)).collect();
    document.relations.prerequisites.push(Prerequisite { any_of, is_category: false });
    document
}

fn bundle(number: u128, groups: &[&[u128]]) -> Document {
    let mut document = software(number);
    document.rules.is_installable = None;
    let member = |id: &u128| UpdateRef { id: update_id(*id), revision: 1 };
    let group = |group: &&[u128]| group.iter().map(member).collect();
    document.relations.bundled = groups.iter().map(group).collect();
    document
}

#[test]
fn rules_and_prerequisites_decide_together() {
    let mut product = Document::new(
        UpdateRef { id: update_id(1), revision: 1 },
        UpdateKind::Category,
        "a product",
    );
    product.category = Some(CategoryKind::Product);
    product.rules.is_installed = Some(Rule::True);
    let mut expired = package(7, "old", "2");
    expired.properties.is_expired = true;
    let mut strange = software(8);
    strange.rules.is_installed = Some(linux::file_exists("/nobody/looked", None));
    let documents = [
        product,
        needs(package(2, "old", "1"), &[1]),
        needs(package(3, "old", "2"), &[1]),
        needs(package(4, "old", "2"), &[3]),
        needs(package(5, "old", "2"), &[3, 2]),
        needs(package(6, "old", "2"), &[99]),
        expired,
        strange,
        needs(needs(software(9), &[9]), &[1]),
    ];
    expect![[r##"
        2 Installed []
        3 Applicable []
        4 NotApplicable []
        5 Applicable []
        6 Unknown("00000000-0000-0000-0000-000000000063 is not in the catalog") []
        7 NotApplicable []
        8 Unknown("FileExists: nobody looked for /nobody/looked") []
        9 Unknown("#9 depends on itself") []
    "##]]
    .assert_eq(&check(&documents));
}

#[test]
fn a_bundle_is_what_its_members_are() {
    let hide = |mut document: Document| {
        document.properties.is_explicitly_deployable = false;
        document
    };
    let mut elsewhere = hide(software(3));
    elsewhere.rules.is_installable = Some(linux::os_release("fedora", None));
    let documents = [
        hide(package(1, "old", "1")),
        hide(package(2, "old", "2")),
        elsewhere,
        bundle(4, &[&[1]]),
        bundle(5, &[&[1], &[3, 2], &[3]]),
        bundle(6, &[&[3]]),
        bundle(7, &[&[1], &[99]]),
        bundle(8, &[&[2], &[1, 2]]),
    ];
    expect![[r#"
        1 hidden Installed []
        2 hidden Applicable []
        3 hidden NotApplicable []
        4 Installed []
        5 Applicable [2]
        6 NotApplicable []
        7 Unknown("00000000-0000-0000-0000-000000000063 is not in the catalog") []
        8 Applicable [2]
    "#]]
    .assert_eq(&check(&documents));
}

#[test]
fn endless_nesting_is_unknown_and_harmless() {
    let chain: Vec<Document> = (1..2000).map(|n| needs(package(n, "old", "1"), &[n + 1])).collect();
    let said = check(&chain);
    assert!(said.lines().all(|line| line.contains("Unknown")), "{said}");
}
