//! Everything a plan depends on, as one site sees it when all its streams are settled.

use std::collections::{BTreeMap, BTreeSet};

use compliance::Roster;
use model::{
    ClientId, ClientSettings, Deployment, Hold, Item, ObjectCode, Package, ServerList,
    SettingsProfile, SiteCode, Timestamp, UpdateGroup, UpdateId, UpdateSetting, Window,
};

use crate::Memberships;

/// The input of [`crate::plan_assignments`].
#[derive(Clone, Debug)]
pub struct World {
    /// The site that plans, for its own clients.
    pub site: SiteCode,
    /// The top-level site: it owns all items, and its deployments act on every client.
    pub top: SiteCode,
    /// Deployments that grow are as large as they are now.
    pub now: Timestamp,
    pub groups: BTreeMap<ObjectCode, UpdateGroup>,
    pub deployments: Vec<OwnedDeployment>,
    pub holds: Vec<Hold>,
    pub packages: BTreeMap<ObjectCode, Package>,
    /// The items of deployed groups and of their bundles at least.
    pub items: BTreeMap<UpdateId, Item>,
    /// Of these, the updates that nobody shall be offered.
    pub declined: BTreeSet<UpdateId>,
    pub update_settings: BTreeMap<UpdateId, UpdateSetting>,
    /// Of the site; profiles may say otherwise.
    pub settings: ClientSettings,
    pub profiles: Vec<SettingsProfile>,
    pub windows: Vec<Window>,
    pub audience: Audience,
}

/// A deployment and the site whose stream it came in.
#[derive(Clone, Debug)]
pub struct OwnedDeployment {
    pub owner: SiteCode,
    pub deployment: Deployment,
}

/// Clients of the planning site, all or some of them, and where they belong.
#[derive(Clone, Debug)]
pub struct Audience {
    /// The clients of the neighborhoods.
    pub roster: Roster,
    /// In sets of the roster.
    pub memberships: Memberships,
    /// A client is in one neighborhood.
    pub neighborhoods: Vec<Neighborhood>,
}

/// Clients that use the same servers in the same order.
#[derive(Clone, Debug)]
pub struct Neighborhood {
    pub servers: ServerList,
    pub clients: Vec<ClientId>,
}

impl Neighborhood {
    /// The clients of all of them.
    #[must_use]
    pub fn roster(neighborhoods: &[Neighborhood]) -> Roster {
        neighborhoods.iter().flat_map(|near| near.clients.iter().copied()).collect()
    }
}
