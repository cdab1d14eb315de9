//! What is built: the description of the hierarchy and of the computers in it.

use std::path::PathBuf;

use model::{RoleKind, SiteKind};

/// What the user asks for.
#[derive(Clone, Debug)]
pub struct Options {
    /// None: a fresh temporary directory, which goes away in the end.
    pub directory: Option<PathBuf>,
    /// Simulated computers beside the real one.
    pub clients: u32,
    /// Clients in virtual time beside them.
    pub fleet: u32,
    /// Catalogs for the upstream server, beside the sample.
    pub catalogs: Vec<PathBuf>,
    /// An upstream server that is there already.
    pub upstream: Option<String>,
    /// None: the system chooses the ports.
    pub port_base: Option<u16>,
}

/// A site and what belongs to it.
#[derive(Debug)]
pub(crate) struct SitePlan {
    pub(crate) code: &'static str,
    pub(crate) kind: SiteKind,
    pub(crate) parent: Option<&'static str>,
    pub(crate) roles: &'static [RoleKind],
}

use RoleKind::{DistributionPoint, ManagementPoint, SoftwareUpdatePoint};

pub(crate) const TOP: &str = "CAS";
/// Where clients are assigned, and where every second one finds its points.
pub(crate) const PRIMARY: &str = "PR1";
pub(crate) const SECONDARY: &str = "SE1";

/// In the order in which they join.
pub(crate) const SITES: [SitePlan; 3] = [
    SitePlan { code: TOP, kind: SiteKind::Central, parent: None, roles: &[SoftwareUpdatePoint] },
    SitePlan {
        code: PRIMARY,
        kind: SiteKind::Primary,
        parent: Some(TOP),
        roles: &[SoftwareUpdatePoint, ManagementPoint, DistributionPoint],
    },
    SitePlan {
        code: SECONDARY,
        kind: SiteKind::Secondary,
        parent: Some(PRIMARY),
        roles: &[SoftwareUpdatePoint, ManagementPoint, DistributionPoint],
    },
];

/// The site of the management and distribution point that the `number`-th computer uses.
pub(crate) fn near(number: u32) -> &'static str {
    if number.is_multiple_of(2) { PRIMARY } else { SECONDARY }
}
