//! The workspace as a value: its packages with their edges, and the text of its files.
//! Owns reading both from disk; the checks see only the value, so tests can plant what they like.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::processes::cargo;

#[derive(Debug, Default)]
pub(crate) struct Workspace {
    pub(crate) packages: Vec<Package>,
    pub(crate) files: Vec<File>,
}

#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Path of its Cargo.toml from the workspace root.
    pub(crate) manifest: String,
    pub(crate) edges: Vec<Edge>,
}

/// One dependency as the manifest states it, optional and target-specific ones included.
#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) to: String,
    pub(crate) kind: EdgeKind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum EdgeKind {
    /// Part of what is shipped, or of building it.
    Shipped,
    Dev,
}

#[derive(Debug)]
pub(crate) struct File {
    /// From the workspace root, with slashes.
    pub(crate) path: String,
    /// Empty where the bytes are not text.
    pub(crate) text: String,
}

impl Workspace {
    pub(crate) fn load(root: &Path) -> anyhow::Result<Workspace> {
        let root = root.canonicalize().with_context(|| format!("cannot find {root:?}"))?;
        let output = cargo(&root, &["metadata", "--no-deps", "--format-version", "1"]).output()?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "cargo metadata failed: {complaint}");
        let metadata: Value = serde_json::from_slice(&output.stdout)?;
        let packages = array(&metadata["packages"]).map(|package| parse_package(&root, package));
        let mut workspace = Workspace { packages: packages.collect(), files: Vec::new() };
        read_folder(&root, "", &mut workspace.files)?;
        Ok(workspace)
    }

    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn parse_package(root: &Path, package: &Value) -> Package {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let manifest = text(&package["manifest_path"]);
    let edges = array(&package["dependencies"]).map(|dependency| {
        let dev = dependency["kind"] == "dev";
        let kind = if dev { EdgeKind::Dev } else { EdgeKind::Shipped };
        Edge { to: text(&dependency["name"]), kind }
    });
    let inside = manifest.strip_prefix(&format!("{}/", root.display())).unwrap_or(&manifest);
    Package { name: text(&package["name"]), manifest: inside.to_owned(), edges: edges.collect() }
}

/// Collects the files below `root/folder`, sorted, without build output and version control.
pub(crate) fn read_folder(root: &Path, folder: &str, files: &mut Vec<File>) -> anyhow::Result<()> {
    let entries =
        fs::read_dir(root.join(folder)).with_context(|| format!("cannot list {root:?}"))?;
    let mut entries = entries.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{folder}{name}");
        if entry.file_type()?.is_file() {
            let bytes = fs::read(entry.path()).with_context(|| format!("cannot read {path}"))?;
            files.push(File { path, text: String::from_utf8(bytes).unwrap_or_default() });
        } else if entry.file_type()?.is_dir() && name != "target" && name != ".git" {
            read_folder(root, &format!("{path}/"), files)?;
        }
    }
    Ok(())
}
