use std::time::Duration;

use expect_test::{Expect, expect};

use super::*;

#[derive(Debug, Serialize, Deserialize)]
#[serde(default)]
struct File {
    data: String,
    sync: Sync,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(default)]
struct Sync {
    every: String,
    names: Vec<String>,
    port: u16,
    password: Secret,
}

impl Default for File {
    fn default() -> File {
        File { data: "/var/lib/tierline".to_owned(), sync: Sync::default() }
    }
}

impl Default for Sync {
    fn default() -> Sync {
        let password = Secret::default();
        Sync { every: "15m".to_owned(), names: Vec::new(), port: 7440, password }
    }
}

fn validate(file: &File, problems: &mut Problems) -> Option<Duration> {
    if !file.data.starts_with('/') {
        problems.note("data", format!("\"{}\" is not an absolute path", file.data));
    }
    problems.check("sync.every", units::duration(&file.sync.every))
}

fn loaded(text: &str, environment: &[(&str, &str)]) -> Result<(File, Duration), Error> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("site.toml");
    std::fs::write(&path, text).expect("written");
    let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let shown = format!("{}/", directory.path().display());
    load(Some(&path), environment, validate).map_err(|error| match error {
        Error::Config(mut problems) => {
            let (name, _) = problems.source.as_mut().expect("there is a file");
            *name = name.replace(&shown, "");
            Error::Config(problems)
        }
        other => other,
    })
}

fn refused(text: &str, environment: &[(&str, &str)], expected: Expect) {
    expected.assert_eq(&loaded(text, environment).expect_err("refused").to_string());
}

#[test]
fn the_environment_overrides_the_file_which_overrides_defaults() {
    let environment = [
        ("TIERLINE__SYNC__NAMES", r#"["a", "b"]"#),
        ("TIERLINE__SYNC__PASSWORD", "swordfish"),
        ("TIERLINE_CONFIG", "never a key"),
    ];
    let (file, every) = loaded("[sync]\nevery = \"2h\"\nport = 1\n", &environment).expect("good");
    assert_eq!((every, file.sync.port), (Duration::from_secs(7200), 1));
    assert_eq!(file.sync.password.reveal(), "swordfish");
    expect![[r#"
        data = "/var/lib/tierline"

        [sync]
        every = "2h"
        names = ["a", "b"]
        port = 1
        password = "(hidden)"
    "#]]
    .assert_eq(&toml::to_string(&file).expect("it is TOML"));
    assert!(format!("{file:?}").contains("Secret(hidden)"));
}

#[test]
fn every_problem_is_reported_at_once() {
    refused(
        "data = \"here\"\n\n[sync]\nevery = \"15x\"\nintervall = 3\n\n[snyc]\nport = 1\n",
        &[("TIERLINE__SYNC__PROT", "1")],
        expect![[r#"
            the configuration is not usable:
              data (site.toml:1): "here" is not an absolute path
              snyc (site.toml:7): unknown key
              sync.every (site.toml:4): "15x" is not a duration; write 500ms, 30s, 15m, 2h or 7d
              sync.intervall (site.toml:5): unknown key
              sync.prot (TIERLINE__SYNC__PROT): unknown key"#]],
    );
}

#[test]
fn values_of_the_wrong_type_are_named() {
    refused(
        "[sync]\nport = \"many\"\n",
        &[],
        expect![[r#"
            the configuration is not usable:
              sync.port (site.toml:2): string "many" where an integer is expected"#]],
    );
    refused(
        "[sync\n",
        &[],
        expect![[r#"
            the configuration is not usable:
              the file: TOML parse error at line 1, column 6
              |
            1 | [sync
              |      ^
            unclosed table, expected `]`"#]],
    );
}

#[test]
fn units_are_understood() {
    assert_eq!(units::duration("500ms"), Ok(Duration::from_millis(500)));
    assert_eq!(units::duration("7d"), Ok(Duration::from_secs(7 * 86_400)));
    assert_eq!(units::size("64MiB"), Ok(64 << 20));
    assert_eq!(units::size("2 GiB"), Ok(2 << 30));
    for bad in ["", "15", "m", "-1s", "1.5h", "99999999999999999999d", "18446744073709551615h"] {
        assert!(units::duration(bad).is_err(), "{bad}");
    }
}
