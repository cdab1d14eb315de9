//! Cabinets: compressed documents of servers, and publishers' catalogs of many files.
#![no_main]

use std::io::{Cursor, Read as _, Write as _};

use cab::{Cabinet, CabinetBuilder, CompressionType};
use wsus_protocol::cabinet::Layout;
use wsus_protocol::{Blob, limits};

/// Bytes of all files together, above which a cabinet is not read here: it would take too long.
const WORK_MAX: u64 = 4 << 20;

fn catalog(method: CompressionType) -> Vec<u8> {
    let mut builder = CabinetBuilder::new();
    for folder in ["one", "two"] {
        let added = builder.add_folder(method);
        added.add_file(format!("{folder}.sdp"));
        added.add_file(format!("..\\{folder}.xml"));
    }
    let mut cabinet = builder.build(Cursor::new(Vec::new())).expect("a cabinet");
    while let Some(mut member) = cabinet.next_file().expect("a member") {
        member.write_all(&b"seed ".repeat(9_000)).expect("written");
    }
    cabinet.finish().expect("a cabinet").into_inner()
}

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = fuzz::reference("captures", ".cab");
    for document in fuzz::reference("captures/documents", ".xml") {
        let text = String::from_utf8(document).expect("text");
        if let Ok(Blob::Compressed(cabinet)) = Blob::pack(&text) {
            seeds.push(cabinet);
        }
    }
    seeds.extend([CompressionType::MsZip, CompressionType::None].map(catalog));
    let without = seeds.clone().into_iter().map(fuzz::without_sums);
    seeds.extend(without);
    seeds
}

/// As catalogs are unpacked: what has been checked can be read, or fails in good order.
fn read_all(data: &[u8]) {
    let Ok(layout) = Layout::read(&mut Cursor::new(data)) else { return };
    let Some(mut cabinet) =
        Cabinet::new(Cursor::new(data)).ok().filter(|_| layout.work() <= WORK_MAX)
    else {
        return;
    };
    let entries = cabinet.folder_entries().flat_map(|folder| folder.file_entries());
    let names: Vec<String> = entries.map(|entry| entry.name().to_owned()).collect();
    for name in names.iter().take(8) {
        let mut content = Vec::new();
        if let Ok(mut member) = cabinet.read_file(name) {
            let _ended = member.read_to_end(&mut content);
        }
        assert!(content.len() as u64 <= WORK_MAX, "within its limit");
    }
}

libfuzzer_sys::fuzz_target!(
    init: fuzz::fill(seeds),
    |data: &[u8]| {
        read_all(data);
        let Ok(text) = Blob::Compressed(data.to_vec()).unpack() else { return };
        assert!(text.len() <= limits::DOCUMENT_BYTES_MAX * 3 / 2, "within its limit");
    }
);
