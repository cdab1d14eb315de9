use super::*;
use crate::workspace::{Edge, EdgeKind, File, Package};

const MANIFEST: &str = "[package]\nversion.workspace = true\nedition.workspace = true\n\
    rust-version.workspace = true\nlicense.workspace = true\npublish.workspace = true\n\
    [lib]\ndoctest = false\n[lints]\nworkspace = true\n";

/// Four crates, with the documents they need, in which nothing is wrong.
fn tidy_workspace() -> Workspace {
    let mut workspace = Workspace::default();
    let uses = [None, None, Some("model"), Some("trust")];
    for (name, uses) in ["model", "ambient", "trust", "testkit"].into_iter().zip(uses) {
        let manifest = format!("crates/{name}/Cargo.toml");
        put(&mut workspace, &manifest, MANIFEST);
        put(&mut workspace, &format!("crates/{name}/src/lib.rs"), "//! Words.\n");
        let to_edge = |to: &str| Edge { to: to.to_owned(), kind: EdgeKind::Shipped };
        let edges = uses.map(to_edge).into_iter().collect();
        workspace.packages.push(Package { name: name.to_owned(), manifest, edges });
    }
    put(&mut workspace, "docs/ARCHITECTURE.md", "`model` `ambient` `trust` `testkit`\n");
    put(&mut workspace, "CHANGELOG.md", "# Changelog\n\n## Unreleased\n\n## 0.1.0 (2026)\n");
    workspace
}

fn put(workspace: &mut Workspace, path: &str, text: &str) {
    workspace.files.retain(|file| file.path != path);
    workspace.files.push(File { path: path.to_owned(), text: text.to_owned() });
}

/// The places and rules broken after one change to the tidy workspace.
fn after(change: impl FnOnce(&mut Workspace)) -> Vec<String> {
    let mut workspace = tidy_workspace();
    change(&mut workspace);
    let violations = check(&workspace);
    violations.iter().map(|v| format!("{}:{} {}", v.path, v.line, v.rule)).collect()
}

fn after_file(path: &str, text: &str) -> Vec<String> {
    after(|workspace| put(workspace, path, text))
}

/// The rules that one more dependency breaks, all of them in the manifest of `from`.
fn after_edge(from: &str, to: &str, kind: EdgeKind) -> Vec<String> {
    let broken = after(|workspace| {
        let package = workspace.packages.iter_mut().find(|package| package.name == from);
        package.expect("a planted package").edges.push(Edge { to: to.to_owned(), kind });
    });
    let place = format!("crates/{from}/Cargo.toml:0 ");
    broken.into_iter().map(|rule| rule.replace(&place, "")).collect()
}

#[test]
fn a_tidy_workspace_breaks_no_rule() {
    assert_eq!(after(|_| {}), [""; 0]);
}

#[test]
fn forbidden_edges_and_cycles_are_found() {
    assert_eq!(after_edge("ambient", "model", EdgeKind::Shipped), ["layer-edge"]);
    assert_eq!(after_edge("ambient", "model", EdgeKind::Dev), ["layer-edge"]);
    assert_eq!(after_edge("model", "trust", EdgeKind::Shipped), ["layer-cycle", "layer-edge"]);
}

#[test]
fn tests_may_use_testkit_unless_testkit_uses_the_crate() {
    assert_eq!(after_edge("ambient", "testkit", EdgeKind::Dev), [""; 0]);
    assert_eq!(after_edge("model", "testkit", EdgeKind::Dev), ["layer-edge"]);
}

#[test]
fn outside_crates_stay_in_their_homes() {
    assert_eq!(after_edge("trust", "ring", EdgeKind::Shipped), [""; 0]);
    assert_eq!(after_edge("ambient", "rusqlite", EdgeKind::Shipped), ["outside-home"]);
    assert_eq!(after_edge("model", "tokio", EdgeKind::Shipped), ["pure"]);
    assert_eq!(after_edge("model", "tokio", EdgeKind::Dev), [""; 0]);
}

#[test]
fn every_crate_is_in_the_table_and_in_the_document() {
    let broken = after(|workspace| {
        let (name, manifest) = ("novelty".to_owned(), "crates/novelty/Cargo.toml".to_owned());
        workspace.packages.push(Package { name, manifest, edges: Vec::new() });
    });
    let undocumented = "docs/ARCHITECTURE.md:0 crate-undocumented";
    assert_eq!(broken, ["crates/novelty/Cargo.toml:0 layer-missing", undocumented]);
}

#[test]
fn manifests_take_everything_from_the_workspace() {
    let path = "crates/trust/Cargo.toml";
    let planted = MANIFEST.replace("publish.workspace = true", "publish = true")
        + "[dev-dependencies]\nhex = \"1\"\n";
    assert_eq!(after_file(path, &planted), ["crates/trust/Cargo.toml:0 manifest"; 2]);
    assert_eq!(after_file(path, "[package"), ["crates/trust/Cargo.toml:0 manifest"]);
}

#[test]
fn documents_have_their_form() {
    for text in ["# Changelog\n## 0.1.0\n", "# Changelog\n## Unreleased\n## Soon\n", ""] {
        assert_eq!(after_file("CHANGELOG.md", text), ["CHANGELOG.md:0 changelog"]);
    }
    let links = "[a](../CHANGELOG.md#x) [b](.) [c](https://d.example) [e](#f)\n[gone](gone.md)\n";
    assert_eq!(after_file("docs/guide.md", links), ["docs/guide.md:2 link"]);
    let path = concat!("cd /wo", "rk/main");
    assert_eq!(after_file("docs/guide.md", path), ["docs/guide.md:1 stranger"]);
}

#[test]
fn oversized_files_are_found() {
    let lines = |count: usize| "//! Long.\n".repeat(count);
    let path = "crates/model/src/long.rs";
    assert_eq!(after_file(path, &lines(600)), [""; 0]);
    assert_eq!(after_file(path, &lines(601)), [format!("{path}:0 size")]);
    let tested = lines(599) + "#[cfg(test)]\nmod tests {\n" + &"fn f() {}\n".repeat(99) + "}\n";
    assert_eq!(after_file(path, &tested), [""; 0]);
    assert_eq!(after_file("crates/model/src/tests.rs", &lines(900)), [""; 0]);
    let library = "crates/model/src/lib.rs";
    assert_eq!(after_file(library, &lines(251)), [format!("{library}:0 size")]);
    let wide = format!("//! Wide.\nconst A: &str = \"{}\";\n", "a".repeat(100));
    assert_eq!(after_file(path, &wide), [format!("{path}:2 width")]);
    assert_eq!(after_file("crates/model/src/tests.rs", &wide), [""; 0]);
}

/// Each text breaks exactly the named rule, at its second line; `""` stands for none.
#[test]
fn words_away_from_their_home_are_found() {
    let planted = [
        ("crates/trust/src/key.rs", concat!("#[ig", "nore]"), "test-attribute"),
        ("crates/trust/src/key.rs", concat!("// FIX", "ME later"), "unfinished"),
        ("crates/trust/src/key.rs", "println!(\"a\");", "print"),
        ("crates/xtask/src/key.rs", "println!(\"a\");", ""),
        ("crates/trust/src/key.rs", "tokio::fs::read(path);", "files"),
        ("crates/trust/src/key.rs", "// println! and std::fs::read in prose, select! too", ""),
        ("crates/trust/src/key.rs", "#[cfg(test)]\nmod tests {\n    use std::fs::read;\n}", ""),
        ("crates/trust/src/key.rs", "let socket = TcpListener::bind(address);", "sockets"),
        ("crates/trust/src/key.rs", "fn f() -> anyhow::Result<()> {}", "anyhow"),
        ("crates/agent/src/service.rs", "daemon::run();", "daemon"),
        ("crates/agent/src/main.rs", "daemon::run();", ""),
        ("crates/trust/src/key.rs", "tokio::select! { a = b => {} }", "select"),
        ("crates/trust/src/key.rs", "select! {\n    biased; a = b => {} }", ""),
        ("crates/trust/src/key.rs", "let query = \"SELECT 1\";", "sql"),
        ("crates/trust/src/tests.rs", "let query = \"SELECT 1\";", ""),
        ("crates/site-db/src/items.rs", "let query = \"SELECT 1\";", ""),
    ];
    for (path, text, rule) in planted {
        let found = after_file(path, &format!("//! Planted.\n{text}\n"));
        let expected = Some(format!("{path}:2 {rule}")).filter(|_| !rule.is_empty());
        assert_eq!(found, Vec::from_iter(expected), "{text}");
    }
    let path = "crates/model/src/core/mod.rs";
    let expected = ["0 name", "0 name", "1 module-doc"].map(|rule| format!("{path}:{rule}"));
    assert_eq!(after_file(path, "const A: u8 = 1;\n"), expected);
}

#[test]
fn the_table_of_features_claims_what_is_there() {
    let features = "2 behaviors: 1 done, 1 partly, 0 not yet.\n\n\
        | id | behavior | status | test | note |\n| --- | --- | --- | --- | --- |\n\
        | AA-01 | One | done | `trust::keys::tests::one`, `e2e::joining::two` |  |\n\
        | AA-02 | Two | partly | – | a note |\n";
    let with = |features: &str| {
        after(|workspace| {
            put(workspace, "crates/trust/src/keys/tests.rs", "#[test]\nfn one() {}\n");
            put(workspace, "tests/e2e/joining.rs", "//! Joins.\n\nfn two() {}\n");
            put(workspace, "docs/features.md", features);
        })
    };
    assert_eq!(with(features), [""; 0]);
    for (from, to, broken) in [
        ("tests::one", "tests::other", "docs/features.md:5 feature-test"),
        ("joining::two", "joining::other", "docs/features.md:5 feature-test"),
        ("AA-02", "AA-01", "docs/features.md:6 feature-twice"),
        ("| partly", "| nearly", "docs/features.md:6 feature-state"),
        ("1 done, 1", "2 done, 0", "docs/features.md:1 feature-count"),
        ("partly | –", "done | –", "docs/features.md:6 feature-untested"),
    ] {
        let found = with(&features.replace(from, to));
        assert!(found.contains(&broken.to_owned()), "{broken}: {found:?}");
    }
}
