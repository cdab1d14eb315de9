use std::collections::BTreeSet;

use daemon::{Problems, Program as _};

use crate::config::{File, Program};

const EXAMPLE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/sup.example.toml"));

#[test]
fn the_example_names_every_key_with_its_default() {
    let keys = |text: &str| -> BTreeSet<String> {
        let table: toml::Table = text.parse().expect("it is TOML");
        let nested = table.iter().flat_map(|(name, value)| match value.as_table() {
            Some(inner) => inner.keys().map(|key| format!("{name}.{key}")).collect(),
            None => vec![name.clone()],
        });
        nested.collect()
    };
    let example: File = toml::from_str(EXAMPLE).expect("it parses");
    let defaults = toml::to_string(&File::default()).expect("it is TOML");
    assert_eq!(toml::to_string(&example).expect("it is TOML"), defaults);
    assert_eq!(keys(EXAMPLE), keys(&defaults));
    let mut problems = Problems::default();
    assert!(Program::validate(&example, &mut problems).is_some(), "{problems}");
}

#[test]
fn every_bad_value_is_noted() {
    let mut file = File { data: "here".into(), https: "all".into(), ..File::default() };
    file.sup.plain_http = "yes".to_owned();
    file.sup.installed_max = 0;
    file.proxy.url = "proxy:3128".to_owned();
    file.upstream.url = "http://wsus:8530".to_owned();
    file.upstream.every = "daily".to_owned();
    file.upstream.mode = "slave".to_owned();
    file.upstream.pin = "12:34".to_owned();
    let mut problems = Problems::default();
    assert!(Program::validate(&file, &mut problems).is_none());
    let noted = problems.to_string();
    for key in [
        "data",
        "https",
        "sup.plain_http",
        "sup.installed_max",
        "proxy",
        "upstream.url",
        "upstream.every",
        "upstream.mode",
        "upstream",
    ] {
        assert!(noted.contains(&format!("  {key}: ")), "{noted}");
    }
}
