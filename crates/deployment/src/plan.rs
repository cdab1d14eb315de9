//! What planning gives: which parts of policy exist, and which client gets which.
//!
//! **Missing never means empty**: a deployment that names a collection, group or item that is not
//! here is planned as [`Outcome::Waiting`], makes no part, and what it gave clients before stays
//! (see [`crate::head_parts`]). So do options and windows while it is not known whom one of them
//! reaches.

use std::collections::BTreeMap;

use model::{
    Assignment, ClientId, ClientOptions, ClientSettings, DeploymentId, ServerList, SiteCode,
    Timestamp, UpdateId, WindowList,
};

use crate::{Planner, World};

/// An immutable part of policy; its name is the hash of its encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Settings(ClientSettings),
    Servers(ServerList),
    Options(ClientOptions),
    Windows(WindowList),
    Assignment(Assignment),
}

/// The parts of one client, as indices: settings, servers, options and windows if it has any, then
/// assignments by deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientPlan {
    pub client: ClientId,
    /// Updates are switched off: it gets no assignments and keeps none that wait.
    pub is_off: bool,
    pub parts: Vec<u32>,
}

/// What a deployment refers to and is not here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    pub id: String,
    /// The site it must come from.
    pub site: SiteCode,
}

/// Why an update of a group is not, or not fully, in an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// Expired: left out.
    Expired(UpdateId),
    /// Declined: left out.
    Declined(UpdateId),
    /// Installed only as part of a bundle: left out.
    Hidden(UpdateId),
    /// In no package with all its files: clients wait for content.
    NoContent(UpdateId),
}

/// What became of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Planned {
        /// Those that get it.
        clients: u64,
        updates: usize,
        notes: Vec<Note>,
    },
    Waiting(Vec<Missing>),
    Disabled,
    /// It only counts who complies.
    ReportOnly,
    /// Held for the clients of this site, by this site or the top.
    Held(SiteCode),
    /// Of another primary site: it acts on that site's clients only.
    Elsewhere(SiteCode),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyPlan {
    /// Made once and shared by all clients that get them.
    pub parts: Vec<Part>,
    /// Ascending by client.
    pub clients: Vec<ClientPlan>,
    pub deployments: BTreeMap<DeploymentId, Outcome>,
    /// What it is not known of whom a settings profile, or a window, reaches.
    pub options_wait: Vec<Missing>,
    pub windows_wait: Vec<Missing>,
    /// Likewise of a profile that switches updates on or off.
    pub switch_waits: Vec<Missing>,
    /// When time alone makes another plan.
    pub next_change: Option<Timestamp>,
}

/// Plans the policy of a site's clients. Equal worlds give equal plans.
#[must_use]
pub fn plan_assignments(world: &World) -> PolicyPlan {
    Planner::new(world).into_plan()
}
