//! Named places where a test can end the process as abruptly as a power cut.
//!
//! Only in builds with debug assertions; a release build holds nothing of it. The environment
//! variable `TIERLINE_FAILPOINT=NAME` or `NAME:N` ends the process when `NAME` is passed for the
//! N-th time.

/// Ends the process here if the environment asks for it; nothing in a release build.
#[cfg(not(debug_assertions))]
#[inline]
pub fn failpoint(_name: &str) {}

/// Ends the process here if the environment asks for it.
#[cfg(debug_assertions)]
pub fn failpoint(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static WANTED: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static PASSED: AtomicU32 = AtomicU32::new(0);

    let wanted = WANTED.get_or_init(|| {
        let value = std::env::var("TIERLINE_FAILPOINT").ok()?;
        let (name, nth) = value.split_once(':').unwrap_or((&value, "1"));
        Some((name.to_owned(), nth.parse().unwrap_or(1)))
    });
    let Some((wanted, nth)) = wanted else { return };
    if wanted == name && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *nth {
        std::process::abort();
    }
}
