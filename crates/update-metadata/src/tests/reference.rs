//! Reference data for tests: real input that is never part of the repository.

use std::path::{Path, PathBuf};

/// The bytes of a reference file; without it the test `name` is recorded as skipped.
pub(crate) fn read(name: &str, file: &str) -> Option<Vec<u8>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let data = std::env::var_os("TIERLINE_REFERENCE_DATA").map(PathBuf::from);
    let path = data.unwrap_or_else(|| workspace.join("../shared/data")).join(file);
    if let Ok(bytes) = std::fs::read(&path) {
        return Some(bytes);
    }
    let skipped = workspace.join("target/skipped");
    std::fs::create_dir_all(&skipped).expect("target is writable");
    let reason = format!("no reference data at {}", path.display());
    std::fs::write(skipped.join(name), reason).expect("target is writable");
    None
}
