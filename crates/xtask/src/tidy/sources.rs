//! What Rust files look like: sizes, names, and words that belong elsewhere.

use std::ops::Range;

use super::Violation;
use crate::layers::lists;
use crate::size_exceptions::SIZE_EXCEPTIONS;
use crate::source::Source;
use crate::workspace::{File, Workspace};

const LINES_MAX: usize = 600;
const LIBRARY_LINES_MAX: usize = 250;
const MAIN_LINES_MAX: usize = 80;
const COLUMNS_MAX: usize = 100;

/// Names of files, folders and crates that say nothing about what is inside.
const EMPTY_NAMES: &str = "util utils common helper helpers core shared types misc mod";

/// What no Rust file holds, its rule, and what to do; split, so that this file holds none of it.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    (concat!("FIX", "ME"), "unfinished", "fix it before it lands"),
    (concat!("#[ig", "nore"), "test-attribute", "a test runs always"),
    (concat!("#[should", "_panic"), "test-attribute", "assert the error the test expects"),
];

/// Names in code that have a home: rule, names, fragments of the paths they are at home in, advice.
/// Tests are free of these.
const NAME_RULES: &[(&str, &str, &str, &str)] = &[
    (
        "print",
        "println! print! eprintln! eprint! dbg!",
        "crates/cli/ crates/xtask/ crates/sim/src/bin/ /bench build.rs",
        "log with tracing; only the command line talks to a person",
    ),
    (
        "files",
        "fs::",
        "crates/content-library/ crates/sqlite-engine/ crates/transport/ crates/daemon/ \
         crates/sync-manager/ crates/software-update-point/ crates/agent/ crates/demo/ \
         crates/cli/ crates/testkit/ crates/sim/ crates/xtask/ build.rs",
        "files belong to a crate that owns them; see docs/STYLE.md",
    ),
    (
        "sockets",
        "TcpListener TcpStream UdpSocket",
        "crates/transport/ crates/testkit/ crates/demo/ crates/sim/",
        "take a listener or connector of transport as an argument",
    ),
    (
        "anyhow",
        "anyhow::",
        "/main.rs /src/bin/ crates/cli/ crates/xtask/",
        "a library returns the error of its error.rs",
    ),
    (
        "daemon",
        "daemon::",
        "/main.rs /src/bin/ /config.rs /config/ crates/site/ crates/demo/ crates/sim/",
        "a role can be hosted: only its main.rs and config.rs know the process",
    ),
];

/// Crates with tables of their own; one with a `schema` folder need not be listed.
const SQL_HOMES: &str =
    "sqlite-engine site-db content-library update-catalog management-point agent sim";
const SQL_OPENINGS: &[&str] =
    &["SELECT ", "INSERT INTO ", "INSERT OR ", "UPDATE ", "DELETE FROM ", "CREATE TABLE "];

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in workspace.files.iter().filter(|file| file.path.ends_with(".rs")) {
        let subject = Subject::new(file);
        let mut report = |line, rule, advice: String| {
            violations.push(Violation::new(&file.path, line, rule, advice));
        };
        check_size(&subject, &mut report);
        check_text(&subject, &mut report);
        check_code(&subject, &mut report);
        if !owns_schema(workspace, &file.path) {
            check_sql(&subject, &mut report);
        }
    }
    violations
}

/// A file, its scanned text, and the lines of it that are not tests, from 1.
struct Subject<'a> {
    file: &'a File,
    source: Source,
    product: Range<usize>,
}

impl<'a> Subject<'a> {
    fn new(file: &'a File) -> Subject<'a> {
        let source = Source::scan(&file.text);
        let path = format!("/{}", file.path);
        let is_test = path.contains("/tests/") || path.ends_with("/tests.rs");
        let inline = source.code.lines().position(|line| line.starts_with("mod tests {"));
        let end = inline.unwrap_or_else(|| file.text.lines().count()) + 1;
        Subject { file, source, product: if is_test { 0..0 } else { 1..end } }
    }
}

fn check_size(subject: &Subject<'_>, report: &mut impl FnMut(usize, &'static str, String)) {
    let path = &subject.file.path;
    let lines = subject.product.len();
    let max = match path.rsplit('/').next() {
        Some("lib.rs") => LIBRARY_LINES_MAX,
        Some("main.rs") => MAIN_LINES_MAX,
        _ => LINES_MAX,
    };
    match SIZE_EXCEPTIONS.iter().any(|(excused, _)| excused == path) {
        false if lines > max => report(0, "size", format!("{lines} lines, at most {max}")),
        true if lines <= max => report(0, "size", "remove it from size_exceptions.rs".into()),
        _ => {}
    }
    let code = subject.source.code.lines();
    for (at, (line, code)) in subject.file.text.lines().zip(code).enumerate() {
        // A test's snapshot is as wide as what it shows; its code is not.
        let columns = match subject.product.contains(&(at + 1)) {
            true => line.chars().count(),
            false => Vec::from_iter(code.split_whitespace()).join(" ").chars().count(),
        };
        if columns > COLUMNS_MAX {
            report(at + 1, "width", format!("{columns} columns, at most {COLUMNS_MAX}"));
        }
    }
}

fn check_text(subject: &Subject<'_>, report: &mut impl FnMut(usize, &'static str, String)) {
    let File { path, text } = subject.file;
    for part in path.split('/').map(|part| part.trim_end_matches(".rs")) {
        if lists(EMPTY_NAMES, part) {
            report(0, "name", format!("{part:?} says nothing; name it after what it contains"));
        }
    }
    if !text.trim_start().starts_with("//!") && subject.product.start == 1 {
        report(1, "module-doc", "say what it owns, what it refuses to know, how it fails".into());
    }
    for (at, line) in text.lines().enumerate() {
        for (_, rule, advice) in FORBIDDEN.iter().filter(|(word, ..)| line.contains(word)) {
            report(at + 1, rule, (*advice).to_owned());
        }
    }
}

fn check_code(subject: &Subject<'_>, report: &mut impl FnMut(usize, &'static str, String)) {
    let code = &subject.source.code;
    for (rule, names, homes, advice) in NAME_RULES {
        if homes.split_whitespace().any(|home| subject.file.path.contains(home)) {
            continue;
        }
        for (at, line) in code.lines().enumerate() {
            let named = || names.split_whitespace().any(|name| mentions(line, name));
            if subject.product.contains(&(at + 1)) && named() {
                report(at + 1, rule, (*advice).to_owned());
            }
        }
    }
    // Unbiased, it draws its order from the thread's own generator, which no seed replays.
    for (at, macro_name) in code.match_indices("select!") {
        let body = code[at + macro_name.len()..].trim_start().trim_start_matches(['{', '(']);
        if !body.trim_start().starts_with("biased") {
            let line = code[..at].matches('\n').count() + 1;
            report(line, "select", "write `biased;`, cancellation first".into());
        }
    }
}

/// Whether a line of code has the name as a word of its own, not as the end of another.
fn mentions(line: &str, name: &str) -> bool {
    let continues = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(name).any(|(at, _)| !line[..at].ends_with(continues))
}

fn owns_schema(workspace: &Workspace, path: &str) -> bool {
    let Some((name, _)) = path.trim_start_matches("crates/").split_once('/') else { return false };
    let schema = format!("crates/{name}/schema/");
    lists(SQL_HOMES, name) || workspace.files.iter().any(|file| file.path.starts_with(&schema))
}

fn check_sql(subject: &Subject<'_>, report: &mut impl FnMut(usize, &'static str, String)) {
    let literals = subject.source.literals.iter();
    for literal in literals.filter(|literal| subject.product.contains(&literal.line)) {
        let text = literal.text.trim_start_matches([' ', '\n', '\\']);
        let opens = |opening: &&str| text.len() > opening.len() && text.starts_with(*opening);
        if SQL_OPENINGS.iter().any(opens) {
            let advice = "call a function of the crate that owns the schema";
            report(literal.line, "sql", advice.to_owned());
        }
    }
}
