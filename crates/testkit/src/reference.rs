//! Reference data, which is not part of the repository: captured answers of real servers and
//! catalogs of vendors. A test that needs what is not there notes that it was skipped.

use std::path::PathBuf;
use std::process::Command;

/// Counts independently: strict XML, then PackageID, a title and an installable item.
const COUNT: &str = r#"
import sys, zipfile, xml.parsers.expat as expat
NAME = "SoftwareDistributionPackage"
def local(name): return name.rsplit("}", 1)[-1]
def packages(data):
    found, stack = [], []
    def start(name, attributes):
        stack.append(local(name))
        if stack[-1] == NAME: found.append({"title": "", "items": 0, "id": None})
        if NAME not in stack: return
        inner, package = stack[len(stack) - stack[::-1].index(NAME):], found[-1]
        if inner == ["Properties"]: package["id"] = attributes.get("PackageID")
        if inner == ["InstallableItem"]: package["items"] += 1
    def end(name): stack.pop()
    def text(data):
        if stack[-2:] == ["LocalizedProperties", "Title"]: found[-1]["title"] += data
    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = text
    parser.Parse(data, True)
    return found
ids = set()
for path in sys.argv[1:]:
    if path.endswith(".zip"):
        archive = zipfile.ZipFile(path)
        documents = [archive.read(name) for name in archive.namelist()]
    else:
        documents = [open(path, "rb").read()]
    for document in documents:
        for package in packages(document):
            if package["id"] and package["title"].strip() and package["items"]:
                ids.add(package["id"].lower())
print(len(ids))
"#;

/// A file or folder of the reference data, or nothing and a note for the test run's summary.
#[must_use]
pub fn reference(test: &str, path: &str) -> Option<PathBuf> {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = std::env::var_os("TIERLINE_REFERENCE_DATA")
        .map_or_else(|| workspace.join("../shared/data"), PathBuf::from);
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    skip(test, &format!("{} is missing", found.display()));
    None
}

/// Notes for the test run's summary that a test was left out.
pub fn skip(test: &str, reason: &str) {
    let skipped = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/skipped");
    std::fs::create_dir_all(&skipped).expect("the target directory is writable");
    std::fs::write(skipped.join(test), reason).expect("the target directory is writable");
}

/// Vendors' catalogs, and how many updates Python's own XML parser finds in them.
#[must_use]
pub fn vendor_catalogs(test: &str) -> Option<(Vec<PathBuf>, usize)> {
    let folder = reference(test, "sdp-catalogs")?;
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    let counted = Command::new("python3").arg("-c").arg(COUNT).args(&paths).output();
    let counted = String::from_utf8(counted.expect("python3 is there").stdout).expect("text");
    Some((paths, counted.trim().parse().expect("a number")))
}
