//! Content: files, where they shall be and where they are.

use crate::{Invalid, ObjectCode, RoleId, Sha256, SiteCode, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContentFile {
    pub sha256: Sha256,
    pub size: u64,
    pub name: String,
}

/// One content version of a package and the distribution points that shall hold it. Travels with
/// the topology, so that secondary sites hold it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentManifest {
    pub package: ObjectCode,
    /// 1 when the package is made, one more for each change of its files (PKG-07, PKG-08).
    pub version: u32,
    pub files: Vec<ContentFile>,
    pub targets: Vec<RoleId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContentState {
    Pending,
    Transferring,
    /// Every file is there and its digest was computed from what is on disk.
    Installed,
    Failed,
}

impl ContentState {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ContentState::Pending => "pending",
            ContentState::Transferring => "transferring",
            ContentState::Installed => "installed",
            ContentState::Failed => "failed",
        }
    }

    pub fn from_name(name: &str) -> Result<ContentState, Invalid> {
        use ContentState::{Failed, Installed, Pending, Transferring};
        let mut all = [Pending, Transferring, Installed, Failed].into_iter();
        let found = all.find(|state| state.as_str() == name);
        found.ok_or_else(|| Invalid::new("content state", format!("there is no state \"{name}\"")))
    }
}

/// What a distribution point says of a package version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistributionState {
    pub package: ObjectCode,
    pub version: u32,
    pub point: RoleId,
    pub site: SiteCode,
    pub state: ContentState,
    pub files: u32,
    pub bytes: u64,
    pub reason: String,
    pub at: Timestamp,
}
