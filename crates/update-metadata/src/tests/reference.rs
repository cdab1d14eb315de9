//! Reference data for tests: real input that is never part of the repository.

use std::path::{Path, PathBuf};

/// The bytes of a reference file; without it the test `name` is recorded as skipped.
pub(crate) fn read(name: &str, file: &str) -> Option<Vec<u8>> {
    let path = path(file);
    let bytes = std::fs::read(&path).ok();
    if bytes.is_none() {
        skip(name, &format!("no reference data at {}", path.display()));
    }
    bytes
}

/// A folder of reference files, in the same way.
pub(crate) fn folder(name: &str, folder: &str) -> Option<PathBuf> {
    let path = path(folder);
    if !path.is_dir() {
        skip(name, &format!("no reference data at {}", path.display()));
        return None;
    }
    Some(path)
}

/// Records why the test `name` was left out, or a part of it.
pub(crate) fn skip(name: &str, reason: &str) {
    let skipped = workspace().join("target/skipped");
    std::fs::create_dir_all(&skipped).expect("target is writable");
    std::fs::write(skipped.join(name), reason).expect("target is writable");
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn path(file: &str) -> PathBuf {
    let data = std::env::var_os("TIERLINE_REFERENCE_DATA").map(PathBuf::from);
    data.unwrap_or_else(|| workspace().join("../shared/data")).join(file)
}
