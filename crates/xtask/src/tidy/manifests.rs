//! The form of each crate's Cargo.toml: everything that can come from the workspace does.

use toml::{Table, Value};

use super::Violation;
use crate::workspace::Workspace;

const INHERITED: &[&str] = &["version", "edition", "rust-version", "license", "publish"];
const DEPENDENCIES: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in &workspace.packages {
        let path = &package.manifest;
        let mut report = |advice| violations.push(Violation::new(path, 0, "manifest", advice));
        if *path != format!("crates/{}/Cargo.toml", package.name) {
            report(format!("the folder of `{0}` is crates/{0}", package.name));
        }
        let Some(file) = workspace.file(path) else { continue };
        match file.text.parse::<Table>() {
            Ok(manifest) => {
                let library = path.replace("Cargo.toml", "src/lib.rs");
                let doctest = manifest.get("lib").and_then(|library| library.get("doctest"));
                if workspace.file(&library).is_some() && doctest != Some(&Value::Boolean(false)) {
                    report("say lib.doctest = false; examples live in tests".to_owned());
                }
                check_inherited(&manifest, &mut report);
            }
            Err(error) => report(format!("not TOML: {error}")),
        }
    }
    violations
}

fn check_inherited(manifest: &Table, report: &mut impl FnMut(String)) {
    let inherits = |value: &Value| value.get("workspace") == Some(&Value::Boolean(true));
    let package = manifest.get("package");
    let stated = INHERITED.iter().map(|key| (*key, package.and_then(|package| package.get(*key))));
    for (key, value) in stated.chain([("lints", manifest.get("lints"))]) {
        if !value.is_some_and(inherits) {
            report(format!("say {key}.workspace = true"));
        }
    }
    let sections = DEPENDENCIES.iter().filter_map(|name| manifest.get(*name)?.as_table());
    for (name, _) in sections.flatten().filter(|(_, value)| !inherits(value)) {
        report(format!("say {name}.workspace = true; the root manifest pins its version"));
    }
}
