//! What administrators decide: collections, update groups, packages, deployments.

use crate::{ClientId, DeploymentId, ObjectCode, Sha1, Sha256, SiteCode, Timestamp, UpdateId};

/// The built-in collection of every client.
pub const ALL_SYSTEMS: &str = "SMS00001";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CollectionRule {
    /// Every client; only in the built-in collection.
    All,
    Direct(ClientId),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    pub code: ObjectCode,
    pub name: String,
    pub rules: Vec<CollectionRule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateGroup {
    pub code: ObjectCode,
    pub name: String,
    pub updates: Vec<UpdateId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Installed at the deadline (DEP-07).
    Required,
    /// Offered to the user (DEP-18).
    Available,
}

impl Intent {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Intent::Required => "required",
            Intent::Available => "available",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    pub id: DeploymentId,
    pub name: String,
    pub group: ObjectCode,
    pub collection: ObjectCode,
    pub intent: Intent,
    pub available_at: Timestamp,
    pub deadline: Option<Timestamp>,
    pub enabled: bool,
    pub created_at: Timestamp,
}

/// A file of a package, with the digest computed when it was ingested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageFile {
    pub update: UpdateId,
    pub name: String,
    pub size: u64,
    pub sha1: Sha1,
    pub sha256: Sha256,
    /// The update's document gave no SHA-256 to check against.
    pub weak: bool,
}

/// A deployment package: references to content, which itself belongs to updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    pub code: ObjectCode,
    pub name: String,
    /// The site whose content library ingested the files.
    pub site: SiteCode,
    pub version: u32,
    pub files: Vec<PackageFile>,
}
