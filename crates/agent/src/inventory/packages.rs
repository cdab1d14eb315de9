//! Installed packages: dpkg's status file, and what `rpm` says where there is an rpm database.
//!
//! Owns both forms. A program that does not end, or says more than is read, has said nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;

use model::{Software, SoftwareOrigin};
use rpc::limits::INVENTORY_SOFTWARE_MAX;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::time::timeout;
use update_metadata::PackageOrder;

use crate::limits::{INVENTORY_BYTES_MAX, INVENTORY_TOOL_TIME};

/// Where rpm keeps its database: now, and before.
const RPM_DATABASES: [&str; 2] = ["usr/lib/sysimage/rpm", "var/lib/rpm"];

const RPM_FORMAT: &str = "%{NAME}\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\t%{ARCH}\n";

pub(super) async fn software(root: &Path) -> BTreeSet<Software> {
    let status = read(&root.join("var/lib/dpkg/status"));
    let mut found: BTreeSet<Software> = dpkg(&status).take(INVENTORY_SOFTWARE_MAX).collect();
    if let Some(list) = rpm(root).await {
        found.extend(rpm_list(&list).take(INVENTORY_SOFTWARE_MAX));
    }
    found
}

/// The version of each; of one that is installed in several, as kernels are, the latest.
pub(crate) fn latest(
    packages: impl Iterator<Item = Software>,
    order: PackageOrder,
) -> BTreeMap<String, String> {
    let mut latest = BTreeMap::<String, String>::new();
    for Software { name, version, .. } in packages {
        let known = latest.entry(name).or_default();
        if known.is_empty() || order.compare(&version, known).is_gt() {
            *known = version;
        }
    }
    latest
}

/// Nothing of a file that is not there, is no text, or is too large.
pub(crate) fn read(path: &Path) -> String {
    let mut bytes = Vec::new();
    let read = || File::open(path)?.take(INVENTORY_BYTES_MAX).read_to_end(&mut bytes);
    match { read }() {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    }
}

/// Packages whose status is "installed", by paragraphs.
pub(crate) fn dpkg(status: &str) -> impl Iterator<Item = Software> {
    let package = |paragraph: &str| {
        let field = |key: &str| {
            let line = paragraph.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            line.map(|value| value.trim().to_owned())
        };
        let is_installed = field("Status")?.ends_with(" installed");
        let architecture = field("Architecture").unwrap_or_default();
        let (name, version) = (field("Package")?, field("Version")?);
        is_installed.then_some(Software {
            name,
            version,
            architecture,
            origin: SoftwareOrigin::Dpkg,
        })
    };
    status.split("\n\n").filter_map(package)
}

/// What rpm lists; none where there is no database of it, or none that it can read.
pub(crate) async fn rpm(root: &Path) -> Option<String> {
    let is_there = |path: &&str| {
        fs::read_dir(root.join(path)).is_ok_and(|mut entries| entries.next().is_some())
    };
    RPM_DATABASES.into_iter().find(is_there)?;
    let mut command = Command::new("/usr/bin/rpm");
    command.arg("--root").arg(root).args(["-qa", "--queryformat", RPM_FORMAT]);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.kill_on_drop(true).spawn().ok()?;
    let listed = async {
        let mut said = Vec::new();
        child.stdout.take()?.take(INVENTORY_BYTES_MAX).read_to_end(&mut said).await.ok()?;
        let is_whole = (said.len() as u64) < INVENTORY_BYTES_MAX;
        let status = child.wait().await.ok()?;
        (is_whole && status.success()).then(|| String::from_utf8_lossy(&said).into_owned())
    };
    timeout(INVENTORY_TOOL_TIME, listed).await.ok()?
}

/// Lines of name, version and architecture. Keys that were imported are no packages.
pub(crate) fn rpm_list(text: &str) -> impl Iterator<Item = Software> {
    let package = |line: &str| {
        let mut fields = line.split('\t').map(str::to_owned);
        let (name, version, architecture) = (fields.next()?, fields.next()?, fields.next()?);
        let is_package = !name.is_empty() && name != "gpg-pubkey";
        is_package.then_some(Software { name, version, architecture, origin: SoftwareOrigin::Rpm })
    };
    text.lines().filter_map(package)
}
