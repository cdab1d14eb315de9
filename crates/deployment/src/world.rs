//! Everything a plan depends on, as one site sees it when all its streams are settled.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    ClientId, ClientSettings, Collection, Deployment, Item, ObjectCode, Package, ServerList,
    SiteCode, UpdateGroup, UpdateId,
};

/// The input of [`crate::plan_assignments`].
#[derive(Clone, Debug)]
pub struct World {
    /// The site that plans, for its own clients.
    pub site: SiteCode,
    /// The top-level site: it owns all items, and its deployments act on every client.
    pub top: SiteCode,
    pub collections: BTreeMap<ObjectCode, Collection>,
    pub groups: BTreeMap<ObjectCode, UpdateGroup>,
    pub deployments: Vec<OwnedDeployment>,
    pub packages: BTreeMap<ObjectCode, Package>,
    /// The items of deployed groups and of their bundles at least.
    pub items: BTreeMap<UpdateId, Item>,
    /// Of these, the updates that nobody shall be offered.
    pub declined: BTreeSet<UpdateId>,
    pub settings: ClientSettings,
    /// A client is in one neighborhood.
    pub neighborhoods: Vec<Neighborhood>,
}

/// A deployment and the site whose stream it came in.
#[derive(Clone, Debug)]
pub struct OwnedDeployment {
    pub owner: SiteCode,
    pub deployment: Deployment,
}

/// Clients of the planning site that use the same servers in the same order.
#[derive(Clone, Debug)]
pub struct Neighborhood {
    pub servers: ServerList,
    pub clients: Vec<ClientId>,
}
