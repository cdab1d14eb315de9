//! Programs that verbs need and that come from the system's packages.
//!
//! Owns how what is missing is found and installed. Fails with a request where nobody here may
//! install anything.

use std::process::Command;

use anyhow::bail;

use crate::processes::{run, succeeds};

/// A program, and the packages that have it on Debian and its kin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    pub(crate) program: &'static str,
    /// Arguments with which it succeeds if it is there with all it needs.
    pub(crate) probe: &'static [&'static str],
    pub(crate) packages: &'static str,
}

/// How packages can be installed here.
#[derive(Clone, Copy, Debug)]
enum Installer {
    Root,
    Sudo,
    Nobody,
}

pub(crate) fn provide(tools: &[Tool]) -> anyhow::Result<()> {
    let is_missing = |tool: &&Tool| !succeeds(tool.program, tool.probe);
    let missing: Vec<Tool> = tools.iter().filter(is_missing).copied().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let is_root = || Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    let installer = match succeeds("apt-get", &["--version"]) {
        true if is_root() => Installer::Root,
        true if succeeds("sudo", &["-n", "true"]) => Installer::Sudo,
        _ => Installer::Nobody,
    };
    run(Command::new("sh").arg("-c").arg(plan_installation(&missing, installer)?))
}

/// The command that installs what is missing, or a request to whoever can.
fn plan_installation(missing: &[Tool], installer: Installer) -> anyhow::Result<String> {
    let packages: Vec<&str> = missing.iter().map(|tool| tool.packages).collect();
    let packages = packages.join(" ");
    let prefix = match installer {
        Installer::Root => "",
        Installer::Sudo => "sudo -n ",
        Installer::Nobody => bail!("this needs {packages}: install them, then try again"),
    };
    let install = "env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends";
    Ok(format!("{prefix}apt-get update && {prefix}{install} {packages}"))
}

#[cfg(test)]
mod tests;
