use expect_test::expect;

use super::*;

#[test]
fn people_who_are_logged_on_are_named_once() {
    let record = |kind: i16, name: &str| {
        let mut record = [0; UTMP_BYTES];
        record[..2].copy_from_slice(&kind.to_ne_bytes());
        record[UTMP_USER][..name.len()].copy_from_slice(name.as_bytes());
        record
    };
    let records = [
        record(2, "reboot"),
        record(7, "anna"),
        record(8, "gone"),
        record(7, "anna"),
        record(7, "a-name-that-takes-all-of-32-bytes"[..32].into()),
        record(7, ""),
    ];
    let mut bytes = records.concat();
    bytes.extend([7, 0, 1]);
    expect![[r#"{"a-name-that-takes-all-of-32-byte", "anna"}"#]]
        .assert_eq(&format!("{:?}", utmp(&bytes)));
    assert_eq!(logind_user("NAME=bert\nSTATE=active\n").as_deref(), Some("bert"));
    assert_eq!(logind_user("NAME=bert\nSTATE=lingering\n"), None);
}

#[test]
fn a_process_is_known_by_its_start_until_it_has_ended() {
    let rest = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
    assert_eq!(started(&format!("12 (a b) c) S {rest}")), Some(4711));
    assert_eq!(started(&format!("12 (sleep) Z {rest}")), None);
    assert_eq!(started("12 (sleep) S 1"), None);
    assert_eq!(group("12 (a b) c) S 1 34 35"), Some(34));
    assert_eq!(group("12 (sleep) Z 1 34 35"), None);
    assert_eq!(started(""), None);
}
