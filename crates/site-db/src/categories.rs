//! Which categories administrators have seen. Local to the top-level site, where they choose.

use crate::{Error, Reader, Writer};

const COMPONENT: &str = "categories";

impl Reader<'_> {
    /// The catalog version whose categories somebody has acknowledged.
    pub fn seen_categories(&self) -> Result<u64, Error> {
        let text = self.setting(COMPONENT, "seen")?;
        Ok(text.and_then(|version| version.parse().ok()).unwrap_or(0))
    }
}

impl Writer<'_> {
    pub fn see_categories(&self, version: u64) -> Result<(), Error> {
        self.require_top("new products and classifications are acknowledged")?;
        self.set_setting(COMPONENT, "seen", &version.to_string())
    }
}
