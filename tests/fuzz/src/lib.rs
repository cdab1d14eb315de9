//! Where the fuzz targets find what they begin with: real messages, documents, cabinets and
//! packages of the reference data, which are not part of the repository.
//!
//! Each target fills its own corpus at its start, in the folder that `TIERLINE_FUZZ_SEEDS` names;
//! without it nothing is written. Without the reference data what is made here has to do.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Packages taken of a vendor's catalog: enough for every element it uses.
const PACKAGES_MAX: usize = 200;

/// Puts seeds into the folder of the corpus, if there is to be one.
pub fn fill(seeds: impl FnOnce() -> Vec<Vec<u8>>) {
    let Some(folder) = std::env::var_os("TIERLINE_FUZZ_SEEDS").map(PathBuf::from) else { return };
    fs::create_dir_all(&folder).expect("the corpus can be made");
    for (number, seed) in seeds().into_iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:04}")), seed).expect("a seed can be written");
    }
}

/// The files below a folder of the reference data whose names end so; none if it is not there.
pub fn reference(folder: &str, ending: &str) -> Vec<Vec<u8>> {
    let Some(root) = std::env::var_os("TIERLINE_REFERENCE_DATA") else { return Vec::new() };
    let mut found = Vec::new();
    collect(&PathBuf::from(root).join(folder), ending, &mut found);
    found.sort();
    found.into_iter().map(|path| fs::read(path).expect("a file can be read")).collect()
}

fn collect(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("a folder can be listed").path();
        if path.is_dir() {
            collect(&path, ending, found);
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
}

/// Packages of the vendors' catalogs, one by one.
pub fn packages() -> Vec<Vec<u8>> {
    let mut all = reference("sdp-catalogs", ".sdp");
    for archive in reference("sdp-catalogs", ".zip") {
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(archive)).expect("an archive");
        let mut text = String::new();
        archive.by_index(0).expect("a catalog").read_to_string(&mut text).expect("text");
        let head = text.split_once("<smc:SoftwareDistributionPackage").map_or("", |(head, _)| head);
        let end = "</smc:SoftwareDistributionPackage>";
        let each = text[head.len()..].split_inclusive(end).filter(|part| part.ends_with(end));
        let step = (each.clone().count() / PACKAGES_MAX).max(1);
        let whole =
            |part: &str| format!("{head}{part}</smc:SystemsManagementCatalog>").into_bytes();
        all.extend(each.step_by(step).map(whole));
    }
    all
}

/// A cabinet whose blocks are not checked by their sums, so that altered ones are looked into.
pub fn without_sums(mut cabinet: Vec<u8>) -> Vec<u8> {
    let number = |cabinet: &[u8], at: usize, bytes: usize| {
        let taken = cabinet.get(at..at + bytes).unwrap_or_default();
        taken.iter().rev().fold(0_usize, |number, byte| number << 8 | usize::from(*byte))
    };
    // The first folder follows a header without reserves: place and number of its blocks.
    let (mut at, blocks) = (number(&cabinet, 36, 4), number(&cabinet, 40, 2));
    for _ in 0..blocks {
        let size = number(&cabinet, at + 4, 2);
        if let Some(sum) = cabinet.get_mut(at..at + 4) {
            sum.fill(0);
        }
        at += 8 + size;
    }
    cabinet
}

/// Reads a message if its element occurs in it; what was read can be written and read again.
pub fn check<M: wsus_protocol::Message>(data: &[u8]) {
    let name = M::ELEMENTS[0].as_bytes();
    if !data.windows(name.len()).any(|part| part == name) {
        return;
    }
    if let Ok(message) = wsus_protocol::decode::<M>(data) {
        let written = wsus_protocol::encode(&message);
        wsus_protocol::decode::<M>(written.as_bytes()).expect("what was written can be read");
    }
}
