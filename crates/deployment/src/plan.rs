//! Which parts of policy exist, and which client gets which.
//!
//! **Missing never means empty**: a deployment that names a collection, group or item that is not
//! here is planned as [`Outcome::Waiting`], makes no part, and what it gave clients before stays
//! (see [`crate::head_parts`]).

use std::collections::BTreeMap;

use compliance::{ClientSet, Roster};
use model::{
    ALL_SYSTEMS, Assignment, ClientId, ClientSettings, DeploymentId, ObjectCode, ServerList,
    SiteCode, UpdateId,
};

use crate::contents::{Contents, Shelves};
use crate::{OwnedDeployment, World, members};

/// An immutable part of policy; its name is the hash of its encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Settings(ClientSettings),
    Servers(ServerList),
    Assignment(Assignment),
}

/// The parts of one client, as indices: settings, servers, assignments by deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientPlan {
    pub client: ClientId,
    pub parts: Vec<usize>,
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
        clients: u64,
        updates: usize,
        notes: Vec<Note>,
    },
    Waiting(Vec<Missing>),
    Disabled,
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
}

/// Plans the policy of a site's clients. Equal worlds give equal plans.
#[must_use]
pub fn plan_assignments(world: &World) -> PolicyPlan {
    let mut parts = vec![Part::Settings(world.settings)];
    let mut clients: BTreeMap<ClientId, Vec<usize>> = BTreeMap::new();
    for neighborhood in &world.neighborhoods {
        for client in &neighborhood.clients {
            clients.entry(*client).or_insert_with(|| vec![0, parts.len()]);
        }
        parts.push(Part::Servers(neighborhood.servers.clone()));
    }
    let roster: Roster = clients.keys().copied().collect();
    let shelves = Shelves::of(&world.packages);
    let mut deployments = BTreeMap::new();
    let mut owned: Vec<&OwnedDeployment> = world.deployments.iter().collect();
    owned.sort_by_key(|owned| owned.deployment.id);
    for owned in owned {
        let (outcome, planned) = plan_deployment(world, &shelves, &roster, owned);
        if let Some((assignment, targets)) = planned {
            for client in roster.clients(&targets) {
                clients.entry(client).or_default().push(parts.len());
            }
            parts.push(Part::Assignment(assignment));
        }
        deployments.insert(owned.deployment.id, outcome);
    }
    let clients = clients.into_iter().map(|(client, parts)| ClientPlan { client, parts }).collect();
    PolicyPlan { parts, clients, deployments }
}

fn plan_deployment(
    world: &World,
    shelves: &Shelves<'_>,
    roster: &Roster,
    OwnedDeployment { owner, deployment }: &OwnedDeployment,
) -> (Outcome, Option<(Assignment, ClientSet)>) {
    if *owner != world.site && *owner != world.top {
        return (Outcome::Elsewhere(*owner), None);
    }
    if !deployment.enabled {
        return (Outcome::Disabled, None);
    }
    let mut contents = Contents::new(world, shelves);
    match world.groups.get(&deployment.group) {
        Some(group) => group.updates.iter().for_each(|update| contents.add(*update)),
        None => contents.miss(missing_object(world, &deployment.group)),
    }
    let targets = targets(world, roster, &deployment.collection).unwrap_or_else(|missing| {
        contents.miss(missing);
        ClientSet::default()
    });
    let Contents { updates, notes, missing, .. } = contents;
    if !missing.is_empty() {
        return (Outcome::Waiting(missing.into_iter().collect()), None);
    }
    let outcome = Outcome::Planned { clients: targets.len(), updates: updates.len(), notes };
    if targets.is_empty() || updates.is_empty() {
        return (outcome, None);
    }
    let assignment = Assignment {
        deployment: deployment.id,
        name: deployment.name.clone(),
        intent: deployment.intent,
        available_at: deployment.available_at,
        deadline: deployment.deadline,
        updates,
    };
    (outcome, Some((assignment, targets)))
}

fn targets(world: &World, roster: &Roster, code: &ObjectCode) -> Result<ClientSet, Missing> {
    match world.collections.get(code) {
        Some(collection) => Ok(members(collection, roster)),
        None if code.as_str() == ALL_SYSTEMS => Ok(roster.all().clone()),
        None => Err(missing_object(world, code)),
    }
}

/// A code begins with the site that gave it; the built-in ones come from the top.
fn missing_object(world: &World, code: &ObjectCode) -> Missing {
    let site = code.as_str().get(..3).and_then(|site| SiteCode::new(site).ok());
    Missing { id: code.to_string(), site: site.unwrap_or(world.top) }
}
