use expect_test::expect;
use proptest::prelude::*;

use super::*;

fn row() -> Named<WmiValue> {
    let columns = [
        ("DeviceID", WmiValue::Text("PCI\\VEN_8086&DEV_1572".to_owned())),
        ("Description", WmiValue::Text("Dell:DRVR_100352__A07".to_owned())),
        ("Name", WmiValue::Text("50% of O'Neill".to_owned())),
        ("Size", WmiValue::Number(7)),
        ("Bytes", WmiValue::Text("9000000000".to_owned())),
        ("IsFixed", WmiValue::Flag(true)),
        ("Owner", WmiValue::Null),
    ];
    columns.map(|(name, value)| (Name::from(name), value)).into()
}

fn answer(condition: &str) -> String {
    let query = format!("SELECT * FROM Win32_Thing WHERE {condition}").parse::<Query>();
    match query.map_err(|error| error.to_string()).map(|query| query.selects(&row())) {
        Ok(Ok(answer)) => answer.to_string(),
        Ok(Err(doubt)) => doubt.to_string(),
        Err(error) => error,
    }
}

#[test]
fn rows_answer_conditions() {
    let conditions = r#"
        deviceid LIKE '%pci\\ven_8086&DEV_1572%'
        DeviceID LIKE '%VEN[_]8086%'
        DeviceID like 'PCI\VEN_808[0-5]%'
        DeviceID like 'PCI_VEN_808[^0-5]&%2'
        Name LIKE '50[%] of O\'Neill'
        Name = "50% OF O'NEILL"
        Name <> 'x' and Size != 7
        Description >= 'Dell:DRVR_100352__' AND Description < 'Dell:DRVR_100352__~'
        (Description >= 'Dell' and not (Name like '%of%')) or (Size<=7)
        not not Size = 8
        Size > -1
        Size = '7'
        Bytes > 8999999999
        IsFixed = TRUE and IsFixed = 1
        Owner is null and Size is not null
        Owner = 'x' or Owner <> 'x' or Owner like '%' or Owner = null
        Colour = 1 and Size = 8
        Colour = 1 or Size = 8
        Size like '7'
        Name > 3
        IsFixed = 'yes'
    "#;
    let lines = conditions.lines().map(str::trim).filter(|line| !line.is_empty());
    let answers: String = lines.map(|line| format!("{}: {line}\n", answer(line))).collect();
    expect![[r#"
        true: deviceid LIKE '%pci\\ven_8086&DEV_1572%'
        true: DeviceID LIKE '%VEN[_]8086%'
        false: DeviceID like 'PCI\VEN_808[0-5]%'
        true: DeviceID like 'PCI_VEN_808[^0-5]&%2'
        true: Name LIKE '50[%] of O\'Neill'
        true: Name = "50% OF O'NEILL"
        false: Name <> 'x' and Size != 7
        true: Description >= 'Dell:DRVR_100352__' AND Description < 'Dell:DRVR_100352__~'
        true: (Description >= 'Dell' and not (Name like '%of%')) or (Size<=7)
        false: not not Size = 8
        true: Size > -1
        true: Size = '7'
        true: Bytes > 8999999999
        true: IsFixed = TRUE and IsFixed = 1
        true: Owner is null and Size is not null
        false: Owner = 'x' or Owner <> 'x' or Owner like '%' or Owner = null
        false: Colour = 1 and Size = 8
        nobody looked for column colour of win32_thing: Colour = 1 or Size = 8
        size is not text: Size like '7'
        name is of another type: Name > 3
        isfixed is of another type: IsFixed = 'yes'
    "#]]
    .assert_eq(&answers);
}

#[test]
fn a_query_that_cannot_be_read_says_where() {
    let deep = |depth| format!("{}Size = 1{}", "(".repeat(depth), ")".repeat(depth));
    let answers = [
        answer("Size"),
        answer("Size ="),
        answer("Size = 1 2"),
        answer("Size LIKE 7"),
        answer("(Size = 1"),
        answer("Size = 1.5"),
        answer("Size = 'open"),
        answer("Name LIKE '[a'"),
        answer("Size ; 1"),
        answer(&deep(DEPTH_MAX - 1)),
        answer(&deep(DEPTH_MAX)),
        answer(&"x".repeat(1 << 20)),
    ];
    expect![[r#"
        query: an operator is missing near word 7
        query: a value is missing near word 8
        query: the end is missing near word 8
        query: a text is missing near word 8
        query: ) is missing near word 9
        query: "1.5" is no number
        query: has a text without an end
        query: has a [ without a ]
        query: has an unknown ';'
        false
        query: is nested deeper than 32
        query: has more than 262144 bytes"#]]
    .assert_eq(&answers.join("\n"));
}

proptest! {
    #[test]
    fn no_query_panics(
        query in "(select|\\*|from|where|and|or|not|like|is|null|[<>=()',\"a%_\\[\\]^-]|[0-9]|\\\\| |\\PC){0,40}",
    ) {
        let _: Result<Query, Invalid> = query.parse();
        answer(&query);
        answer(&format!("Name LIKE '{query}'"));
    }

    #[test]
    fn a_pattern_without_wildcards_matches_itself_and_runs_match_around(
        text in "[a-z&\\\\0-9]{0,20}", before in "\\PC{0,5}", after in "\\PC{0,5}",
    ) {
        let [run, longer] = [format!("%{text}%"), format!("{text}_")];
        let around = format!("{before}{text}{after}");
        for (pattern, text, expected) in
            [(&text, &text, true), (&run, &around, true), (&longer, &text, false)]
        {
            prop_assert_eq!(pattern.parse::<Pattern>().expect("is one").matches(text), expected);
        }
    }
}
