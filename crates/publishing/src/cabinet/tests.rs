use std::io::Cursor;

use super::*;

fn written() -> (Cursor<Vec<u8>>, Sha256) {
    let mut out = Cursor::new(Vec::new());
    let files = [("setup.exe", &b"MZ program"[..]), ("data.bin", &[7; 70_000][..])];
    let files = files.map(|(name, bytes)| (name.to_owned(), bytes.len() as u64, bytes));
    let digest = write(files.into(), &mut out).expect("is written");
    (out, digest)
}

#[test]
fn files_come_out_as_they_went_in() {
    let (mut out, digest) = written();
    assert_eq!(signature(&mut out).expect("is read"), None);
    append_signature(b"a signature", &mut out).expect("has room");
    let (found, covered) = signature(&mut out).expect("is read").expect("is signed");
    assert_eq!((&found[..11], covered), (&b"a signature"[..], digest));
    out.set_position(0);
    let mut cabinet = cab::Cabinet::new(out).expect("is a cabinet");
    let mut content = Vec::new();
    let mut file = cabinet.read_file("data.bin").expect("is there");
    io::Read::read_to_end(&mut file, &mut content).expect("is read");
    assert_eq!(content, [7; 70_000]);
}

#[test]
fn signatures_that_lie_about_their_place_are_refused() {
    let (out, _) = written();
    let bytes = out.into_inner();
    let lying = |place: u32, length: u32| {
        let mut bytes = bytes.clone();
        bytes[44..48].copy_from_slice(&place.to_le_bytes());
        bytes[48..52].copy_from_slice(&length.to_le_bytes());
        signature(&mut Cursor::new(bytes))
    };
    for (place, length) in [(0, 8), (u32::MAX, 8), (100, u32::MAX), (10, 1 << 20)] {
        assert!(matches!(lying(place, length), Err(Error::Signature { .. })), "{place} {length}");
    }
    assert_eq!(signature(&mut Cursor::new(b"<xml/>".to_vec())).expect("is read"), None);
}

#[test]
fn more_than_a_cabinet_holds_is_refused() {
    let files = vec![("a".to_owned(), FILES_BYTES_MAX + 1, io::empty())];
    let refused = write(files, Cursor::new(Vec::new())).expect_err("is refused");
    assert!(matches!(refused, Error::LargeCabinet { .. }), "{refused}");
}
