use std::collections::BTreeMap;

use expect_test::expect;
use model::{Sha1, Sha256};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::namespaces::{self, UPDATE};
use crate::tests::reference;
use crate::{Comparison, authoring, linux};

fn id(number: u128) -> UpdateId {
    UpdateId(Uuid::from_u128(number))
}

fn sample() -> Document {
    let update = UpdateRef { id: id(1), revision: 3 };
    let mut document = Document::new(update, UpdateKind::Software, "Editor <2>");
    document.properties.is_explicitly_deployable = true;
    document.properties.created_at = Timestamp(1_760_000_000_123);
    document.properties.severity = Some(MsrcSeverity::Important);
    let never = namespaces::element(UPDATE, "InstallationBehavior", &[("Impact", "Minor")]);
    document.properties.installation = Some(never);
    document.relations.superseded = vec![id(7)];
    document.relations.prerequisites = vec![
        Prerequisite { any_of: vec![id(8)], is_category: false },
        Prerequisite { any_of: vec![id(9)], is_category: true },
    ];
    let debian = linux::os_release("debian", Some((Comparison::EqualTo, "12")));
    document.rules.is_installed = Some(linux::file_exists("/opt/e", Some(Sha256([7; 32]))));
    document.rules.is_installable = Rule::all(vec![debian, Rule::True]);
    let (sha1, sha256) = (Sha1([1; 20]), Some(Sha256([2; 32])));
    document.files = vec![ItemFile { name: "e.sh".to_owned(), size: 12, sha1, sha256 }];
    document.installer = Some(Installer::CommandLine(CommandLine {
        program: "e.sh".to_owned(),
        arguments: "--quiet \"a b\"".to_owned(),
        return_codes: BTreeMap::from([(3, Outcome { needs_restart: true, ..Outcome::SUCCEEDED })]),
        default_outcome: Outcome::FAILED,
    }));
    document
}

#[test]
fn a_captured_update_is_understood() {
    let file = "captures/documents/266f6222-c89d-43f2-9f8a-69340271e677-r200.xml";
    let Some(xml) = reference::read("a_captured_update_is_understood", file) else { return };
    let document = Document::parse(&xml).expect("parses");
    let Some(Installer::CommandLine(command)) = &document.installer else { panic!("has one") };
    let (file, properties) = (&document.files[0], &document.properties);
    let shown = [
        format!("{:?} {}", document.update, properties.created_at),
        format!("{} {} {}", file.name, file.size, file.sha1),
        format!("{:?}", file.sha256),
        format!("{} {}", command.program, command.arguments),
        format!("{:?}", document.relations.prerequisites[3]),
    ];
    expect![[r#"
        UpdateRef { id: 266f6222-c89d-43f2-9f8a-69340271e677, revision: 200 } 2026-10-04T12:00:58.287Z
        AM_Delta.exe 11606440 87f5bd0469585006aa5d3a77d1c662fd2895ddcd
        Some(Sha256(026b74ab29b2e4ab113a2c085e6e1020857be49bb8afe0a5dbc3e0f2068b5d40))
        AM_Delta.exe WD /q
        Prerequisite { any_of: [8c3fcc84-7410-4a95-8b89-a166a0190486], is_category: false }"#]].assert_eq(&shown.join("\n"));
    assert!(!properties.is_explicitly_deployable && document.may_restart());
    assert_eq!(Document::parse(document.to_xml().as_bytes()).expect("parses"), document);
}

#[test]
fn a_captured_category_is_understood() {
    let file = "captures/documents/56309036-4c77-4dd9-951a-99ee9c246a94-r101.xml";
    let Some(xml) = reference::read("a_captured_category_is_understood", file) else { return };
    let document = Document::parse(&xml).expect("parses");
    assert_eq!((document.category, document.texts.len()), (Some(CategoryKind::Company), 24));
    assert_eq!((document.rules.is_installed, document.installer), (Some(Rule::True), None));
}

#[test]
fn faults_name_line_column_and_path() {
    let bodies = [
        "<u:UpdateIdentity UpdateID='00000000-0000-0000-0000-000000000001' RevisionNumber='1'/>",
        "<u:UpdateIdentity UpdateID='x' RevisionNumber='1'/>",
        "<u:Properties UpdateType='Firmware'/>",
        "<u:Properties UpdateType='Software' CreationDate='soon'/>",
        " <u:Files><u:File Digest='AAAA' FileName='a' Size='1'/></u:Files>",
        "<u:Relationships><u:SupersededUpdates><u:X/></u:SupersededUpdates></u:Relationships>",
        "<u:Files>",
    ];
    let refusal = |body: &&str| {
        let root = format!("<u:Update xmlns:u='{UPDATE}'>");
        let error = Document::parse(format!("{root}\n{body}</u:Update>").as_bytes());
        model::error_chain(&error.expect_err("is refused"))
    };
    expect![[r#"
        line 1, column 1: Update/Properties: is missing
        line 2, column 1: Update/UpdateIdentity/@UpdateID: update id: "x" is not a UUID
        line 2, column 1: Update/Properties/@UpdateType: "Firmware" is no type
        line 2, column 1: Update/Properties/@CreationDate: "soon" is not an RFC 3339 time
        line 2, column 2: Update/Files/File[1]/@Digest: 3 bytes instead of 20
        line 2, column 1: Update/Relationships/SupersededUpdates[1]/@UpdateID: is missing
        the XML is refused: line 2, column 10: not well-formed: ill-formed document: expected `</u:Files>`, but `</u:Update>` was found"#]].assert_eq(&bodies.iter().map(refusal).collect::<Vec<_>>().join("\n"));
    let deep = "<a>".repeat(10_000);
    for other in ["", "<Update/>", "<!DOCTYPE a []><a/>", "\u{0}", "<a>&b;</a>", &deep] {
        assert!(Document::parse(other.as_bytes()).is_err(), "{other:?}");
    }
}

#[test]
fn exit_codes_mean_what_the_document_says() {
    let Some(Installer::CommandLine(command)) = sample().installer else { panic!("has one") };
    let restart = Outcome { needs_restart: true, ..Outcome::SUCCEEDED };
    let outcomes = [0, 3, 3010, 1].map(|code| command.outcome(code));
    assert_eq!(outcomes, [Outcome::SUCCEEDED, restart, restart, Outcome::FAILED]);
    let product = authoring::install_product("a.msi", "{1}", "");
    let outcomes = [0, 1641, 3010, 1603].map(|code| product.outcome(code));
    assert_eq!(outcomes, [Outcome::SUCCEEDED, restart, restart, Outcome::FAILED]);
}

#[test]
fn exit_codes_are_meant_by_their_lowest_byte() {
    let listed = |codes: &[i32]| {
        authoring::run("a", "", codes.iter().map(|code| (*code, Outcome::SUCCEEDED)).collect())
    };
    let meant = |installer: &Installer| [0, 1, 17, 194, 105].map(|byte| installer.exit_code(byte));
    assert_eq!(meant(&listed(&[])), [0, 1, 17, 3010, 105]);
    assert_eq!(meant(&listed(&[256, 194, 529, -151])), [0, 1, 529, 194, -151]);
    let product = authoring::install_product("a.msi", "{1}", "");
    assert_eq!(meant(&product), [0, 1, 17, 3010, 1641]);
}

#[test]
fn times_are_read_as_servers_write_them() {
    let shown = |text| parse_time(text).expect("is a time").to_string();
    for text in ["2015-12-21T11:48:00", "2015-12-21T11:48:00.0000000", "2015-12-21T12:48:00+01:00"]
    {
        assert_eq!(shown(text), "2015-12-21T11:48:00.000Z", "{text}");
    }
    assert_eq!(shown("2015-12-21"), "2015-12-21T00:00:00.000Z");
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let other = namespaces::element("urn:other", "Unheard", &[("Of", "\t<&>\"'\n")]);
    let leaf = prop_oneof![
        Just(Rule::True),
        Just(Rule::Test(other)),
        "[ -~é]{0,12}".prop_map(|path| linux::file_exists(&path, None)),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|rule| Rule::Not(Box::new(rule))),
            prop::collection::vec(inner, 1..4).prop_map(Rule::Or),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        rule in any_rule(),
        title in "[!-~é]{1,9}",
        group in prop::collection::vec((0u128..9, 0u32..9), 1..3),
        size in 0..=i64::MAX.unsigned_abs(),
        code in any::<i32>(),
    ) {
        let mut document = sample();
        document.texts[0].title = title;
        document.rules.is_superseded = Some(rule);
        document.files[0].size = size;
        let member = |(number, revision)| UpdateRef { id: id(number), revision };
        document.relations.bundled = vec![group.into_iter().map(member).collect()];
        if let Some(Installer::CommandLine(command)) = &mut document.installer {
            command.return_codes.insert(code, Outcome::SUCCEEDED);
        }
        prop_assert_eq!(Document::parse(document.to_xml().as_bytes()).expect("parses"), document);
    }

    #[test]
    fn no_input_panics(junk in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..2_000) {
        let mut xml = sample().to_xml().into_bytes();
        let at = at.min(xml.len());
        xml.splice(at..at, junk);
        let _ = Document::parse(&xml);
        let _ = Document::parse(&xml[..at]);
    }
}
