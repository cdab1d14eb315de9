use model::{Sha256, UpdateRef};
use uuid::Uuid;

use super::*;
use crate::namespaces::{PREFIXES, element};
use crate::{
    Architecture, Comparison, FileFact, LinuxFacts, Named, PackageOrder, Prerequisite, UpdateKind,
    WindowsFacts,
};

fn debian() -> Facts {
    let file = FileFact { size: 5, sha256: Some(Sha256([1; 32])), ..FileFact::default() };
    Facts {
        architecture: Some(Architecture::Amd64),
        files: BTreeMap::from([("/a".to_owned(), Some(file)), ("/gone".to_owned(), None)]),
        system: System::Linux(LinuxFacts {
            id: "debian".to_owned(),
            version_id: Some("12".to_owned()),
            packages: Some(BTreeMap::from([("bash".to_owned(), "5.2-1".to_owned())])),
            ..LinuxFacts::default()
        }),
    }
}

fn windows() -> Facts {
    let system = WindowsFacts { registry: Some(Named::new()), ..WindowsFacts::default() };
    Facts {
        architecture: Some(Architecture::Amd64),
        files: BTreeMap::new(),
        system: System::Windows(Box::new(system)),
    }
}

fn document(installed: Option<Rule>, installable: Option<Rule>) -> Document {
    let update = UpdateRef { id: UpdateId(Uuid::nil()), revision: 1 };
    let mut document = Document::new(update, UpdateKind::Software, "sample");
    document.rules.is_installed = installed;
    document.rules.is_installable = installable;
    document
}

/// A test written as `prefix:Name Attribute=value Attribute=value`.
fn test(text: &str) -> Rule {
    let mut words = text.split_whitespace();
    let (prefix, local) = words.next().and_then(|w| w.split_once(':')).expect("has a name");
    let (_, ns) = PREFIXES.into_iter().find(|(known, _)| *known == prefix).expect("is a prefix");
    let attributes: Vec<_> = words.filter_map(|word| word.split_once('=')).collect();
    Rule::decode(element(ns, local, &attributes))
}

fn unknown(reason: &str) -> Truth {
    Truth::Unknown(reason.to_owned())
}

fn judge(rule: &Rule, facts: &Facts) -> Truth {
    let document = document(None, None);
    Context { document: &document, facts, loop_target: None }.judge(rule).into()
}

/// Judges each line, `expected: test`, where another expectation than a truth is a reason.
fn check(facts: &Facts, lines: &str) {
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (expected, text) = line.split_once(" | ").expect("has an expectation");
        let expected = match expected {
            "true" => Truth::True,
            "false" => Truth::False,
            reason => unknown(reason),
        };
        assert_eq!(judge(&test(text), facts), expected, "{line}");
    }
}

#[test]
fn unknown_gives_way_only_to_what_decides() {
    let doubt = || linux::file_exists("/nobody", None);
    let reason = unknown("FileExists: nobody looked for /nobody");
    for (rule, expected) in [
        (Rule::And(vec![doubt(), Rule::False]), Truth::False),
        (Rule::And(vec![doubt(), Rule::True]), reason.clone()),
        (Rule::Or(vec![doubt(), Rule::True]), Truth::True),
        (Rule::Or(vec![Rule::False, doubt()]), reason.clone()),
        (Rule::Not(Box::new(doubt())), reason),
        (test("lar:And"), unknown("And: this is not a rule")),
    ] {
        assert_eq!(judge(&rule, &debian()), expected, "{rule:?}");
    }
}

#[test]
fn linux_tests_are_judged() {
    let (one, two) = ("01".repeat(32), "02".repeat(32));
    let lines = format!(
        "true | lin:OsRelease Id=debian
         true | lin:OsRelease Id=debian VersionId=9 Comparison=GreaterThanOrEqualTo
         false | lin:OsRelease Id=ubuntu
         true | lin:FileExists Path=/a
         true | lin:FileExists Path=/a Sha256={one}
         false | lin:FileExists Path=/a Sha256={two}
         false | lin:FileExists Path=/gone Sha256={two}
         true | lin:PackageInstalled Name=bash
         true | lin:PackageInstalled Name=bash Version=5.10 Comparison=LessThan
         false | lin:PackageInstalled Name=bash Version=5.2
         false | lin:PackageInstalled Name=zsh
         true | bar:Processor Architecture=9
         false | bar:WmiQuery WqlQuery=select
         Distance: there is no such test | lin:Distance
         FileExists: Path is missing | lin:FileExists"
    );
    check(&debian(), &lines);
    let written = linux::os_release("debian", Some((Comparison::GreaterThanOrEqualTo, "9")));
    assert_eq!(
        written,
        test("lin:OsRelease Id=debian VersionId=9 Comparison=GreaterThanOrEqualTo")
    );
}

#[test]
fn packages_compare_as_their_own_manager_compares_them() {
    let mut facts = debian();
    let System::Linux(linux) = &mut facts.system else { panic!("is Linux") };
    linux.packages = Some(BTreeMap::from([("kernel".to_owned(), "5.14.0-70.el9".to_owned())]));
    // For one of them a version without a revision is another one, for the other it is any.
    check(&facts, "false | lin:PackageInstalled Name=kernel Version=5.14.0 Comparison=EqualTo");
    let System::Linux(linux) = &mut facts.system else { panic!("is Linux") };
    linux.order = PackageOrder::Rpm;
    check(
        &facts,
        "true | lin:PackageInstalled Name=kernel Version=5.14.0 Comparison=EqualTo
         true | lin:PackageInstalled Name=kernel Version=0:5.14.0-427.el9 Comparison=LessThan
         false | lin:PackageInstalled Name=kernel Version=1:1 Comparison=GreaterThan",
    );
}

#[test]
fn findings_name_each_test_with_its_answer() {
    let installed = test("lin:FileExists Path=/a");
    let doubted = test("lin:FileExists Path=/nobody");
    let negated = Rule::Not(Box::new(test("lin:FileExists Path=/gone")));
    let document = document(Some(installed), Some(Rule::And(vec![negated, doubted])));
    let found = findings(&document, &debian());
    let written: Vec<_> = found.iter().map(|f| (f.decides, f.test.as_str())).collect();
    assert_eq!(
        written,
        [
            ("installed", "FileExists Path=/a"),
            ("installable", "not FileExists Path=/gone"),
            ("installable", "FileExists Path=/nobody"),
        ]
    );
    assert_eq!(found[0].truth, Truth::True);
    assert_eq!(found[1].truth, Truth::True, "it is not there, as it has to be");
    assert!(matches!(&found[2].truth, Truth::Unknown(reason) if reason.contains("/nobody")));
}

#[test]
fn sections_make_one_answer() {
    let doubt = || Some(linux::file_exists("/nobody", None));
    let reason = Applicability::Unknown("FileExists: nobody looked for /nobody".to_owned());
    for (installed, installable, expected) in [
        (Some(Rule::True), doubt(), Applicability::Installed),
        (Some(Rule::False), Some(Rule::True), Applicability::Applicable),
        (None, Some(Rule::False), Applicability::NotApplicable),
        (None, None, Applicability::NotApplicable),
        (None, doubt(), reason.clone()),
        (doubt(), Some(Rule::False), reason),
    ] {
        assert_eq!(evaluate(&document(installed, installable), &debian()), expected);
    }
    let mut superseded = document(None, Some(Rule::True));
    superseded.rules.is_superseded = Some(Rule::True);
    assert_eq!(evaluate(&superseded, &debian()), Applicability::NotApplicable);
}

#[test]
fn documents_for_another_system_do_not_apply() {
    let absent = Rule::Not(Box::new(test("bar:RegKeyExists Key=HKEY_LOCAL_MACHINE Subkey=a")));
    let for_windows = document(None, Some(absent));
    assert_eq!(evaluate(&for_windows, &debian()), Applicability::NotApplicable);
    assert_eq!(evaluate(&for_windows, &windows()), Applicability::Applicable);
    let for_linux = document(None, Some(Rule::Not(Box::new(linux::file_exists("/x", None)))));
    assert!(for_linux.uses_linux_rules() && !for_windows.uses_linux_rules());
    assert_eq!(evaluate(&for_linux, &windows()), Applicability::NotApplicable);
}

#[test]
fn a_document_names_the_files_to_look_for() {
    let rule = Rule::Or(vec![
        linux::file_exists("/plain", None),
        Rule::Not(Box::new(linux::file_exists("/hashed", Some(Sha256([0; 32]))))),
        test("bar:FileExists Path=c:\\windows"),
    ]);
    let document = document(None, Some(rule));
    assert_eq!(document.files_asked(), BTreeMap::from([("/hashed", true), ("/plain", false)]));
}

#[test]
fn prerequisites_are_clauses_that_must_all_hold() {
    let id = |number| UpdateId(Uuid::from_u128(number));
    let clause = |numbers: &[u128]| Prerequisite {
        any_of: numbers.iter().map(|&number| id(number)).collect(),
        is_category: false,
    };
    let installed = |asked: UpdateId| match asked.0.as_u128() {
        1 => Truth::True,
        2 => Truth::False,
        _ => unknown("not in the catalog"),
    };
    let met = |clauses: &[&[u128]]| {
        let prerequisites = clauses.iter().map(|numbers| clause(numbers)).collect();
        Relations { prerequisites, ..Relations::default() }.prerequisites_met(installed)
    };
    assert_eq!(met(&[]), Truth::True);
    assert_eq!(met(&[&[1], &[2, 1]]), Truth::True);
    assert_eq!(met(&[&[1], &[2]]), Truth::False);
    assert_eq!(met(&[&[1], &[3, 2]]), unknown("not in the catalog"));
    assert_eq!(met(&[&[3], &[2]]), Truth::False);
}
