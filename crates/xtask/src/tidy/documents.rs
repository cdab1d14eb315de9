//! Documents, and what no text file may hold.

use super::Violation;
use crate::workspace::{File, Workspace};

const ARCHITECTURE: &str = "docs/ARCHITECTURE.md";
const CHANGELOG: &str = "CHANGELOG.md";

/// Paths and hosts that mean nothing elsewhere; split here, so that this file does not name them.
const STRANGERS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("npmjs", ".org"),
];

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = check_architecture(workspace);
    violations.extend(check_changelog(workspace));
    for file in workspace.files.iter().filter(|file| !file.path.ends_with("Cargo.lock")) {
        for (at, line) in file.text.lines().enumerate() {
            let mut report = |rule, advice| {
                violations.push(Violation::new(&file.path, at + 1, rule, advice));
            };
            for stranger in STRANGERS.iter().filter(|stranger| line.contains(**stranger)) {
                report("stranger", format!("{stranger:?} means nothing on another machine"));
            }
            let links = line.split("](").skip(1).filter(|_| file.path.ends_with(".md"));
            for target in links.filter_map(|rest| rest.split([')', '#']).next()) {
                if !target.contains(':') && !exists(workspace, &resolve(&file.path, target)) {
                    report("link", format!("{target} leads nowhere"));
                }
            }
        }
    }
    violations
}

fn check_architecture(workspace: &Workspace) -> Vec<Violation> {
    let Some(file) = workspace.file(ARCHITECTURE) else {
        let advice = "write it; its codemap names every crate";
        return vec![Violation::new(ARCHITECTURE, 0, "document-missing", advice)];
    };
    let names = workspace.packages.iter().map(|package| format!("`{}`", package.name));
    let unnamed = names.filter(|name| !file.text.contains(name));
    let advice = unnamed.map(|name| format!("say what {name} owns in the codemap"));
    advice.map(|advice| Violation::new(ARCHITECTURE, 0, "crate-undocumented", advice)).collect()
}

/// A title, then `## Unreleased`, then released versions.
fn check_changelog(workspace: &Workspace) -> Option<Violation> {
    let text = workspace.file(CHANGELOG).map_or("", |file| &file.text);
    let mut sections = text.lines().filter_map(|line| line.strip_prefix("## "));
    let is_version = |title: &str| {
        let version = title.split(' ').next().unwrap_or_default();
        version.split('.').filter(|part| part.parse::<u32>().is_ok()).count() == 3
    };
    let good = text.starts_with("# Changelog\n")
        && sections.next() == Some("Unreleased")
        && sections.all(is_version);
    let advice = "begin with `# Changelog` and `## Unreleased`, then one `## X.Y.Z` per release";
    (!good).then(|| Violation::new(CHANGELOG, 0, "changelog", advice))
}

fn exists(workspace: &Workspace, path: &str) -> bool {
    let leads = |file: &File| file.path == path || file.path.starts_with(&format!("{path}/"));
    path.is_empty() || workspace.files.iter().any(leads)
}

/// The path from the workspace root that a link in `document` names.
fn resolve(document: &str, target: &str) -> String {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    if target.is_empty() {
        return document.to_owned();
    }
    for part in target.trim_end_matches('/').split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            _ => parts.push(part),
        }
    }
    parts.join("/")
}
