//! The table of features: every claim names a test that is there.
//!
//! Owns what a row looks like and that the table agrees with itself. Whether a test shows what its
//! row says is for readers to judge.

use std::collections::BTreeMap;

use super::Violation;
use crate::workspace::Workspace;

const TABLE: &str = "docs/features.md";
const STATES: [&str; 3] = ["done", "partly", "not yet"];

/// A row, and its line from 1.
struct Row<'a> {
    line: usize,
    id: &'a str,
    state: &'a str,
    tests: Vec<&'a str>,
}

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    // A workspace without the table claims nothing.
    let Some(file) = workspace.file(TABLE) else { return Vec::new() };
    let mut violations = Vec::new();
    let (mut seen, mut counts) = (BTreeMap::new(), BTreeMap::new());
    for Row { line, id, state, tests } in rows(&file.text) {
        let mut report =
            |rule, advice: String| violations.push(Violation::new(TABLE, line, rule, advice));
        *counts.entry(state).or_insert(0) += 1;
        if let Some(before) = seen.insert(id, line) {
            report("feature-twice", format!("{id} stands in line {before}, too"));
        }
        if !STATES.contains(&state) {
            report("feature-state", format!("{id} is {state:?}; say done, partly or not yet"));
        }
        if state == "done" && tests.is_empty() {
            report("feature-untested", format!("{id} is done by no test; name the one"));
        }
        for test in tests.into_iter().filter(|test| !is_there(workspace, test)) {
            report("feature-test", format!("{id}: there is no test {test}"));
        }
    }
    let expected = summary(&counts);
    let lines = file.text.lines().zip(1..);
    if let Some((said, line)) = lines.into_iter().find(|(line, _)| line.contains(" behaviors: "))
        && said != expected
    {
        violations.push(Violation::new(TABLE, line, "feature-count", format!("say {expected:?}")));
    }
    violations
}

fn rows(text: &str) -> impl Iterator<Item = Row<'_>> {
    text.lines().zip(1..).filter_map(|(text, line)| {
        let mut cells = text.strip_prefix('|')?.split('|').map(str::trim);
        let id = cells.next().filter(|id| is_id(id))?;
        let (_, state, tests) = (cells.next()?, cells.next()?, cells.next()?);
        let tests = tests.split('`').skip(1).step_by(2).collect();
        Some(Row { line, id, state, tests })
    })
}

/// Such as `SUPX-04`.
fn is_id(text: &str) -> bool {
    text.split_once('-').is_some_and(|(family, number)| {
        !family.is_empty()
            && family.bytes().all(|byte| byte.is_ascii_uppercase())
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Whether `crate::module::test` is the name of a function in the file of that module, or in the
/// one that it stands in.
fn is_there(workspace: &Workspace, test: &str) -> bool {
    let mut parts: Vec<&str> = test.split("::").collect();
    let (Some(name), false) = (parts.pop(), parts.is_empty()) else { return false };
    let root = match parts.remove(0) {
        whole @ ("e2e" | "sim") => format!("tests/{whole}"),
        name => format!("crates/{name}/src"),
    };
    let of = |modules: &[&str]| format!("{root}/{}.rs", modules.join("/"));
    let files = match parts.as_slice() {
        [] => vec![format!("{root}/main.rs"), format!("{root}/lib.rs")],
        [_] => vec![of(&parts), format!("{root}/lib.rs"), format!("{root}/main.rs")],
        [outer @ .., _] => vec![of(&parts), of(outer)],
    };
    let function = format!("fn {name}(");
    let found = files.iter().filter_map(|path| workspace.file(path));
    found.into_iter().any(|file| file.text.contains(&function))
}

fn summary(counts: &BTreeMap<&str, usize>) -> String {
    let of = |state: &str| counts.get(state).copied().unwrap_or_default();
    let [done, partly, not_yet] = STATES.map(of);
    let all: usize = counts.values().sum();
    format!("{all} behaviors: {done} done, {partly} partly, {not_yet} not yet.")
}
