//! When a client leaves a software update point that fails (SUPX-16).

use crate::ClientOptions;

/// As its settings say; what an administrator set is what happens (PAIN-14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switching {
    /// Between a scan that failed and the next with the same update point.
    pub retry_minutes: u32,
    /// So many of those fail before another one is tried.
    pub retries: u32,
    /// After the last of them.
    pub delay_minutes: u32,
}

impl Switching {
    #[must_use]
    pub fn of(options: &ClientOptions) -> Switching {
        Switching {
            retry_minutes: options.number("update_point.retry"),
            retries: options.number("update_point.retries"),
            delay_minutes: options.number("update_point.switch"),
        }
    }

    /// From the first scan that failed until another update point is tried.
    #[must_use]
    pub fn minutes(&self) -> u32 {
        self.retries.saturating_mul(self.retry_minutes).saturating_add(self.delay_minutes)
    }
}
