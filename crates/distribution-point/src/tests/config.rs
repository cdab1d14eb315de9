use daemon::{Problems, Program as _};

use crate::config::{File, Program};

const EXAMPLE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/dp.example.toml"));

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
    let joining = Program::joining(&settings);
    assert_eq!(
        (joining.url, joining.http_url),
        ("https://tierline-dp:7442".to_owned(), "http://tierline-dp:7443".to_owned(),)
    );
}

#[test]
fn every_mistake_is_named() {
    let mut file = File { data: "here".into(), https: "7442".into(), ..File::default() };
    (file.http, file.content.lease) = ("plain".to_owned(), "long".to_owned());
    let mut problems = Problems::default();
    assert!(Program::validate(&file, &mut problems).is_none());
    let text = problems.to_string();
    for key in ["data", "https", "http", "content.lease"] {
        assert!(text.contains(&format!("  {key}: ")), "{text}");
    }
}
