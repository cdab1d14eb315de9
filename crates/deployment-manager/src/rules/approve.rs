//! Approvals that a rule makes (INT-16, INT-18): decisions like those of an administrator, which
//! stay when the rule goes (INT-19). What somebody decided before is not decided again.

use std::collections::BTreeMap;

use deployment::{Action, Decision, Decisions, Pair, PairChanges, Tree, pair, resolve};
use model::{
    Collection, Deployment, Due, Group, Intent, ObjectCode, Origin, Rule, RuleDeployment,
    Timestamp, UpdateGroup, UpdateId,
};
use rpc::object::ObjectBody as _;
use site_db::{Error, Own, Reader, Writer};

use crate::limits::DECISIONS_MAX;

/// Decides what the deployments of a rule say on updates; answers how many decisions are new. None:
/// they would be too many, and nothing is decided.
pub(super) fn approve(
    w: &Writer<'_>,
    rule: &Rule,
    updates: &[UpdateId],
) -> Result<Option<usize>, Error> {
    let pairs = own_pairs(w)?;
    let mut decisions = Decisions::read(&pairs);
    let before = decisions.0.len();
    for order in &rule.deployments {
        let decision = decision(&decisions, order, w.now());
        for update in updates {
            let key = (*update, order.collection.clone());
            decisions.0.entry(key).or_insert(decision);
        }
        if decisions.0.len() - before > DECISIONS_MAX {
            return Ok(None);
        }
    }
    let all = w.list::<Collection>()?.into_iter();
    let all: BTreeMap<ObjectCode, Collection> =
        all.map(|(_, collection)| (collection.code.clone(), collection)).collect();
    write(w, decisions.changes(&Tree::new(&all), pairs))?;
    Ok(Some(decisions.0.len() - before))
}

fn decision(held: &Decisions, order: &RuleDeployment, now: Timestamp) -> Decision {
    let action = match order.intent {
        Intent::Required => Action::Required,
        Intent::Available => Action::Available,
        Intent::Uninstall => Action::Uninstall,
    };
    let due = order.deadline.filter(|_| action != Action::Available);
    let deadline = due.map(|due| match due {
        Due::Asap => held.at_once(&order.collection, action, now),
        Due::After { .. } | Due::At { .. } => resolve(&due, now),
    });
    Decision { action, deadline }
}

/// What says the decisions of this site.
fn own_pairs(r: &Reader<'_>) -> Result<Vec<Pair>, Error> {
    let own = r.identity().owner;
    let mut pairs = Vec::new();
    for (owner, deployment) in r.list::<Deployment>()? {
        if owner == own && deployment.origin == Origin::Approval {
            let group = r.get::<UpdateGroup>(deployment.group.as_str().as_bytes())?;
            pairs.extend(group.map(|group| Pair { group, deployment }));
        }
    }
    Ok(pairs)
}

fn write(w: &Writer<'_>, changes: PairChanges) -> Result<(), Error> {
    let PairChanges { made, changed, deleted } = changes;
    let mut writes = Vec::new();
    for alike in made {
        let code = w.new_code::<UpdateGroup>("update group")?;
        let ids = (code, w.new_deployment_id());
        let Pair { group, deployment } = pair(alike, ids, w.now());
        writes.extend([Own::put(&group), Own::put(&deployment)]);
    }
    writes.extend(changed.iter().map(Own::put));
    for Pair { group, deployment } in &deleted {
        writes.push(Own::delete(Deployment::KIND, deployment.object_id()));
        writes.push(Own::delete(UpdateGroup::KIND, group.object_id()));
    }
    w.write_own(Group::Control, writes)
}
