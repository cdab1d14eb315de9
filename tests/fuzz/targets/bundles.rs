//! Signed bundles of catalogs: how they end, what they list, and their parts.
#![no_main]

use catalog_bundle::{
    Bundle, Manifest, decode_documents, decode_removed, decode_sources, encode_documents,
    encode_removed, encode_sources, limits, trailer_length,
};
use model::{Sha1, UpdateId};

/// The first byte says which of them the rest is.
fn seeds() -> Vec<Vec<u8>> {
    let documents = fuzz::reference("captures/documents", ".xml");
    let texts: Vec<String> =
        documents.into_iter().map(|text| String::from_utf8(text).expect("text")).collect();
    let texts = texts.iter().map(String::as_str).chain(["<a/>"]);
    let source = (Sha1([7; 20]), "http://example.com/a.cab".to_owned());
    let id: UpdateId = "12345678-0000-4000-8000-000000000001".parse().expect("an id");
    let manifest = br#"{"format":1,"server":"00000000-0000-0000-0000-000000000001","parts":[]}"#;
    let parts = [
        encode_documents(texts).expect("packs"),
        encode_removed(&[id]),
        encode_sources(&[source]).expect("packs"),
        manifest.to_vec(),
        b"TIERLINE BUNDLE".to_vec(),
    ];
    parts.into_iter().zip(0..).map(|(part, kind)| [vec![kind], part].concat()).collect()
}

libfuzzer_sys::fuzz_target!(
    init: fuzz::fill(seeds),
    |data: &[u8]| {
        let Some((kind, rest)) = data.split_first() else { return };
        match kind % 5 {
            0 => {
                let Ok(documents) = decode_documents(rest) else { return };
                let bytes: usize = documents.iter().map(String::len).sum();
                assert!(bytes <= limits::PART_BYTES_MAX, "within its limit");
            }
            1 => {
                let Ok(ids) = decode_removed(rest) else { return };
                assert_eq!(encode_removed(&ids), rest, "what was read is written the same");
            }
            2 => drop(decode_sources(rest)),
            3 => {
                let Ok(manifest) = Manifest::from_bytes(rest) else { return };
                let again = Manifest::from_bytes(&manifest.to_bytes());
                assert_eq!(again.expect("what was written can be read"), manifest);
            }
            _ => {
                let total = rest.len() as u64;
                let Ok(length) = trailer_length(rest, total) else { return };
                let at = rest.len().saturating_sub(length);
                let _read = Bundle::read(&rest[..at.min(64)], &rest[at..], total);
            }
        }
    }
);
