//! Limits of deployments, as administrators of this site set them.
//!
//! Owns the setting and its default. Refuses to know who keeps to it.

use crate::{Error, Reader, Writer};

/// Updates of one deployment, unless an administrator says fewer (DEPX-12): what one policy part
/// and one transaction hold with room to spare.
pub const DEPLOYMENT_UPDATES_MAX: u32 = 1_000;

const COMPONENT: &str = "deployment";

impl Reader<'_> {
    pub fn deployment_updates_max(&self) -> Result<u32, Error> {
        let text = self.setting(COMPONENT, "updates_max")?;
        Ok(text.and_then(|max| max.parse().ok()).unwrap_or(DEPLOYMENT_UPDATES_MAX))
    }
}

impl Writer<'_> {
    pub fn set_deployment_updates_max(&self, max: u32) -> Result<(), Error> {
        self.set_setting(COMPONENT, "updates_max", &max.to_string())
    }
}
