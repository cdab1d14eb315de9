//! Policy: what a client is told, in signed heads over shared, immutable parts.

use crate::{
    ClientId, DeploymentId, DetailLevel, Download, Experience, HierarchyId, Intent, ObjectCode,
    RoleKind, Sha256, SiteCode, TimeBasis, Timestamp, UpdateRef, WindowKind, WindowZone,
};

/// The signed head of one client's policy. Its signature covers the canonical encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyHead {
    pub hierarchy: HierarchyId,
    pub site: SiteCode,
    pub client: ClientId,
    /// The client's incarnation when the head was made.
    pub incarnation: u64,
    /// Only grows for a client and incarnation; a client refuses a lower one.
    pub version: u64,
    pub signed_at: Timestamp,
    pub expires: Timestamp,
    pub parts: Vec<Sha256>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignedFile {
    pub name: String,
    pub size: u64,
    pub sha256: Sha256,
}

/// An update a client may act on, with the digest of the one document that describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignedUpdate {
    pub update: UpdateRef,
    pub document: Sha256,
    /// Empty while the content is in no package ("waiting for content").
    pub files: Vec<AssignedFile>,
    /// How long its installation may take; it starts in no window that is shorter.
    pub max_run_minutes: u16,
}

/// A part: one deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    pub deployment: DeploymentId,
    pub name: String,
    pub intent: Intent,
    pub available_at: Timestamp,
    pub deadline: Option<Timestamp>,
    pub basis: TimeBasis,
    pub experience: Experience,
    pub download: Download,
    pub detail: DetailLevel,
    pub wakes: bool,
    /// Each client acts up to so much after the deadline.
    pub spread_minutes: u16,
    pub updates: Vec<AssignedUpdate>,
}

/// A part: settings of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientSettings {
    pub policy_poll_ms: u64,
    pub state_batch_ms: u64,
    pub scan_interval_ms: u64,
    /// A scan against an older catalog than this does not count (STATE-02).
    pub catalog_version: u64,
}

/// A part: the settings that differ from their defaults, ascending by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientOptions {
    pub values: Vec<(String, String)>,
}

/// A part: when the client may install and restart. A client without this part may at any time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WindowList {
    /// Ascending by code.
    pub windows: Vec<AssignedWindow>,
}

/// A maintenance window as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignedWindow {
    pub code: ObjectCode,
    /// Canonical spelling of a recurrence without a zone.
    pub at: String,
    pub zone: WindowZone,
    pub minutes: u32,
    pub kind: WindowKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerRef {
    pub kind: RoleKind,
    pub site: SiteCode,
    pub url: String,
    pub http_url: String,
    /// Not before the servers of its kind that come earlier have failed this long (BG-02).
    pub after_minutes: u32,
}

/// A part: the servers a client may use, nearest site first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerList {
    pub servers: Vec<ServerRef>,
}
