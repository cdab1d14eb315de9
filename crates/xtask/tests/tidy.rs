//! The built binary against small workspaces on disk, each with one planted mistake.

use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT_MANIFEST: &str = "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n\
    [workspace.package]\nversion = \"0.1.0\"\nedition = \"2024\"\nrust-version = \"1.89\"\n\
    license = \"MIT\"\npublish = false\n[workspace.dependencies]\n\
    model = { path = \"crates/model\" }\nambient = { path = \"crates/ambient\" }\n\
    [workspace.lints.rust]\n";

/// Writes a workspace of three crates of the layer table; `name` keeps parallel tests apart.
fn plant(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if root.exists() {
        std::fs::remove_dir_all(&root).expect("a folder of ours");
    }
    write(&root, "Cargo.toml", ROOT_MANIFEST);
    write(&root, "docs/ARCHITECTURE.md", "Words are `model`, chance is `ambient`, keys `trust`.\n");
    write(&root, "CHANGELOG.md", "# Changelog\n\n## Unreleased\n");
    for (package, dependencies) in [("model", ""), ("ambient", ""), ("trust", "model ambient")] {
        write_package(&root, package, dependencies);
    }
    root
}

fn write_package(root: &Path, name: &str, dependencies: &str) {
    let inherit = |key: &str| format!("{key}.workspace = true\n");
    let keys = ["version", "edition", "rust-version", "license", "publish"].map(inherit).concat();
    let dependencies: String = dependencies.split_whitespace().map(inherit).collect();
    let manifest = format!(
        "[package]\nname = \"{name}\"\n{keys}[lib]\ndoctest = false\n\
         [lints]\nworkspace = true\n[dependencies]\n{dependencies}"
    );
    write(root, &format!("crates/{name}/Cargo.toml"), &manifest);
    write(root, &format!("crates/{name}/src/lib.rs"), "//! Planted.\n");
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

/// What tidy says of a workspace and whether it passes, after one change to a good one.
fn tidy_after(name: &str, change: impl FnOnce(&Path)) -> (bool, String) {
    let root = plant(name);
    change(&root);
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let output = command.args(["tidy", "--root"]).arg(root).output().expect("xtask starts");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

fn assert_refused(name: &str, change: impl FnOnce(&Path), complaint: &str) {
    let (success, output) = tidy_after(name, change);
    assert!(!success && output.contains(complaint), "expected {complaint:?} in:\n{output}");
}

#[test]
fn a_tidy_workspace_passes() {
    let (success, output) = tidy_after("tidy", |_| {});
    assert!(success && output.contains("3 crates, 9 files, 0 violations"), "{output}");
}

#[test]
fn a_forbidden_edge_fails() {
    let complaint = "crates/ambient/Cargo.toml: layer-edge: `ambient` may not use `model`";
    assert_refused("forbidden-edge", |root| write_package(root, "ambient", "model"), complaint);
}

#[test]
fn a_cycle_fails() {
    let close_circle = |root: &Path| {
        write_package(root, "ambient", "model");
        write_package(root, "model", "ambient");
    };
    let complaint = "layer-cycle: break the cycle ambient -> model -> ambient";
    assert_refused("cycle", close_circle, complaint);
}

#[test]
fn an_oversized_file_fails() {
    let path = "crates/model/src/long.rs";
    let complaint = format!("{path}: size: 601 lines, at most 600");
    let oversize = |root: &Path| write(root, path, &"//! Long.\n".repeat(601));
    assert_refused("oversized-file", oversize, &complaint);
}

#[test]
fn an_undocumented_crate_fails() {
    let forget = |root: &Path| write(root, "docs/ARCHITECTURE.md", "`model` and `ambient`.\n");
    let complaint = "docs/ARCHITECTURE.md: crate-undocumented: say what `trust` owns";
    assert_refused("undocumented-crate", forget, complaint);
}
