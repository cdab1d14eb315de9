//! Publishers' packages and catalogs: read, and written again the same.
#![no_main]

use update_metadata::sdp::{Entry, Package, PackageReader, Revisions};

fn read(xml: &[u8]) -> Option<Vec<Package>> {
    let (mut reader, mut packages) = (PackageReader::new(xml), Vec::new());
    while let Some(entry) = reader.next_entry().ok()? {
        if let Entry::Package(package) = entry {
            packages.push(*package);
        }
    }
    Some(packages)
}

libfuzzer_sys::fuzz_target!(
    init: fuzz::fill(fuzz::packages),
    |data: &[u8]| {
        let mut revisions = Revisions::default();
        for package in read(data).unwrap_or_default() {
            let _placed = revisions.place(&package);
            let Ok(written) = package.to_sdp() else { continue };
            let again = read(written.as_bytes()).expect("what was written is a catalog");
            assert_eq!(again.len(), 1, "what was written is one package");
            assert_eq!(again[0].update.update.id, package.update.update.id);
        }
    }
);
