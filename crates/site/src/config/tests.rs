use super::*;

#[test]
fn the_example_holds_every_key_with_its_default() {
    let example = include_str!("../../../../deploy/site.example.toml");
    let example: toml::Value = toml::from_str(example).expect("the example is TOML");
    let defaults = toml::Value::try_from(File::default()).expect("the defaults are TOML");
    assert_eq!(example, defaults);
}

#[test]
fn a_secondary_cannot_be_the_top() {
    let text = "[site]\ncode = \"SE1\"\ntop_level = true\n";
    let file = tempfile::NamedTempFile::new().expect("a file can be made");
    std::fs::write(file.path(), text).expect("it can be written");
    let loaded = daemon::config::load(Some(file.path()), [], Secondary::validate);
    let said = loaded.expect_err("it is refused").to_string();
    assert!(said.contains("site.top_level"), "{said}");
}
