//! Every automation of the repository: `cargo xtask VERB`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it talks to whoever runs it")]

mod fuzzing;
mod layers;
mod processes;
mod size_exceptions;
mod source;
mod testing;
mod tidy;
mod tools;
mod workspace;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{bail, ensure};

const USAGE: &str = "usage: cargo xtask VERB
  tidy [--root DIR]                   check layers, sizes, names, manifests and documents
  test [--require-data] [-- FILTER]   build the binaries, run every test, list what was skipped
  fuzz [--seconds N] [TARGET]         run each fuzz target, a minute if nothing else is said
  deny                                check licenses, bans and sources of outside crates
  bench [ARGS]                        run the benchmarks";

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = workspace_root();
    match arguments.as_slice() {
        ["tidy"] => return tidy::run(&root),
        ["tidy", "--root", other] => return tidy::run(Path::new(other)),
        ["test", rest @ ..] => return testing::run(&root, rest),
        ["fuzz", rest @ ..] => return fuzzing::run(&root, rest),
        ["deny"] => {
            let installed = processes::succeeds("cargo", &["deny", "--version"]);
            ensure!(installed, "install cargo-deny first: cargo install --locked cargo-deny");
            let check = ["deny", "--config", ".deny.toml", "check", "bans", "licenses", "sources"];
            processes::run(processes::cargo(&root, &check))?;
        }
        ["bench", rest @ ..] => {
            let bench = ["run", "--release", "--locked", "-p", "sim", "--bin", "bench", "--"];
            processes::run(processes::cargo(&root, &bench).args(rest))?;
        }
        _ => bail!("{USAGE}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Cargo names the package's folder when it runs the binary; else the current folder must be it.
fn workspace_root() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from("."), |package| PathBuf::from(package).join("../.."))
}
