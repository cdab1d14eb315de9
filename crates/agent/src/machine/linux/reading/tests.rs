use expect_test::expect;

use super::*;

#[test]
fn a_system_describes_itself() {
    let os = os_release("NAME=\"Debian\"\nID=debian\nVERSION_ID=\"12\"\n");
    assert_eq!((os.id.as_str(), os.version_id.as_deref()), ("debian", Some("12")));
    assert_eq!(os_release("").id, "linux");
    let status = "Package: a\nStatus: install ok installed\nVersion: 1:2-3\n\n\
                  Package: b\nStatus: deinstall ok config-files\nVersion: 1\n\n\
                  Package: c\nDescription: none\n";
    expect![[r#"{"a": "1:2-3"}"#]].assert_eq(&format!("{:?}", dpkg_status(status)));
}

#[test]
fn the_latest_of_several_versions_is_installed() {
    let list = "kernel\t0:5.14.0-427.el9\nkernel\t0:5.14.0-70.el9\nbash\t0:5.1.8-9.el9\nodd\n";
    expect![[r#"{"bash": "0:5.1.8-9.el9", "kernel": "0:5.14.0-427.el9"}"#]]
        .assert_eq(&format!("{:?}", rpm_list(list)));
}

#[test]
fn a_computer_is_a_server_until_something_says_otherwise() {
    for (machine_info, release, chassis, expected) in [
        ("", "", "", Form::Server),
        ("", "", "1", Form::Server),
        ("", "", "10\n", Form::Workstation),
        ("", "", "23", Form::Server),
        ("", "VARIANT_ID=workstation\n", "23", Form::Workstation),
        ("", "VARIANT_ID=server", "10", Form::Server),
        ("CHASSIS=laptop\n", "VARIANT_ID=server", "", Form::Workstation),
        ("CHASSIS=vm", "VARIANT_ID=workstation", "10", Form::Server),
        ("CHASSIS=teapot", "", "3", Form::Workstation),
    ] {
        let case = (machine_info, release, chassis);
        assert_eq!(form(machine_info, release, chassis), expected, "{case:?}");
    }
}

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
