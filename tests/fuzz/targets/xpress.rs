//! Compressed bodies: nothing is unpacked beyond what is allowed, and what is packed comes back.
#![no_main]

use wsus_protocol::xpress::{announced_bytes, compress, decompress};

const ALLOWED: usize = 1 << 20;

libfuzzer_sys::fuzz_target!(
    init: fuzz::fill(|| {
        let mut seeds: Vec<Vec<u8>> = fuzz::reference("captures", ".xml");
        let packed: Vec<Vec<u8>> = seeds.iter().map(|body| compress(body)).collect();
        seeds.extend(packed);
        seeds.push(compress(&b"abc".repeat(100)));
        seeds
    }),
    |data: &[u8]| {
        let _announced = announced_bytes(data);
        if let Ok(body) = decompress(data, ALLOWED) {
            assert!(body.len() <= ALLOWED, "within its limit");
        }
        let again = decompress(&compress(data), data.len()).expect("what was packed comes back");
        assert_eq!(again, data);
    }
);
