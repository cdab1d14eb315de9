//! Bundles, whole and damaged.

use expect_test::expect;
use model::{Sha1, Sha256, Timestamp, UpdateId};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256 as Hasher};
use uuid::Uuid;

use super::*;

fn seal() -> Seal {
    Seal { statement: b"statement".to_vec(), root: b"root".to_vec(), signature: vec![7; 64] }
}

fn made() -> (Manifest, Vec<u8>) {
    let documents = encode_documents(["<a/>", "", "<b>ä</b>"]).expect("packs");
    let removed = encode_removed(&[UpdateId(Uuid::from_u128(9))]);
    let sources = encode_sources(&[(Sha1([1; 20]), "http://a/b c".to_owned())]).expect("packs");
    let file = Content::File { name: "a.cab".to_owned(), sha1: Sha1([2; 20]) };
    let parts = [
        (Content::Sources { count: 1 }, sources.as_slice()),
        (Content::Documents { count: 3 }, &documents),
        (Content::Removed { count: 1 }, &removed),
        (file, b"payload"),
    ];
    let manifest = Manifest {
        server_id: Uuid::from_u128(1),
        server_name: "SUP".to_owned(),
        made_at: Timestamp(1_795_168_800_000),
        since: 3,
        anchor: 12,
        version: 4,
        items: 2,
        set_digest: Sha256([3; 32]),
        parts: parts.iter().map(|(content, bytes)| Part::of(content.clone(), bytes)).collect(),
    };
    let mut file = MAGIC.to_vec();
    parts.iter().for_each(|(_, bytes)| file.extend(*bytes));
    file.extend(close(&manifest.to_bytes(), &seal(), manifest.size()));
    (manifest, file)
}

fn read(file: &[u8]) -> Result<Bundle, Error> {
    let total = file.len() as u64;
    let length = trailer_length(file, total)?;
    Bundle::read(file, &file[file.len() - length.min(file.len())..], total)
}

/// Every byte of a part is answered for by its digest.
fn check(bundle: &Bundle, file: &[u8]) -> Result<(), Error> {
    let mut offset = MAGIC.len();
    for (number, part) in bundle.manifest.parts.iter().enumerate() {
        let bytes = &file[offset..offset + part.size as usize];
        part.check((number + 1, offset as u64), Sha256(Hasher::digest(bytes).into()))?;
        offset += bytes.len();
    }
    Ok(())
}

#[test]
fn what_is_written_is_read() {
    let (manifest, file) = made();
    let bundle = read(&file).expect("whole");
    assert_eq!((&bundle.manifest, &bundle.seal), (&manifest, &seal()));
    check(&bundle, &file).expect("unaltered");
    assert_eq!(manifest.counts(), (3, 1, 1));
    let start = MAGIC.len() + manifest.parts[0].size as usize;
    let documents = &file[start..start + manifest.parts[1].size as usize];
    assert_eq!(decode_documents(documents).expect("unpacks"), ["<a/>", "", "<b>ä</b>"]);
    let sources = decode_sources(&file[MAGIC.len()..start]).expect("unpacks");
    assert_eq!(sources, [(Sha1([1; 20]), "http://a/b c".to_owned())]);
    assert!(is_bundle(&file) && !is_bundle(b"PK\x03\x04") && !is_bundle(b""));
}

/// Other programs read the manifest, too; this is how it looks.
#[test]
fn the_manifest_is_json() {
    let text = String::from_utf8(made().0.to_bytes()).expect("is text");
    let text: String = text.split("\"parts\"").next().unwrap_or_default().to_owned();
    expect![[r#"{"server_id":"00000000-0000-0000-0000-000000000001","server_name":"SUP","made_at":"2026-11-20T10:00:00.000Z","since":3,"anchor":12,"version":4,"items":2,"set_digest":"0303030303030303030303030303030303030303030303030303030303030303","#]]
        .assert_eq(&text);
}

#[test]
fn refusals_say_what_and_what_to_do() {
    let (mut manifest, file) = made();
    let refused = |file: &[u8]| read(file).expect_err("is refused").to_string();
    let mut later = file.clone();
    later[7] = b'2';
    let mut longer = file.clone();
    longer.insert(20, 0);
    manifest.parts[1].size = 1 << 30;
    let mut claims = MAGIC.to_vec();
    claims.extend(close(&manifest.to_bytes(), &seal(), manifest.size()));
    let mut many = file[..file.len() - 24].to_vec();
    many.extend(u32::MAX.to_le_bytes());
    many.extend(0_u32.to_le_bytes());
    many.extend((file.len() as u64).to_le_bytes());
    many.extend(b"TLBNDEND");
    let lines = [
        refused(&later),
        refused(&file[..file.len() - 1]),
        refused(&file[..9]),
        refused(&longer),
        refused(&[b"x", file.as_slice()].concat()),
        Bundle::read(b"<xml/>", &file, file.len() as u64).expect_err("is none").to_string(),
        refused(&claims),
        refused(&many),
    ];
    expect![[r#"
        it is a bundle of format '2', this version reads 1; export it with the version that is here, or upgrade this one
        it ends at byte 964, before its footer or in it: it is cut off, or not a bundle alone; copy it again
        it ends at byte 9, before its footer or in it: it is cut off, or not a bundle alone; copy it again
        it has 966 bytes and was made with 965; copy it again
        it has 966 bytes and was made with 965; copy it again
        it is no bundle; give a file that `tierline catalog export` wrote
        it has 885 bytes and was made with 1073742763; copy it again
        its manifest has 4294967295 bytes, at most 20971520 are taken; export less at a time"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn packed_parts_are_bounded() {
    let bomb = zstd::bulk::compress(&vec![0; limits::PART_BYTES_MAX + 1], 1).expect("packs");
    assert!(bomb.len() < 10_000, "{}", bomb.len());
    decode_documents(&bomb).expect_err("is refused");
    decode_sources(&bomb).expect_err("is refused");
    let many = encode_documents(vec![""; limits::PART_DOCUMENTS_MAX + 1]).expect("packs");
    decode_documents(&many).expect_err("is refused");
    decode_removed(&[0; 17]).expect_err("is refused");
}

proptest! {
    /// No byte can be changed, left out or added without being noticed: what is read is refused,
    /// or it is what a signature over the manifest and the digests of the parts refuse.
    #[test]
    fn no_byte_goes_unnoticed(at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let (_, file) = made();
        let whole = read(&file).expect("whole");
        let mut altered = file.clone();
        altered[at.index(file.len())] ^= flip;
        if let Ok(bundle) = read(&altered) {
            let signed = (&bundle.manifest_bytes, &bundle.seal);
            let is_noticed = signed != (&whole.manifest_bytes, &whole.seal)
                || check(&bundle, &altered).is_err();
            prop_assert!(is_noticed, "byte {}", at.index(file.len()));
        }
        let mut shorter = file.clone();
        shorter.remove(at.index(file.len()));
        prop_assert!(read(&shorter).is_err());
        let mut longer = file.clone();
        longer.insert(at.index(file.len()), flip);
        prop_assert!(read(&longer).is_err());
        prop_assert!(read(&file[..at.index(file.len())]).is_err());
    }

    #[test]
    fn anything_is_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = read(&bytes);
        let _ = read(&[MAGIC.as_slice(), &bytes, b"TLBNDEND"].concat());
        let _ = decode_documents(&bytes);
        let _ = decode_removed(&bytes);
        let _ = decode_sources(&bytes);
        let _ = Manifest::from_bytes(&bytes);
    }
}
