//! What an automatic deployment rule does when it runs.
//!
//! Owns when a run is due, which updates may be in it, how they are spread over groups, how groups
//! and deployments are called, and at which times deployments begin and end. Refuses to know where
//! rules, runs and updates are kept and how content comes. Fails in one way: more updates match
//! than a deployment may hold.

mod template;

use std::collections::{BTreeMap, BTreeSet};

use model::{
    Deployment, DeploymentId, Due, Effect, Evaluate, GroupUse, Intent, ObjectCode, Origin, Rule,
    RuleDeployment, Stage, Timestamp, UpdateGroup, UpdateId,
};
use query::Query;
use recurrence::Recurrence;
use uuid::Builder;

use crate::{Surroundings, UpdateIndex};

pub use template::{BUILT_IN, blank_deployment, blank_rule, built_in_template};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// Counts change all the time, and each run may make a group: so long after a run, changed inputs
/// alone bring no other one.
const INPUTS_REST_MS: i64 = 60 * MINUTE_MS;

/// Why a rule runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunReason {
    /// Somebody asked.
    Asked,
    Schedule,
    Synchronization,
    /// No synchronization, but what it takes is not what it took: more computers require an
    /// update, or somebody deployed one.
    Inputs,
}

impl RunReason {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RunReason::Asked => "asked",
            RunReason::Schedule => "schedule",
            RunReason::Synchronization => "synchronization",
            RunReason::Inputs => "inputs changed",
        }
    }
}

/// What a rule has seen so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleMemory<D> {
    /// When it ran last, or was met first.
    pub at: Timestamp,
    /// The catalog version at that time.
    pub catalog: u64,
    /// Of the updates it took.
    pub inputs: D,
}

/// Why a rule runs by itself now; none: it does not.
pub fn due<D: PartialEq>(
    rule: &Rule,
    seen: &RuleMemory<D>,
    here: &RuleMemory<D>,
) -> Option<RunReason> {
    if !rule.is_enabled {
        return None;
    }
    match &rule.evaluate {
        Evaluate::Manual => None,
        Evaluate::OnChange if here.catalog != seen.catalog => Some(RunReason::Synchronization),
        Evaluate::OnChange => {
            let is_rested = here.at >= seen.at.plus_ms(INPUTS_REST_MS);
            (is_rested && here.inputs != seen.inputs).then_some(RunReason::Inputs)
        }
        Evaluate::At(_) => {
            next_run(rule, seen.at).filter(|next| *next <= here.at).map(|_| RunReason::Schedule)
        }
    }
}

/// The next scheduled run after a moment.
#[must_use]
pub fn next_run(rule: &Rule, after: Timestamp) -> Option<Timestamp> {
    let Evaluate::At(text) = &rule.evaluate else { return None };
    text.parse::<Recurrence>().ok()?.after(after)
}

/// What a rule takes, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matched {
    pub updates: Vec<UpdateId>,
    /// They match, but are only for languages that the rule does not want (DEPX-17).
    pub other_languages: Vec<UpdateId>,
}

/// What a rule would take now. None: it asks for counts that nobody has yet. Whatever the filter
/// says, nothing is taken that cannot be deployed, and what is superseded only by a filter that
/// speaks of it. A group that is filled again keeps the newest definitions alone.
#[must_use]
pub fn matching(
    rule: &Rule,
    filter: &Query,
    index: &UpdateIndex,
    around: &Surroundings<'_>,
) -> Option<Matched> {
    let mut found = index.select(filter, around)?;
    let out = ["expired", "declined", "metadata_only"].into_iter();
    let out = out.chain((!takes_superseded(filter)).then_some("superseded"));
    let out: Vec<&str> = out.chain(rule.only_without_license.then_some("license")).collect();
    found.retain(|id| !out.iter().any(|flag| index.has(*id, flag)));
    if rule.group_use == GroupUse::Refill {
        index.drop_old_definitions(&mut found);
    }
    if rule.languages.is_empty() {
        return Some(Matched { updates: found, other_languages: Vec::new() });
    }
    let (updates, other_languages) =
        found.into_iter().partition(|id| index.speaks(*id, &rule.languages));
    Some(Matched { updates, other_languages })
}

/// Whether a filter speaks of what is superseded: then it alone says whether that is taken.
#[must_use]
pub fn takes_superseded(filter: &Query) -> bool {
    filter.asks_for("superseded")
}

/// What counts as deployed for a rule: a group that is filled again does not keep its own updates
/// out.
pub fn deployed_beside<'a>(
    rule: &Rule,
    deployments: impl IntoIterator<Item = &'a Deployment>,
    groups: &BTreeMap<ObjectCode, UpdateGroup>,
) -> BTreeSet<UpdateId> {
    let own = rule.group.as_ref().filter(|_| rule.group_use == GroupUse::Refill);
    let others = deployments.into_iter().filter(|deployment| Some(&deployment.group) != own);
    let groups = others.filter_map(|deployment| groups.get(&deployment.group));
    groups.flat_map(|group| &group.updates).copied().collect()
}

/// More updates than a deployment may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    pub count: usize,
    pub limit: usize,
}

/// The updates of each group that a run fills; nothing matches: none.
pub fn parts<'a>(
    rule: &Rule,
    updates: &'a [UpdateId],
    limit: usize,
) -> Result<Vec<&'a [UpdateId]>, TooMany> {
    let (count, limit) = (updates.len(), limit.max(1));
    if count > limit && !rule.splits {
        return Err(TooMany { count, limit });
    }
    Ok(updates.chunks(limit).collect())
}

/// A run that fills groups.
#[derive(Clone, Copy, Debug)]
pub struct Filling<'a> {
    pub rule: &'a Rule,
    pub started_at: Timestamp,
    /// From 1 to so many.
    pub part: usize,
    pub parts: usize,
    /// The group held these updates before: their times have begun.
    pub is_same: bool,
}

impl Filling<'_> {
    /// Says when the run began, and which part it is.
    #[must_use]
    pub fn group_name(&self) -> String {
        let at = self.started_at.to_string();
        let moment = at.get(..16).unwrap_or(&at).replace('T', " ");
        self.with_part(&format!("{} {moment}", self.rule.name))
    }

    fn with_part(&self, name: &str) -> String {
        match self.parts {
            0 | 1 => name.to_owned(),
            parts => format!("{name} ({} of {parts})", self.part),
        }
    }

    /// The group as the run leaves it; what administrators changed of it stays.
    #[must_use]
    pub fn group(
        &self,
        code: ObjectCode,
        held: Option<UpdateGroup>,
        updates: Vec<UpdateId>,
    ) -> UpdateGroup {
        match held {
            Some(held) => UpdateGroup { updates, ..held },
            None => UpdateGroup {
                code,
                name: self.group_name(),
                updates,
                description: self.rule.description.clone(),
                origin: Origin::Rule(self.rule.code.clone()),
            },
        }
    }

    /// A deployment of the group as the run leaves it. Of one that is there already only the times
    /// are the rule's, and only while its updates change, or no deadline would ever come; all else
    /// may have been changed since.
    #[must_use]
    pub fn deployment(
        &self,
        order: &RuleDeployment,
        (id, group): (DeploymentId, &ObjectCode),
        held: Option<Deployment>,
    ) -> Deployment {
        let held = match held {
            Some(held) if self.is_same => return held,
            held => held,
        };
        let available_at = resolve(&order.available, self.started_at);
        let deadline = match order.intent {
            Intent::Available => None,
            Intent::Required | Intent::Uninstall => {
                let due = order.deadline.as_ref().unwrap_or(&Due::Asap);
                Some(resolve(due, available_at))
            }
        };
        if let Some(held) = held {
            return Deployment { available_at, deadline, ..held };
        }
        let rule = self.rule;
        let name = if order.name.is_empty() { &rule.name } else { &order.name };
        let collection = order.collection.clone();
        Deployment {
            name: self.with_part(name),
            description: rule.description.clone(),
            intent: order.intent,
            effect: if rule.stage == Stage::Report { Effect::Report } else { Effect::Install },
            available_at,
            deadline,
            enabled: order.is_enabled && rule.stage != Stage::Content,
            basis: order.basis,
            experience: order.experience,
            download: order.download,
            alert: order.alert,
            detail: order.detail,
            wakes: order.wakes,
            accepts_license: !rule.only_without_license,
            origin: Origin::Rule(rule.code.clone()),
            ..Deployment::plain(id, group.clone(), collection, self.started_at)
        }
    }
}

/// What a deployment of a rule is called: the same for the same group and order, whichever run
/// asks.
#[must_use]
pub fn made_id(rule: &ObjectCode, group: &ObjectCode, order: &RuleDeployment) -> DeploymentId {
    let mut hash = blake3::Hasher::new();
    for text in [rule.as_str(), group.as_str(), order.collection.as_str(), &order.name] {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    let digest = hash.finalize();
    let bytes = digest.as_bytes().first_chunk().expect("a digest has 32 bytes");
    DeploymentId(Builder::from_custom_bytes(*bytes).into_uuid())
}

/// When something is due that is counted from a moment; never before it.
#[must_use]
pub fn resolve(due: &Due, from: Timestamp) -> Timestamp {
    match due {
        Due::Asap => from,
        Due::After { minutes } => from.plus_ms(i64::from(*minutes) * MINUTE_MS),
        Due::At { days, minute_of_day } => {
            let midnight = Timestamp(from.0.div_euclid(DAY_MS) * DAY_MS);
            let ms = i64::from(*days) * DAY_MS + i64::from(*minute_of_day) * MINUTE_MS;
            midnight.plus_ms(ms).max(from)
        }
    }
}

#[cfg(test)]
mod tests;
