//! `cargo xtask fuzz`: builds the fuzz targets of tests/fuzz and runs them one by one.
//!
//! Owns how they are built (by cargo-fuzz without a sanitizer, so that the stable compiler will
//! do), what they begin with (seeds they make of the reference data, below target/fuzz and never
//! kept), and what one input may cost. A canary that has to fail goes first. What made a target
//! fail stays below target/fuzz/artifacts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail, ensure};
use toml::Table;

use crate::processes::{cargo, run as run_process};
use crate::tools::{self, Tool};

const CARGO_FUZZ: &str = "0.13.2";
const TOOLS: &[Tool] = &[Tool { program: "c++", probe: &["--version"], packages: "g++" }];
const CANARY: &str = "canary";
const SECONDS: u32 = 60;
const CANARY_SECONDS: u32 = 10;
/// Bytes of an input: twice the largest seeds.
const INPUT_BYTES_MAX: u32 = 128 << 10;
/// What one input may cost: documents unpack to 32 MiB, which are held in two forms at once.
const RESIDENT_MIB_MAX: u32 = 256;
const INPUT_SECONDS_MAX: u32 = 10;
/// Lines of a failed target's output that are shown.
const LINES_SHOWN: usize = 25;

struct Fuzzing {
    root: PathBuf,
    /// Everything that is made.
    output: PathBuf,
    platform: String,
}

/// How a run of a target ended.
struct Outcome {
    is_good: bool,
    said: String,
}

pub(crate) fn run(root: &Path, arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let (seconds, rest) = match arguments {
        ["--seconds", seconds, rest @ ..] => {
            (seconds.parse().with_context(|| format!("{seconds:?} is no number"))?, rest)
        }
        rest => (SECONDS, rest),
    };
    let root = root.canonicalize().with_context(|| format!("cannot find {root:?}"))?;
    let all = targets(&fs::read_to_string(root.join("tests/fuzz/Cargo.toml"))?)?;
    let chosen = match rest {
        [] => all,
        [one] if all.iter().any(|target| target == one) => vec![(*one).to_owned()],
        _ => bail!("say one of these targets, or none for all: {}", all.join(" ")),
    };
    tools::provide(TOOLS)?;
    provide_cargo_fuzz(&root)?;
    let fuzzing = Fuzzing { output: root.join("target/fuzz"), root, platform: platform()? };
    fuzzing.build()?;
    let canary = fuzzing.target(CANARY, CANARY_SECONDS)?;
    ensure!(!canary.is_good, "the canary did not fail, so nothing would be noticed");
    let mut failed = Vec::new();
    for target in chosen {
        let outcome = fuzzing.target(&target, seconds)?;
        println!("{target}: {}", summary(&outcome));
        if !outcome.is_good {
            failed.push(target);
        }
    }
    println!("failed: {}", failed.len());
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The targets a manifest names, without the canary.
fn targets(manifest: &str) -> anyhow::Result<Vec<String>> {
    let manifest: Table = manifest.parse()?;
    let targets = manifest.get("bin").and_then(|bins| bins.as_array()).context("no targets")?;
    let names = targets.iter().filter_map(|target| target.get("name")?.as_str());
    Ok(names.filter(|name| *name != CANARY).map(str::to_owned).collect())
}

fn provide_cargo_fuzz(root: &Path) -> anyhow::Result<()> {
    let found = cargo(root, &["fuzz", "--version"]).output()?;
    if String::from_utf8_lossy(&found.stdout).trim_end().ends_with(CARGO_FUZZ) {
        return Ok(());
    }
    let install = ["install", "--locked", "cargo-fuzz", "--version", CARGO_FUZZ];
    run_process(cargo(root, &install))
        .with_context(|| format!("the fuzz targets need cargo-fuzz {CARGO_FUZZ}: install it"))
}

/// The platform we build for, which is the one we run on.
fn platform() -> anyhow::Result<String> {
    let about = Command::new("rustc").arg("-vV").output()?;
    let about = String::from_utf8(about.stdout)?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not name its host")?.to_owned())
}

impl Fuzzing {
    /// With the versions of the main workspace: its lockfile is completed, not resolved anew.
    fn build(&self) -> anyhow::Result<()> {
        let folder = self.root.join("tests/fuzz");
        fs::copy(self.root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
        let build = ["fuzz", "build", "--sanitizer", "none", "--target", &self.platform];
        let mut build = cargo(&self.root, &build);
        build.arg("--fuzz-dir").arg(folder).arg("--target-dir").arg(&self.output);
        run_process(build)
    }

    fn target(&self, name: &str, seconds: u32) -> anyhow::Result<Outcome> {
        let corpus = self.fresh("corpus", name)?;
        let artifacts = self.fresh("artifacts", name)?;
        let named = std::env::var_os("TIERLINE_REFERENCE_DATA").map(PathBuf::from);
        let data = std::path::absolute(named.unwrap_or_else(|| self.root.join("../shared/data")))?;
        let program = self.output.join(&self.platform).join("release").join(name);
        let output = Command::new(&program)
            .env("TIERLINE_FUZZ_SEEDS", &corpus)
            .env("TIERLINE_REFERENCE_DATA", data)
            .arg(&corpus)
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={INPUT_BYTES_MAX}"))
            .arg(format!("-rss_limit_mb={RESIDENT_MIB_MAX}"))
            .arg(format!("-timeout={INPUT_SECONDS_MAX}"))
            .arg("-print_final_stats=1")
            .output()
            .with_context(|| format!("cannot start {program:?}"))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok(Outcome { is_good: output.status.success(), said })
    }

    fn fresh(&self, kind: &str, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.output.join(kind).join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot clear {folder:?}"))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {folder:?}"))?;
        Ok(folder)
    }
}

/// The numbers of a good run, the end of what was said of another.
fn summary(outcome: &Outcome) -> String {
    let lines: Vec<&str> = outcome.said.lines().collect();
    if !outcome.is_good {
        let first = lines.iter().position(|line| line.contains("panicked at"));
        let first = first.unwrap_or(lines.len().saturating_sub(LINES_SHOWN));
        let end = lines.len().min(first + LINES_SHOWN);
        let written = lines.iter().find(|line| line.contains("Test unit written"));
        return format!("FAILED\n{}\n{}", lines[first..end].join("\n"), written.unwrap_or(&""));
    }
    let number = |name: &str| {
        let found = lines.iter().find_map(|line| line.strip_prefix(name));
        found.map_or("?", str::trim)
    };
    let (runs, rate) =
        (number("stat::number_of_executed_units:"), number("stat::average_exec_per_sec:"));
    let peak = number("stat::peak_rss_mb:");
    format!("{runs} inputs, {rate} a second, at most {peak} MiB")
}

#[cfg(test)]
mod tests;
