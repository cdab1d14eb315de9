use daemon::Problems;
use daemon::Program as _;

use crate::config::{File, Program};

const EXAMPLE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/mp.example.toml"));

#[test]
fn the_example_names_every_key_with_its_default() {
    let defaults = toml::to_string(&File::default()).expect("it is TOML");
    for line in defaults.lines().filter(|line| !line.is_empty()) {
        assert!(EXAMPLE.lines().any(|given| given == line), "{line} is not in the example");
    }
    let example: File = toml::from_str(EXAMPLE).expect("it parses");
    assert_eq!(toml::to_string(&example).expect("it is TOML"), defaults);
    let mut problems = Problems::default();
    let settings = Program::validate(&example, &mut problems).expect("it is usable");
    assert_eq!(Program::joining(&settings).url, "https://tierline-mp:7441");
}

#[test]
fn every_mistake_is_named() {
    let mut problems = Problems::default();
    let file = File {
        data: "here".to_owned(),
        name: String::new(),
        listen: "7441".to_owned(),
        ..File::default()
    };
    assert!(Program::validate(&file, &mut problems).is_none());
    let text = problems.to_string();
    for key in ["data", "name", "listen"] {
        assert!(text.contains(&format!("  {key}: ")), "{text}");
    }
}
