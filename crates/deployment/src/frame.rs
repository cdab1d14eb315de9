//! What of a plan does not depend on who the clients are: what each deployment would give, and
//! whether it acts here at all.

use std::collections::BTreeMap;

use compliance::ClientSet;
use model::{
    Assignment, ClientSettings, DEFAULT_SETTINGS, Deployment, DeploymentId, Effect, ObjectCode,
    Origin, SettingsProfile, SiteCode, Timestamp, Window,
};

use crate::contents::{Contents, Shelves};
use crate::rollout::{grows_at, share};
use crate::{Audience, Missing, Note, Outcome, OwnedDeployment, World};

/// Of deployments that spread (CSET-10): each client acts within so much after the deadline.
pub(crate) const SPREAD_MINUTES: u16 = 120;

#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) settings: ClientSettings,
    pub(crate) profiles: Vec<SettingsProfile>,
    pub(crate) windows: Vec<Window>,
    /// Ascending by id.
    pub(crate) acting: Vec<Acting>,
    /// Those that act on nobody here, whoever the clients are.
    pub(crate) still: BTreeMap<DeploymentId, Outcome>,
    pub(crate) next_change: Option<Timestamp>,
}

/// A deployment that acts on those of this site's clients that it aims at.
#[derive(Clone, Debug)]
pub(crate) struct Acting {
    /// Not spread, unless it always is.
    pub(crate) assignment: Assignment,
    pub(crate) notes: Vec<Note>,
    collection: ObjectCode,
    except: Vec<ObjectCode>,
    /// How many buckets of clients have it.
    pub(crate) share: u32,
}

impl Frame {
    pub(crate) fn new(world: &World) -> Frame {
        let shelves = Shelves::of(&world.packages);
        let mut owned: Vec<&OwnedDeployment> = world.deployments.iter().collect();
        owned.sort_by_key(|owned| owned.deployment.id);
        let (mut acting, mut still) = (Vec::new(), BTreeMap::new());
        let mut next_change: Option<Timestamp> = None;
        for owned in owned {
            match act(world, &shelves, owned) {
                Ok(one) => {
                    let rollout = owned.deployment.rollout.as_ref();
                    let grows = rollout.and_then(|rollout| grows_at(rollout, world.now));
                    next_change = next_change.into_iter().chain(grows).min();
                    acting.push(one);
                }
                Err(outcome) => drop(still.insert(owned.deployment.id, outcome)),
            }
        }
        Frame {
            settings: world.settings,
            profiles: world.profiles.clone(),
            windows: world.windows.iter().filter(|window| window.is_enabled).cloned().collect(),
            acting,
            still,
            next_change,
        }
    }
}

/// What a deployment gives its clients here, or why it gives nobody anything.
fn act(
    world: &World,
    shelves: &Shelves<'_>,
    OwnedDeployment { owner, deployment }: &OwnedDeployment,
) -> Result<Acting, Outcome> {
    let rules_here = |site: SiteCode| site == world.site || site == world.top;
    if !rules_here(*owner) {
        return Err(Outcome::Elsewhere(*owner));
    }
    if !deployment.enabled {
        return Err(Outcome::Disabled);
    }
    if deployment.effect == Effect::Report {
        return Err(Outcome::ReportOnly);
    }
    let holds = world.holds.iter().filter(|hold| hold.deployment == deployment.id);
    if let Some(site) = holds.map(|hold| hold.site).filter(|site| rules_here(*site)).min() {
        return Err(Outcome::Held(site));
    }
    let mut contents = Contents::new(world, shelves, deployment.download.has_packages);
    match world.groups.get(&deployment.group) {
        Some(group) => group.updates.iter().for_each(|update| contents.add(*update)),
        None => contents.miss(missing_object(world, &deployment.group)),
    }
    let Contents { updates, notes, missing, .. } = contents;
    if !missing.is_empty() {
        return Err(Outcome::Waiting(missing.into_iter().collect()));
    }
    let Deployment { id, name, intent, available_at, deadline, basis, .. } = deployment;
    Ok(Acting {
        assignment: Assignment {
            deployment: *id,
            name: name.clone(),
            intent: *intent,
            available_at: *available_at,
            deadline: *deadline,
            basis: *basis,
            experience: deployment.experience,
            download: deployment.download,
            detail: deployment.detail,
            wakes: deployment.wakes,
            spread_minutes: match deployment.origin {
                Origin::Rule(_) => SPREAD_MINUTES,
                Origin::Hand | Origin::Phase { .. } | Origin::Approval => 0,
            },
            updates,
        },
        notes,
        collection: deployment.collection.clone(),
        except: deployment.except.clone(),
        share: deployment.rollout.map_or(u32::MAX, |rollout| share(&rollout, world.now)),
    })
}

/// A code begins with the site that gave it; the built-in ones come from the top.
fn missing_object(world: &World, code: &ObjectCode) -> Missing {
    let site = code.as_str().get(..3).and_then(|site| SiteCode::new(site).ok());
    Missing { id: code.to_string(), site: site.unwrap_or(world.top) }
}

impl Acting {
    pub(crate) fn ignores_windows(&self) -> bool {
        self.assignment.experience.install_outside_window
    }

    /// Whom it aims at, before it has grown. An exception that is not known widens nothing.
    pub(crate) fn targets(&self, audience: &Audience) -> Result<ClientSet, Vec<Missing>> {
        let find = |code| audience.memberships.of(code);
        let all = std::iter::once(&self.collection).chain(&self.except);
        let missing: Vec<Missing> = all.filter_map(|code| find(code).err()).collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        let mut targets = find(&self.collection).cloned().unwrap_or_default();
        for except in &self.except {
            targets = find(except).map_or_else(|_| ClientSet::default(), |set| targets.minus(set));
        }
        Ok(targets)
    }
}

/// Whom a settings profile reaches.
pub(crate) fn reach(profile: &SettingsProfile, audience: &Audience) -> Result<ClientSet, Missing> {
    if profile.code.as_str() == DEFAULT_SETTINGS {
        return Ok(audience.roster.all().clone());
    }
    let mut reached = ClientSet::default();
    for collection in &profile.collections {
        reached.absorb(audience.memberships.of(collection)?);
    }
    Ok(reached)
}
