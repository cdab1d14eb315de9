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
        ..File::default()
    };
    let mut problems = Problems::default();
    assert!(Program::validate(&file, &mut problems).is_none());
    expect![[r#"
        problems:
          mp_url: "http://mp" is not https://host:port
          mp_site: site code: "pr1" has characters other than A-Z and 0-9
          scan_spread: "soon" is not a duration; write 500ms, 30s, 15m, 2h or 7d"#]]
    .assert_eq(&format!("problems:\n{problems}"));
}
