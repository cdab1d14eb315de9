use expect_test::{Expect, expect};
use proptest::prelude::*;

use crate::{Field, Query, Test, Type, Vocabulary};

const VOCABULARY: Vocabulary = Vocabulary {
    fields: &[
        Field { name: "name", of: Type::Text },
        Field { name: "os.version", of: Type::Version },
        Field { name: "seen.days", of: Type::Number },
        Field { name: "restart", of: Type::Flag },
        Field { name: "address", of: Type::Address },
        Field { name: "released", of: Type::Time },
    ],
    tests: &[Test { name: "installed" }],
};

fn check(text: &str, expected: Expect) {
    let found = match Query::parse(text, &VOCABULARY) {
        Ok(query) => format!("{:?}", query.condition),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&found);
}

#[test]
fn or_binds_weakest_and_not_strongest() {
    check(
        r#"restart or not restart and name = "A""#,
        expect![[
            r#"Any([Flag("restart"), All([Not(Flag("restart")), Compare { field: "name", relation: Equal, value: Text("a") }])])"#
        ]],
    );
    check(
        "(restart OR restart) AND restart",
        expect![[r#"All([Any([Flag("restart"), Flag("restart")]), Flag("restart")])"#]],
    );
}

#[test]
fn times_are_days_moments_and_how_long_ago() {
    check(
        "released in (2026-11-01, \"2026-11-01T08:00:00+01:00\", 12h, 8w)",
        expect![[
            r#"Any([Compare { field: "released", relation: Equal, value: Time(Timestamp(1793491200000)) }, Compare { field: "released", relation: Equal, value: Time(Timestamp(1793516400000)) }, Compare { field: "released", relation: Equal, value: Ago(43200000) }, Compare { field: "released", relation: Equal, value: Ago(4838400000) }])"#
        ]],
    );
    check(
        "released > 3 weeks",
        expect![[r#"
            column 12: "released" is a time, and "3" is not; write a day such as 2026-11-01, a moment such as 2026-11-01T08:00:00Z, or how long ago, such as 12h, 30d or 8w
              released > 3 weeks
                         ^"#]],
    );
    check(
        "released < 2026-11-31",
        expect![[r#"
            column 12: "released" is a time, and "2026-11-31" is not; write a day such as 2026-11-01, a moment such as 2026-11-01T08:00:00Z, or how long ago, such as 12h, 30d or 8w
              released < 2026-11-31
                         ^"#]],
    );
}

#[test]
fn lists_and_patterns_are_read() {
    check(
        "seen.days in (1, 2)",
        expect![[
            r#"Any([Compare { field: "seen.days", relation: Equal, value: Number(1) }, Compare { field: "seen.days", relation: Equal, value: Number(2) }])"#
        ]],
    );
    check(
        r#"Name not like "SRV%""#,
        expect![[r#"Not(Like { field: "name", parts: ["srv", ""] })"#]],
    );
    check(
        r#"installed("say ""KB1""")"#,
        expect![[r#"Test { name: "installed", argument: "say \"KB1\"" }"#]],
    );
}

#[test]
fn an_error_points_at_its_place_and_says_what_helps() {
    check(
        "os.build >= 19045",
        expect![[r#"
            column 1: there is no field "os.build"; there are name, os.version, seen.days, restart, address, released
              os.build >= 19045
              ^"#]],
    );
    check(
        r#"os.version >= "Windows 11" and restart"#,
        expect![[r#"
            column 15: "os.version" is a version, and "Windows 11" is not; write numbers with dots, such as 10.0.19045
              os.version >= "Windows 11" and restart
                            ^"#]],
    );
    check(
        r#"name > "a""#,
        expect![[r#"
            column 6: "name" is a text and has no order; use = or !=
              name > "a"
                   ^"#]],
    );
    check(
        "name = corp",
        expect![[r#"
            column 8: "name" is a text, and "corp" is not; write it in double quotes
              name = corp
                     ^"#]],
    );
    check(
        "address = \"10.1.0.0/33\"",
        expect![[r#"
            column 11: "address" is an address, and "10.1.0.0/33" is not; write an address or a network, such as "10.1.0.0/16"
              address = "10.1.0.0/33"
                        ^"#]],
    );
}

#[test]
fn an_error_in_the_order_of_words_points_there_too() {
    check(
        "(restart",
        expect![[r#"
            column 9: expected ")", found the end
              (restart
                      ^"#]],
    );
    check(
        "restart restart",
        expect![[r#"
            column 9: expected "and", "or" or the end, found "restart"
              restart restart
                      ^"#]],
    );
    check(
        "name = \"é\" & restart",
        expect![[r#"
            column 12: "&" has no meaning here; texts stand in double quotes
              name = "é" & restart
                         ^"#]],
    );
    check(
        "name = \"open",
        expect![[r#"
            column 8: this text is not closed; end it with a double quote
              name = "open
                     ^"#]],
    );
    check(
        "updated(\"KB1\")",
        expect![[r#"
            column 1: there is no test "updated"; there are installed
              updated("KB1")
              ^"#]],
    );
}

#[test]
fn what_a_text_may_cost_is_bounded() {
    let deep = format!("{}restart{}", "(".repeat(64), ")".repeat(64));
    let error = Query::parse(&deep, &VOCABULARY).expect_err("too deep");
    assert_eq!(error.problem, crate::Problem::TooDeep);
    let fits = format!("{}restart{}", "(".repeat(63), ")".repeat(63));
    Query::parse(&fits, &VOCABULARY).expect("as deep as allowed");
    let long = " ".repeat(9000);
    let error = Query::parse(&long, &VOCABULARY).expect_err("too long");
    assert_eq!(error.problem, crate::Problem::TooLong(9000));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}") {
        let _ = Query::parse(&text, &VOCABULARY);
    }

    #[test]
    fn no_order_of_words_makes_it_panic(words in prop::collection::vec(
        prop::sample::select(vec![
            "name", "restart", "not", "and", "or", "in", "like", "(", ")", ",", "=", ">=", "\"x\"",
            "12", "1.2", "30d", "2026-11-01", "released", "address", "installed", "seen.days",
        ]),
        0..24,
    )) {
        let text = words.join(" ");
        match Query::parse(&text, &VOCABULARY) {
            Ok(query) => prop_assert_eq!(query.as_str(), text),
            Err(error) => prop_assert!(error.column <= text.chars().count() + 1),
        }
    }
}
