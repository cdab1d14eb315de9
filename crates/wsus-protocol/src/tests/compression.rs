//! Known compressed forms, round trips, and bodies made to mislead.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::xpress::{compress, decompress};

/// A body of one block.
fn block(size: u32, packed: &[u8]) -> Vec<u8> {
    let packed_size = u32::try_from(packed.len()).expect("small");
    [&size.to_le_bytes(), &packed_size.to_le_bytes(), packed].concat()
}

/// MS-XCA 3.1: an alphabet, which does not shrink and is stored by us, and "abc" a hundred times.
#[test]
fn the_examples_of_the_specification_come_out() {
    let alphabet = b"abcdefghijklmnopqrstuvwxyz";
    let packed = block(26, &[&[0x3F, 0, 0, 0], alphabet.as_slice()].concat());
    assert_eq!(decompress(&packed, 26).expect("unpacks"), alphabet);
    assert_eq!(compress(alphabet), block(26, alphabet));
    let repeated = b"abc".repeat(100);
    let packed = block(300, b"\xFF\xFF\xFF\x1Fabc\x17\x00\x0F\xFF\x26\x01");
    assert_eq!(compress(&repeated), packed);
    assert_eq!(decompress(&packed, 300).expect("unpacks"), repeated);
}

/// MS-WUSP 2.1.1.1.2 gives the lengths where the form of a reference changes; two long ones share
/// a byte.
#[test]
fn references_of_every_form_come_back() {
    for length in [3, 9, 10, 24, 25, 26, 279, 280, 281, 9_000, 16_000] {
        let mut body = b"ab".repeat(length / 2 + 1);
        body.extend_from_slice(b"-0123456789-");
        body.extend(b"0123456789-".repeat(3));
        assert_eq!(decompress(&compress(&body), body.len()).expect("unpacks"), body, "{length}");
    }
    // The longest form has 32 bits; no block needs it, but it may be used.
    let packed = block(40, b"\xFF\xFF\xFF\x7Fx\x07\x00\x0F\xFF\x00\x00\x24\x00\x00\x00");
    assert_eq!(decompress(&packed, 40).expect("unpacks"), b"x".repeat(40));
}

#[test]
fn documents_shrink_and_bodies_can_be_joined() {
    let name = "documents_shrink_and_bodies_can_be_joined";
    let Some(folder) = reference(name, "captures") else { return };
    let read = |name: &str| std::fs::read(folder.join(name)).expect("readable");
    let list = read("server-server/000005-GetConfigData.response.xml");
    let document = read("documents/266f6222-c89d-43f2-9f8a-69340271e677-r200.xml");
    let joined = [compress(&list), compress(&document.repeat(3))].concat();
    let whole = [list.clone(), document.repeat(3)].concat();
    assert!(joined.len() * 4 < whole.len(), "{} of {} bytes", joined.len(), whole.len());
    assert_eq!(decompress(&joined, whole.len()).expect("unpacks"), whole);
}

#[test]
fn bodies_that_swell_or_lie_are_refused() {
    let refused = |packed: &[u8], max| chain(&decompress(packed, max).expect_err("refused"));
    let bomb = compress(&vec![b'x'; 1 << 20]);
    assert!(bomb.len() < 1 << 11, "{} bytes", bomb.len());
    let message = "the compressed body cannot be unpacked: it is larger than allowed at byte ";
    assert!(refused(&bomb, (1 << 20) - 1).starts_with(message));
    assert!(refused(&block(65_536, b"x"), 1 << 20).contains("empty or too large"));
    assert!(refused(&block(0, b""), 1).contains("empty or too large"));
    assert!(refused(&block(4, b"\xFF\xFF\xFF\xFF\x00\x00"), 9).contains("out of its block"));
    assert!(refused(&block(2, b"\xFF\xFF\xFF\x7Fx\x00\x00"), 9).contains("out of its block"));
    let long = b"\xFF\xFF\xFF\x7Fx\x07\x00\x0F\xFF\x15\x00";
    assert!(refused(&block(99, long), 99).contains("written too long"));
    // A reference never leads into an earlier block.
    let two = [block(3, b"abc"), block(3, b"\xFF\xFF\xFF\xFF\x00\x00")].concat();
    assert!(refused(&two, 9).contains("out of its block"));
    let packed = compress(&b"abc".repeat(100));
    for at in 1..packed.len() {
        assert!(decompress(&packed[..at], 300).is_err(), "cut at {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Bodies of several blocks.
    #[test]
    fn large_bodies_come_back(body in vec(0..4_u8, 0..40_000)) {
        prop_assert_eq!(decompress(&compress(&body), body.len()).expect("unpacks"), body);
    }
}

proptest! {
    #[test]
    fn small_bodies_come_back(
        body in prop_oneof![vec(any::<u8>(), 0..500), vec(0..3_u8, 0..1_000)],
    ) {
        prop_assert_eq!(decompress(&compress(&body), body.len()).expect("unpacks"), body);
    }

    /// Garbage gives an error or at most what is allowed, never a panic.
    #[test]
    fn garbage_is_harmless(packed in vec(any::<u8>(), 0..300), size in 1..2_000_u32) {
        let body = block(size, &packed);
        if let Ok(out) = decompress(&body, 1_000) {
            prop_assert!(out.len() <= 1_000);
        }
        let _outcome = decompress(&packed, 1_000);
    }
}
