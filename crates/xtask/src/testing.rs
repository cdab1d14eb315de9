//! `cargo xtask test`: what the tests need, the tests, and what they left out.
//!
//! A test that lacks its data writes the reason to a file of its own name below target/skipped and
//! returns; this module tells them, so that nothing is left out unseen.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};

use crate::processes::{cargo, run as run_process, succeeds};
use crate::tools::{self, Tool};
use crate::workspace::{File, read_folder};

const TOOLS: &[Tool] = &[
    Tool { program: "cc", probe: &["--version"], packages: "gcc libc6-dev" },
    Tool {
        program: "python3",
        probe: &["-c", "import ensurepip, venv"],
        packages: "python3 python3-venv",
    },
    // Signs and verifies as Windows does, independently of us.
    Tool { program: "osslsigncode", probe: &["--version"], packages: "osslsigncode" },
];

/// What judges our XML and our messages independently of us, in an environment of its own below
/// target/python.
const PYTHON_PACKAGES: &[&str] = &["lxml==6.0.2", "zeep==4.3.3"];
const PYTHON_PROBE: &str = "import lxml, zeep";

pub(crate) fn run(root: &Path, arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let (data_required, filter) = match arguments {
        ["--require-data", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let filter = match filter {
        [] => &[],
        ["--", filter @ ..] => filter,
        [unknown, ..] => bail!("unexpected argument {unknown:?}; filters come after --"),
    };
    let root = root.canonicalize().with_context(|| format!("cannot find {root:?}"))?;
    tools::provide(TOOLS)?;
    if let Err(error) = provide_python(&root.join("target/python")) {
        eprintln!("{error:#}; what needs {} is skipped", PYTHON_PACKAGES.join(" "));
    }
    let folder = root.join("target/skipped");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot clear {folder:?}"))?;
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {folder:?}"))?;

    let outcome = run_tests(&root, filter);
    if let Err(error) = &outcome {
        eprintln!("{error:#}");
    }
    let mut skipped = Vec::new();
    read_folder(&folder, "", &mut skipped)?;
    if data_required && !skipped.is_empty() {
        eprintln!("--require-data: a skipped test fails; see TIERLINE_REFERENCE_DATA");
    }
    print!("{}", report(&skipped));
    let complete = skipped.is_empty() || !data_required;
    Ok(if outcome.is_ok() && complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// End-to-end tests start the built binaries, so those are built first.
fn run_tests(root: &Path, filter: &[&str]) -> anyhow::Result<()> {
    run_process(cargo(root, &["build", "--workspace", "--bins", "--locked"]))?;
    // Absolute, since each test runs in the folder of its own package.
    let named = std::env::var_os("TIERLINE_REFERENCE_DATA").map(PathBuf::from);
    let data = std::path::absolute(named.unwrap_or_else(|| root.join("../shared/data")))?;
    let mut tests = if succeeds("cargo", &["nextest", "--version"]) {
        cargo(root, &["nextest", "run", "--workspace", "--locked"])
    } else {
        cargo(root, &["test", "--workspace", "--locked", "--no-fail-fast", "--"])
    };
    run_process(tests.args(filter).env("TIERLINE_REFERENCE_DATA", data))
}

/// One line per skipped test and, always last, their count.
fn report(skipped: &[File]) -> String {
    let line = |file: &File| format!("skipped: {} ({})\n", file.path, file.text.trim());
    let lines: String = skipped.iter().map(line).collect();
    format!("{lines}skipped: {}\n", skipped.len())
}

fn provide_python(environment: &Path) -> anyhow::Result<()> {
    let python = environment.join("bin/python");
    let is_complete = python.to_str().is_some_and(|name| succeeds(name, &["-c", PYTHON_PROBE]));
    if is_complete {
        return Ok(());
    }
    run_process(Command::new("python3").args(["-m", "venv"]).arg(environment))?;
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run_process(Command::new(python).args(install).args(PYTHON_PACKAGES))
}

#[cfg(test)]
mod tests;
