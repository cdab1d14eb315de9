//! Who may call what: one table, default deny.

use model::{PeerKind, RoleKind};

/// A class of callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Anybody, with or without a certificate.
    Anyone,
    Site,
    SoftwareUpdatePoint,
    ManagementPoint,
    DistributionPoint,
    Client,
    Administrator,
}

impl Caller {
    #[must_use]
    pub fn of(kind: PeerKind) -> Caller {
        match kind {
            PeerKind::Site => Caller::Site,
            PeerKind::Role(RoleKind::SoftwareUpdatePoint) => Caller::SoftwareUpdatePoint,
            PeerKind::Role(RoleKind::ManagementPoint) => Caller::ManagementPoint,
            PeerKind::Role(RoleKind::DistributionPoint) => Caller::DistributionPoint,
            PeerKind::Client => Caller::Client,
            PeerKind::Administrator => Caller::Administrator,
        }
    }
}

use Caller::{
    Administrator, Anyone, Client, DistributionPoint as Dp, ManagementPoint as Mp, Site,
    SoftwareUpdatePoint as Sup,
};

/// Method path prefix and the callers it admits. A whole service may share one row.
const TABLE: &[(&str, &[Caller])] = &[
    ("/tierline.enrolment.v1.EnrolmentService/Enrol", &[Anyone]),
    ("/tierline.enrolment.v1.EnrolmentService/Renew", &[Site, Sup, Mp, Dp, Client, Administrator]),
    ("/tierline.enrolment.v1.EnrolmentService/AuthorizeSecondary", &[Site]),
    ("/tierline.enrolment.v1.RevocationService/FollowRevocations", &[Sup, Mp, Dp]),
    ("/tierline.replication.v1.ReplicationService/Link", &[Site]),
    ("/tierline.content.v1.ContentService/WatchManifests", &[Site, Dp]),
    ("/tierline.content.v1.ContentService/FetchFile", &[Site, Dp, Sup]),
    ("/tierline.content.v1.ContentService/ReportDistribution", &[Site, Dp]),
    ("/tierline.content.v1.ContentService/UploadFile", &[Sup]),
    ("/tierline.content.v1.ContentService/SendStatus", &[Sup, Mp, Dp]),
    ("/tierline.update_point.v1.UpdatePointService/Session", &[Sup]),
    ("/tierline.management.v1.ManagementService/RegisterClient", &[Mp, Sup, Site]),
    ("/tierline.management.v1.ManagementService/GetPolicy", &[Mp, Sup, Site]),
    ("/tierline.management.v1.ManagementService/GetParts", &[Mp, Sup, Site]),
    ("/tierline.management.v1.ManagementService/SubmitStates", &[Mp, Sup, Site]),
    ("/tierline.management.v1.ManagementService/SubmitInventories", &[Mp, Sup, Site]),
    ("/tierline.management.v1.ManagementService/WatchWakeUps", &[Mp, Sup, Site]),
    ("/tierline.management.v1.ManagementService/GetLocations", &[Mp, Sup, Site]),
    ("/tierline.client.v1.ClientService/", &[Client]),
    ("/tierline.metadata.v1.MetadataService/FollowDocuments", &[Client]),
    ("/tierline.metadata.v1.MetadataService/FindFiles", &[Client]),
    ("/tierline.admin.v1.AdminService/", &[Administrator]),
    ("/grpc.health.v1.Health/", &[Anyone]),
    ("/grpc.reflection.v1.ServerReflection/", &[Administrator]),
];

/// The callers a method admits; `None` for a method without a row, which admits nobody.
#[must_use]
pub fn callers(path: &str) -> Option<&'static [Caller]> {
    let row = TABLE
        .iter()
        .find(|(prefix, _)| path == *prefix || (prefix.ends_with('/') && path.starts_with(prefix)));
    row.map(|(_, callers)| *callers)
}

/// Whether a peer (none: without a certificate) may call a method.
#[must_use]
pub fn admits(path: &str, peer: Option<PeerKind>) -> bool {
    let Some(callers) = callers(path) else { return false };
    callers.contains(&Anyone) || peer.is_some_and(|kind| callers.contains(&Caller::of(kind)))
}

#[cfg(test)]
mod tests;
