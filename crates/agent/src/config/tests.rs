use daemon::Program as _;
use expect_test::expect;

use super::*;

#[test]
fn the_example_names_every_key_with_its_default() {
    let example = include_str!("../../../../deploy/agent.example.toml");
    let given: toml::Table = toml::from_str(example).expect("is TOML");
    assert_eq!(given, toml::Table::try_from(File::default()).expect("is a table"));
}

#[test]
fn every_problem_is_reported_with_its_key() {
    let file = File {
        mp_url: "http://mp".to_owned(),
        mp_site: "pr1".to_owned(),
        scan_spread: "soon".to_owned(),
        wsus_url: "https://wsus:8531".to_owned(),
        control_socket: "run/control.sock".to_owned(),
        machine: MachineSection {
            form: "phone".to_owned(),
            restart: "reboot".to_owned(),
            ..MachineSection::default()
        },
        handlers: HandlersSection {
            install: [("msi".to_owned(), "msiexec /i {file}".to_owned())].into(),
        },
        ..File::default()
    };
    let mut problems = Problems::default();
    assert!(Program::validate(&file, &mut problems).is_none());
    expect![[r#"
        problems:
          mp_url: "http://mp" is not https://host:port
          mp_site: site code: "pr1" has characters other than A-Z and 0-9
          scan_spread: "soon" is not a duration; write 500ms, 30s, 15m, 2h or 7d
          wsus_url: https://wsus:8531 is no address of an update service; it is http://host:port, or https://host:port with the certificates it is believed by
          control_socket: "run/control.sock" is not an absolute path
          machine.restart: "reboot" is not the absolute path of a program
          handlers.install.msi: "msiexec" is not the absolute path of a program
          machine.form: "phone" is neither server nor workstation"#]]
    .assert_eq(&format!("problems:\n{problems}"));
}
