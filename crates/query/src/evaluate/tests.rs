use std::net::IpAddr;

use model::Timestamp;

use crate::{Fact, Facts, Field, Query, Test, Type, Version, Vocabulary};

const VOCABULARY: Vocabulary = Vocabulary {
    fields: &[
        Field { name: "name", of: Type::Text },
        Field { name: "domain", of: Type::Text },
        Field { name: "os.version", of: Type::Version },
        Field { name: "seen.days", of: Type::Number },
        Field { name: "restart", of: Type::Flag },
        Field { name: "address", of: Type::Address },
        Field { name: "released", of: Type::Time },
        Field { name: "product", of: Type::Text },
        Field { name: "cve", of: Type::Text },
    ],
    tests: &[Test { name: "installed" }],
};

/// 2026-11-21T00:00:00Z.
const NOW_MS: i64 = 1_795_219_200_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Its domain is not known; it is ten days old, is of two products and of no CVE.
struct Computer;

impl Facts for Computer {
    fn field(&self, name: &str) -> Option<Fact<'_>> {
        Some(match name {
            "name" => Fact::Text("SRV-Bär-01"),
            "os.version" => Fact::Version(Version::parse("10.0.19045.0").expect("a version")),
            "seen.days" => Fact::Number(3),
            "restart" => Fact::Flag(false),
            "address" => Fact::Address("10.1.2.3".parse::<IpAddr>().expect("an address")),
            "released" => Fact::Time(Timestamp(NOW_MS - 10 * DAY_MS)),
            "product" => Fact::Texts(vec!["Windows 11", "Windows 10"]),
            "cve" => Fact::Texts(Vec::new()),
            _ => return None,
        })
    }

    fn test(&self, name: &str, argument: &str) -> Option<bool> {
        assert_eq!(name, "installed");
        (argument != "KB9").then_some(argument == "KB1")
    }

    fn now(&self) -> Timestamp {
        Timestamp(NOW_MS)
    }
}

fn selects(text: &str) -> bool {
    Query::parse(text, &VOCABULARY).expect("a condition").selects(&Computer)
}

#[test]
fn every_relation_is_judged_by_its_type() {
    for text in [
        "name = \"srv-bär-01\"",
        "name != \"srv\"",
        "name like \"srv%01\"",
        "name like \"%bär%\"",
        "name not like \"bär%\"",
        "name in (\"x\", \"SRV-BÄR-01\")",
        "os.version >= 10.0.9",
        "os.version = 10.0.19045",
        "os.version < \"10.0.19045.1\"",
        "seen.days <= 3 and seen.days > 2",
        "not restart",
        "address = \"10.1.0.0/16\"",
        "address != \"10.1.2.4\"",
        "address != \"2001:db8::/32\"",
        "address = \"0.0.0.0/0\"",
        "installed(\"KB1\")",
        "not installed(\"KB2\")",
        "released > 11d and released < 9d",
        "released >= 240h and released < 1w",
        "released = 2026-11-11",
        "released < \"2026-11-11T00:00:00.001Z\" and released > 2026-11-10T23:00:00-00:30",
    ] {
        assert!(selects(text), "{text}");
        assert!(!selects(&format!("not ({text})")), "not {text}");
    }
}

#[test]
fn a_pattern_needs_its_parts_in_order_and_apart() {
    assert!(!selects("name like \"srv\""));
    assert!(!selects("name like \"%01%bär%\""));
    // The same characters do not count for the start and for the end.
    assert!(!selects("name like \"srv-bär-01%r-01\""));
}

#[test]
fn what_is_unknown_selects_nothing_negated_or_not() {
    for text in ["domain = \"corp\"", "domain like \"%\"", "installed(\"KB9\")"] {
        assert!(!selects(text), "{text}");
        assert!(!selects(&format!("not ({text})")), "not {text}");
        assert!(selects(&format!("{text} or seen.days = 3")), "{text} or what holds");
        assert!(!selects(&format!("{text} and seen.days = 3")), "{text} and what holds");
        assert!(selects(&format!("not ({text} and seen.days = 4)")), "{text} and what does not");
    }
}

#[test]
fn of_several_texts_one_is_enough_and_none_is_different() {
    for text in [
        "product = \"windows 10\"",
        "product in (\"x\", \"windows 11\")",
        "product like \"%11\"",
        "product != \"windows 7\"",
        "cve != \"CVE-2026-1\"",
        "cve not like \"%\"",
        "not cve in (\"a\", \"b\")",
    ] {
        assert!(selects(text), "{text}");
        assert!(!selects(&format!("not ({text})")), "not {text}");
    }
    assert!(!selects("product != \"windows 10\""));
}

#[test]
fn it_is_known_what_a_condition_asks_for() {
    let text = "not (restart or name = \"a\") and installed(\"KB1\")";
    let query = Query::parse(text, &VOCABULARY).expect("a condition");
    let asked = ["name", "domain", "restart", "installed"].map(|name| query.asks_for(name));
    assert_eq!(asked, [true, false, true, true]);
    let text = "installed(\"KB2\") or not (restart and installed(\"KB1\"))";
    let query = Query::parse(text, &VOCABULARY).expect("a condition");
    assert_eq!(query.arguments("installed"), ["KB2", "KB1"]);
    assert_eq!(query.arguments("member"), [""; 0]);
}
