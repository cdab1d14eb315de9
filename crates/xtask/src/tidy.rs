//! `cargo xtask tidy`: the rules of the house that no compiler checks.
//!
//! Every check is a pure function of a [`Workspace`]; it fails by returning violations, each with
//! the place, the rule and what to do.

mod documents;
mod features;
mod layering;
mod manifests;
mod sources;

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use crate::workspace::Workspace;

/// One broken rule at one place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    pub(crate) path: String,
    /// From 1; 0 where the rule is about the whole file.
    pub(crate) line: usize,
    pub(crate) rule: &'static str,
    pub(crate) advice: String,
}

impl Violation {
    fn new(path: &str, line: usize, rule: &'static str, advice: impl Into<String>) -> Violation {
        Violation { path: path.to_owned(), line, rule, advice: advice.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { path, line, rule, advice } = self;
        match line {
            0 => write!(f, "{path}: {rule}: {advice}"),
            _ => write!(f, "{path}:{line}: {rule}: {advice}"),
        }
    }
}

pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::load(root)?;
    let violations = check(&workspace);
    for violation in &violations {
        println!("{violation}");
    }
    let (packages, files) = (workspace.packages.len(), workspace.files.len());
    println!("tidy: {packages} crates, {files} files, {} violations", violations.len());
    Ok(if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// All rules, sorted by place.
pub(crate) fn check(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = layering::check(workspace);
    violations.extend(manifests::check(workspace));
    violations.extend(documents::check(workspace));
    violations.extend(features::check(workspace));
    violations.extend(sources::check(workspace));
    violations.sort();
    violations
}

#[cfg(test)]
mod tests;
