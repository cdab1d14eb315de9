//! Fails at once: `cargo xtask fuzz` runs it first, to see that a failure is noticed.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    assert!(data.is_empty(), "the canary sings");
});
