//! Update documents: read, judged, written again, and cut into what computers get.
#![no_main]

use std::sync::LazyLock;

use model::Sha256;
use update_metadata::{Document, Facts, evaluate, extract, questions};
use wsus_protocol::fragments::Fragments;

static FACTS: LazyLock<[Facts; 2]> = LazyLock::new(|| {
    let windows = r#"{"architecture": "amd64", "system": {"windows": {"major": 10, "build": 26100,
        "registry": {"SOFTWARE\\Acme": {"Version": "1.2", "Level": 3}}}}}"#;
    let linux = r#"{"system": {"linux": {"id": "debian", "version_id": "13", "packages": {}}}}"#;
    [windows, linux].map(|facts| serde_json::from_str(facts).expect("facts"))
});

libfuzzer_sys::fuzz_target!(
    init: {
        LazyLock::force(&FACTS);
        fuzz::fill(|| {
            let mut seeds = fuzz::reference("captures/documents", ".xml");
            for package in fuzz::packages() {
                let mut reader = update_metadata::sdp::PackageReader::new(package.as_slice());
                while let Ok(Some(entry)) = reader.next_entry() {
                    if let update_metadata::sdp::Entry::Package(package) = entry {
                        seeds.push(package.update.to_xml().into_bytes());
                    }
                }
            }
            seeds
        });
    },
    |data: &[u8]| {
        let _fragments = Fragments::derive(data);
        let Ok(document) = Document::parse(data) else { return };
        let _extracted = extract(&document, Sha256([0; 32]), &|_| None);
        for facts in FACTS.iter() {
            let _applicability = evaluate(&document, facts);
            let _questions = questions(&document, facts);
        }
        let written = document.to_xml();
        let again = Document::parse(written.as_bytes()).expect("what was written can be read");
        assert_eq!(again.update, document.update);
    }
);
