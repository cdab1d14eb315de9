use expect_test::expect;

use super::*;

/// The scan retry codes as documented (SUPX-19).
const RETRIED: [u32; 36] = [
    0x8024_001A,
    0x8007_2EFD,
    0x8024_4018,
    0x8024_4022,
    0x8024_400A,
    0x8024_4010,
    0x8007_2EFE,
    0x8004_0693,
    0x8024_001E,
    0x8024_400E,
    0x8024_402C,
    0x8024_400D,
    0x8024_F004,
    0x8024_402B,
    0x8024_4027,
    0x8024_4026,
    0x8024_4024,
    0x8024_4023,
    0x8024_4021,
    0x8024_4020,
    0x8024_401F,
    0x8024_401E,
    0x8024_401D,
    0x8024_401C,
    0x8024_401A,
    0x8024_4019,
    0x8024_4016,
    0x8024_4015,
    0x8024_400C,
    0x8024_400B,
    0x8024_4004,
    0x8024_4005,
    0x8024_4006,
    0x8024_4009,
    0x8024_4008,
    0x8024_4007,
];

fn code(text: &str) -> Hresult {
    text.parse().expect("a code")
}

#[test]
fn exactly_the_documented_codes_are_worth_a_retry() {
    let found = Hresult::all().filter(|code| code.retry() == Retry::Yes);
    let mut expected = RETRIED.map(u32::cast_signed).map(Hresult).to_vec();
    expected.sort_by_key(|code| code.0.cast_unsigned());
    assert_eq!(found.collect::<Vec<_>>(), expected);
    assert_eq!(code("0x80240FFE").retry(), Retry::No);
}

#[test]
fn the_table_is_in_order_and_says_something() {
    assert!(TABLE.is_sorted_by(|a, b| a.code < b.code));
    for entry in TABLE {
        let texts = [entry.name, entry.meaning, entry.remedy];
        assert!(texts.iter().all(|text| text.len() > 8 && !text.ends_with('.')), "{entry:?}");
    }
}

#[test]
fn codes_are_read_as_tools_print_them() {
    for text in ["0x8024401C", "8024401c", "-2145107940", "2149859356"] {
        assert_eq!(code(text), Hresult(-2_145_107_940), "{text}");
    }
    expect![[r#"code: "x" is not a code such as 0x8024401C or -2145107940"#]]
        .assert_eq(&"x".parse::<Hresult>().expect_err("is refused").to_string());
    expect![[r#"
        0x8024401C WU_E_PT_HTTP_STATUS_REQUEST_TIMEOUT: the server waited too long for the request, or did not answer in time (HTTP 408); check the network and the load of the server"#]]
    .assert_eq(&code("0x8024401C").to_string());
    assert_eq!(
        (code("0x80240FFE").to_string().as_str(), Hresult(5).is_known()),
        ("0x80240FFE", false)
    );
}
