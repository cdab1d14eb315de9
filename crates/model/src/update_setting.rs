//! What administrators say of one update, whatever its publisher said.

use crate::{MsrcSeverity, UpdateId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdateSetting {
    pub update: UpdateId,
    /// How long its installation may take (SUPX-08).
    pub max_run_minutes: Option<u16>,
    /// Instead of the publisher's (DEPX-10).
    pub severity: Option<MsrcSeverity>,
}
