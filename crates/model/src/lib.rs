//! The nouns of Tierline and the rules that need nothing but them.
//!
//! Owns what a site code, an update, a deployment, a position or a state *is*. Refuses to know
//! how any of it is stored, sent or shown: no serialization, no sockets, no clock. Constructors
//! that can be given nonsense return [`Invalid`], which names the field and the reason.

mod boundary;
mod cleanup;
mod client;
mod collection;
mod content;
mod deploy;
mod digest;
mod error;
mod hresult;
mod identity;
mod ids;
mod inventory;
mod language;
mod package_version;
mod phased;
mod policy;
mod rule;
mod ruling;
mod selection;
mod setting;
mod site;
mod status;
mod stream;
mod supersedence;
mod switching;
mod time;
mod topic;
mod update;
mod update_setting;
mod window;
mod words;

pub use boundary::{
    Asker, Boundary, BoundaryGroup, BoundaryLink, BoundaryMap, BoundaryOptions, BoundaryScope,
    Fallback, Neighbor, Offer, Proximity, Relation, VpnMatch,
};
pub use cleanup::{Cleanable, deletable};
pub use client::{
    ClientKind, ClientRecord, DeploymentChange, DeploymentState, Detail, GivenUpVersion, LastScan,
    RefusedServer, ReportOutcome, SetAside, StateChange, StateReport, UpdateState, Vector,
    deployment_digest, state_digest,
};
pub use collection::{
    ALL_DESKTOPS, ALL_MOBILE, ALL_SYSTEMS, ALL_UNKNOWN, BUILT_IN_COLLECTIONS, Collection,
    CollectionRule,
};
pub use content::{ContentFile, ContentManifest, ContentState, DistributionState};
pub use deploy::{
    Alert, Deployment, DetailLevel, Download, Effect, Experience, Hold, Intent, Notify, Origin,
    Package, PackageFile, Rollout, TimeBasis, UpdateGroup,
};
pub use digest::{Sha1, Sha256};
pub use error::{ErrorClass, Invalid, error_chain};
pub use hresult::{Hresult, Retry};
pub use identity::{PeerIdentity, PeerKind};
pub use ids::{ClientId, DeploymentId, HierarchyId, ObjectCode, RoleId, SiteCode, UpdateId};
pub use inventory::{
    Computer, Disk, Form, Hardware, INVENTORY_SCHEMA, InstalledSoftware, Interface, Inventory,
    InventoryChange, InventoryRecord, InventoryReport, OperatingSystem, Software, SoftwareOrigin,
    SoftwareTitle,
};
pub use language::{LANGUAGES, Language, Languages};
pub use package_version::{compare_debian, compare_rpm};
pub use phased::{Next, Phase, Phased, PhasedState, Success};
pub use policy::{
    AssignedFile, AssignedUpdate, AssignedWindow, Assignment, ClientOptions, ClientSettings,
    PolicyHead, ServerList, ServerRef, WindowList,
};
pub use rule::{Due, Evaluate, GroupUse, Rule, RuleDeployment, Stage, Style};
pub use ruling::{Cleaned, Ruled, Ruling, Verdict};
pub use selection::CategoryTree;
pub use setting::{
    DEFAULT_SETTINGS, SETTINGS, SETTINGS_ORDER_MAX, Setting, SettingKind, SettingsProfile,
    read_span, setting_named,
};
pub use site::{KeyStatement, LinkState, Revocation, RoleKind, RoleRecord, SiteKind, SiteRecord};
pub use status::{Severity, StatusMessage};
pub use stream::{Direction, Epoch, Group, Kind, Owner, Position, StreamDigest, StreamId};
pub use supersedence::{FEATURE_UPDATES, SupersedenceRule, Superseding, superseded};
pub use switching::Switching;
pub use time::Timestamp;
pub use topic::{
    AssignmentCompliance, AssignmentEnforcement, AssignmentEvaluation, ComplianceState,
    EnforcementState, SourceScan,
};
pub use update::{
    CatalogVersion, Category, CategoryKind, Item, ItemFile, LocalizedText, MsrcSeverity, UpdateRef,
    set_digest,
};
pub use update_setting::UpdateSetting;
pub use window::{Window, WindowKind, WindowZone};

#[cfg(test)]
mod tests;
