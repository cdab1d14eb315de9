//! Approvals: a second way to say update groups and deployments (INT-33 … INT-40).
//!
//! Owns what a decision on an update for a collection means for the collections inside it, and
//! which groups and deployments say the same. Refuses to know clients, new codes and where objects
//! are kept. Nothing here fails; a limiting collection that is not here ends inheritance there.
//!
//! Each decision is in exactly one pair of a group and a deployment, so decisions are read back
//! from the pairs. Updates that were decided on alike share a pair:
//!
//! | action | deployment |
//! | --- | --- |
//! | required | required with its deadline; without one: available, and users are told |
//! | available | available, in the software center only |
//! | do_not_install | required, report only |
//! | uninstall | uninstall |
//! | not_applicable | disabled: it only takes its collection out of what that would inherit |

use std::collections::{BTreeMap, BTreeSet};

use model::{
    ALL_SYSTEMS, Collection, Deployment, DeploymentId, Effect, Experience, Intent, Invalid, Notify,
    ObjectCode, Origin, Timestamp, UpdateGroup, UpdateId,
};

/// Updates in one pair: what a deployment may have unless a setting says otherwise.
const PAIR_UPDATES_MAX: usize = 1_000;

/// What a collection shall do with an update (INT-38).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Without a deadline users are told of it and may put it off for ever.
    Required,
    Available,
    /// Only reported on.
    DoNotInstall,
    Uninstall,
    /// What it inherits does not hold for it.
    NotApplicable,
}

impl Action {
    pub const ALL: [Action; 5] = [
        Action::Required,
        Action::Available,
        Action::DoNotInstall,
        Action::Uninstall,
        Action::NotApplicable,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Required => "required",
            Action::Available => "available",
            Action::DoNotInstall => "do_not_install",
            Action::Uninstall => "uninstall",
            Action::NotApplicable => "not_applicable",
        }
    }

    fn installs(self) -> bool {
        matches!(self, Action::Required | Action::Available)
    }
}

impl std::str::FromStr for Action {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Action, Invalid> {
        Action::ALL.into_iter().find(|action| action.as_str() == text).ok_or_else(|| {
            let all = Action::ALL.map(Action::as_str).join(", ");
            Invalid::new("action", format!("\"{text}\" is none of {all}"))
        })
    }
}

/// An action and until when it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decision {
    pub action: Action,
    pub deadline: Option<Timestamp>,
}

/// The decisions of one site: each collection's own on each update.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decisions(pub BTreeMap<(UpdateId, ObjectCode), Decision>);

/// A group and the deployment of it that say some decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub group: UpdateGroup,
    pub deployment: Deployment,
}

/// What the updates of a pair have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alike {
    pub collection: ObjectCode,
    pub decision: Decision,
    /// Collections with decisions of their own.
    pub except: Vec<ObjectCode>,
}

/// How the pairs of a site have to change to say its decisions.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PairChanges {
    pub made: Vec<(Alike, Vec<UpdateId>)>,
    /// Groups with other updates than before.
    pub changed: Vec<UpdateGroup>,
    pub deleted: Vec<Pair>,
}

/// Which collection limits which.
#[derive(Debug)]
pub struct Tree<'a>(&'a BTreeMap<ObjectCode, Collection>);

impl<'a> Tree<'a> {
    #[must_use]
    pub fn new(collections: &'a BTreeMap<ObjectCode, Collection>) -> Tree<'a> {
        Tree(collections)
    }

    /// The collections around one, the nearest first; the last is that of all computers.
    #[must_use]
    pub fn around(&self, code: &ObjectCode) -> Vec<ObjectCode> {
        let all = ObjectCode::new(ALL_SYSTEMS).expect("the built-in code is one");
        let (mut around, mut inner) = (Vec::new(), code.clone());
        // Two sites may have made a circle; it ends where it closes.
        while inner != all {
            let outer = self.0.get(&inner).and_then(|found| found.limiting.clone());
            inner = outer.unwrap_or_else(|| all.clone());
            if inner == *code || around.contains(&inner) {
                break;
            }
            around.push(inner.clone());
        }
        around
    }

    fn is_inside(&self, inner: &ObjectCode, outer: &ObjectCode) -> bool {
        self.around(inner).contains(outer)
    }
}

impl Decisions {
    #[must_use]
    pub fn read<'p>(pairs: impl IntoIterator<Item = &'p Pair>) -> Decisions {
        let mut decisions = BTreeMap::new();
        for Pair { group, deployment } in pairs {
            let decision = decision_of(deployment);
            let of = |update: &UpdateId| ((*update, deployment.collection.clone()), decision);
            decisions.extend(group.updates.iter().map(of));
        }
        Decisions(decisions)
    }

    /// What holds for a collection, and the collection that decided it.
    #[must_use]
    pub fn effective(
        &self,
        tree: &Tree<'_>,
        update: UpdateId,
        collection: &ObjectCode,
    ) -> Option<(ObjectCode, Decision)> {
        let mut from = vec![collection.clone()];
        from.extend(tree.around(collection));
        from.into_iter().find_map(|code| {
            let decision = self.0.get(&(update, code.clone())).copied();
            decision.map(|decision| (code, decision))
        })
    }

    /// The deadline of something that is due at once: that of what was due at once before, so that
    /// it can share its pair, or now.
    #[must_use]
    pub fn at_once(&self, collection: &ObjectCode, action: Action, now: Timestamp) -> Timestamp {
        let alike =
            self.0.iter().filter(|((_, code), held)| code == collection && held.action == action);
        let past = alike.filter_map(|(_, held)| held.deadline.filter(|deadline| *deadline <= now));
        past.max().unwrap_or(now)
    }

    /// What the pairs have to say: updates by what they have in common.
    fn compile(&self, tree: &Tree<'_>) -> BTreeMap<Alike, BTreeSet<UpdateId>> {
        let mut by_update: BTreeMap<UpdateId, BTreeMap<&ObjectCode, Decision>> = BTreeMap::new();
        for ((update, collection), decision) in &self.0 {
            by_update.entry(*update).or_default().insert(collection, *decision);
        }
        let mut all: BTreeMap<Alike, BTreeSet<UpdateId>> = BTreeMap::new();
        for (update, decided) in by_update {
            for (collection, decision) in &decided {
                let except = except(tree, &decided, (collection, *decision));
                let collection = (*collection).clone();
                let alike = Alike { collection, decision: *decision, except };
                all.entry(alike).or_default().insert(update);
            }
        }
        all
    }

    /// The changes after which `pairs` say these decisions. What says them already stays.
    #[must_use]
    pub fn changes(&self, tree: &Tree<'_>, pairs: Vec<Pair>) -> PairChanges {
        let (mut wanted, mut changes) = (self.compile(tree), PairChanges::default());
        let mut kept: BTreeMap<Alike, Vec<(Pair, Vec<UpdateId>)>> = BTreeMap::new();
        for pair in pairs {
            let alike = alike_of(&pair.deployment);
            let rest = wanted.get_mut(&alike);
            // A decision is in one pair only, even if two say it now.
            let stay = rest.map_or_else(Vec::new, |rest| {
                pair.group.updates.iter().copied().filter(|update| rest.remove(update)).collect()
            });
            kept.entry(alike).or_default().push((pair, stay));
        }
        for (alike, rest) in wanted {
            let mut rest: Vec<UpdateId> = rest.into_iter().collect();
            for (_, stay) in kept.get_mut(&alike).into_iter().flatten() {
                let room = PAIR_UPDATES_MAX.saturating_sub(stay.len()).min(rest.len());
                stay.extend(rest.drain(..room));
            }
            let made = rest.chunks(PAIR_UPDATES_MAX).map(|part| (alike.clone(), part.to_vec()));
            changes.made.extend(made);
        }
        for (pair, stay) in kept.into_values().flatten() {
            if stay.is_empty() {
                changes.deleted.push(pair);
            } else if stay != pair.group.updates {
                changes.changed.push(UpdateGroup { updates: stay, ..pair.group });
            }
        }
        changes
    }
}

/// Where a decision does not reach: the collections inside with decisions of their own. An
/// uninstall also keeps away from other collections that shall have the update, so that no
/// computer is told both.
fn except(
    tree: &Tree<'_>,
    decided: &BTreeMap<&ObjectCode, Decision>,
    (collection, decision): (&ObjectCode, Decision),
) -> Vec<ObjectCode> {
    if decision.action == Action::NotApplicable {
        return Vec::new();
    }
    let is_out = |other: &ObjectCode, others: Decision| {
        let is_rival = decision.action == Action::Uninstall && others.action.installs();
        tree.is_inside(other, collection) || (is_rival && !tree.is_inside(collection, other))
    };
    let others = decided.iter().filter(|(other, _)| **other != collection);
    let out = others.filter(|(other, others)| is_out(other, **others));
    out.map(|(other, _)| (*other).clone()).collect()
}

fn decision_of(deployment: &Deployment) -> Decision {
    let Deployment { intent, effect, enabled, deadline, experience, .. } = deployment;
    let action = match (enabled, effect, intent) {
        (false, _, _) => Action::NotApplicable,
        (true, Effect::Report, _) => Action::DoNotInstall,
        (true, Effect::Install, Intent::Uninstall) => Action::Uninstall,
        (true, Effect::Install, Intent::Required) => Action::Required,
        (true, Effect::Install, Intent::Available) if experience.notify == Notify::All => {
            Action::Required
        }
        (true, Effect::Install, Intent::Available) => Action::Available,
    };
    Decision { action, deadline: *deadline }
}

fn alike_of(deployment: &Deployment) -> Alike {
    let mut except = deployment.except.clone();
    except.sort_unstable();
    let collection = deployment.collection.clone();
    Alike { collection, decision: decision_of(deployment), except }
}

/// The group and the deployment that say a decision on some updates.
#[must_use]
pub fn pair(
    (alike, updates): (Alike, Vec<UpdateId>),
    (code, id): (ObjectCode, DeploymentId),
    now: Timestamp,
) -> Pair {
    let Alike { collection, decision: Decision { action, deadline }, except } = alike;
    let name = format!("Approved as {} for {collection}", action.as_str());
    let intent = match action {
        Action::Required if deadline.is_some() => Intent::Required,
        Action::DoNotInstall | Action::NotApplicable => Intent::Required,
        Action::Required | Action::Available => Intent::Available,
        Action::Uninstall => Intent::Uninstall,
    };
    let plain = Deployment::plain(id, code.clone(), collection, now);
    let is_offer = action == Action::Available;
    let notify = if is_offer { Notify::CenterOnly } else { Notify::All };
    let effect = if action == Action::DoNotInstall { Effect::Report } else { Effect::Install };
    let deployment = Deployment {
        name: name.clone(),
        intent,
        deadline,
        effect,
        except,
        enabled: action != Action::NotApplicable,
        experience: Experience { notify, ..plain.experience },
        origin: Origin::Approval,
        ..plain
    };
    let group = UpdateGroup { origin: Origin::Approval, ..UpdateGroup::plain(code, name, updates) };
    Pair { group, deployment }
}

#[cfg(test)]
mod tests;
