//! Deployments of update groups to collections.
//!
//! Owns how deployments are shown and changed. Refuses to know how they are made, which is
//! [`making`], and what goes together in them, which is [`options`].

mod making;
pub(super) mod options;

use std::collections::BTreeMap;

use model::{
    Deployment, DeploymentId, Hold, Intent, Invalid, ObjectCode, Origin, Owner, UpdateGroup,
};
use rpc::convert::{read_time, wire_time};
use rpc::pb::admin as pb;
use site_db::{DEPLOYMENT_UPDATES_MAX, Reader};

pub(super) use self::making::{check_content, check_count, create};
use super::naming::check_origin;
use super::noun::DEPLOYMENT;
use super::standing::{Content, Standings};
use super::{Answer, collection, hold};
use crate::Error;
use crate::admin::{Change, View};
use crate::audit::Deed;

/// What the last plan here made of a deployment.
pub(super) fn outcome(r: &Reader<'_>, id: DeploymentId) -> Result<String, Error> {
    Ok(r.deployment_outcome(id)?.unwrap_or_else(|| "not planned here yet".to_owned()))
}

/// One row per deployment, whatever their number with one look at their updates.
fn rows(r: &Reader<'_>, all: &[(Owner, Deployment)]) -> Answer<Vec<pb::Deployment>> {
    let groups = r.list::<UpdateGroup>()?.into_iter();
    let mut groups: BTreeMap<ObjectCode, UpdateGroup> =
        groups.map(|(_, group)| (group.code.clone(), group)).collect();
    groups.retain(|code, _| all.iter().any(|(_, deployment)| deployment.group == *code));
    let members = groups.values().flat_map(|group| group.updates.iter().copied());
    let standings = Standings::read(r, members)?;
    let holds: Vec<Hold> = r.list()?.into_iter().map(|(_, hold)| hold).collect();
    let row = |(owner, deployment): &(Owner, Deployment)| {
        let updates = groups.get(&deployment.group).map_or(&[][..], |group| &group.updates);
        let has_packages = deployment.download.has_packages;
        let content = if has_packages { Content::Needed } else { Content::Elsewhere };
        let tally = standings.tally(updates, content);
        let held = holds.iter().filter(|hold| hold.deployment == deployment.id);
        Ok(pb::Deployment {
            id: deployment.id.to_string(),
            name: deployment.name.clone(),
            owner: owner.code.to_string(),
            group: deployment.group.to_string(),
            collection: deployment.collection.to_string(),
            intent: deployment.intent.as_str().to_owned(),
            available_at: Some(wire_time(deployment.available_at)),
            deadline: deployment.deadline.map(wire_time),
            enabled: deployment.enabled,
            outcome: outcome(r, deployment.id)?,
            expired: tally.expired,
            declined: tally.declined,
            superseded: tally.superseded,
            missing: tally.missing,
            mark: tally.mark.as_str().to_owned(),
            held_by: held.map(|hold| hold.site.to_string()).collect(),
            effect: deployment.effect.as_str().to_owned(),
        })
    };
    all.iter().map(row).collect()
}

fn row(r: &Reader<'_>, found: (Owner, Deployment)) -> Answer<pb::Deployment> {
    Ok(rows(r, &[found])?.pop().expect("one row per deployment"))
}

pub(super) fn list(v: &View<'_>, asked: pb::ListDeploymentsRequest) -> Answer<Vec<pb::Deployment>> {
    let mut all: Vec<(Owner, Deployment)> = v.list()?;
    all.retain(|(_, deployment)| asked.all || deployment.origin != Origin::Approval);
    rows(v, &all)
}

pub(super) fn show(
    v: &View<'_>,
    asked: pb::GetDeploymentRequest,
) -> Answer<pb::GetDeploymentResponse> {
    let (owner, deployment) = DEPLOYMENT.found(v, &asked.id)?;
    let holds = v.list::<Hold>()?.into_iter().map(|(_, hold)| hold);
    let holds = holds.filter(|hold| hold.deployment == deployment.id);
    Ok(pb::GetDeploymentResponse {
        description: deployment.description.clone(),
        origin: deployment.origin.words(),
        created_at: Some(wire_time(deployment.created_at)),
        options: Some(options::told(&deployment)),
        has_packages: deployment.download.has_packages,
        except: deployment.except.iter().map(ObjectCode::to_string).collect(),
        holds: holds.map(hold::row).collect(),
        alert_since: v.deployment_alerts()?.get(&deployment.id).copied().map(wire_time),
        row: Some(row(v, (owner, deployment))?),
    })
}

/// To be changed by people, which what approvals keep is not.
fn owned(c: &Change<'_>, id: &str) -> Result<Deployment, Error> {
    let deployment = DEPLOYMENT.owned(c, id)?;
    check_origin(&deployment.origin, || format!("deployment {id}"))?;
    Ok(deployment)
}

pub(super) fn change(c: &Change<'_>, asked: pb::ChangeDeploymentRequest) -> Answer<pb::Deployment> {
    let mut deployment = owned(c, &asked.id)?;
    if let Some(name) = asked.name {
        deployment.name = name;
        making::check_unique(c, &deployment)?;
    }
    if let Some(code) = asked.collection {
        deployment.collection = ObjectCode::new(&code)?;
        collection::find(c, &code)?;
    }
    let available_at = asked.available_at.map(read_time).transpose()?;
    let deadline = asked.deadline.map(read_time).transpose()?;
    deployment.description = asked.description.unwrap_or(deployment.description);
    deployment.available_at = available_at.unwrap_or(deployment.available_at);
    deployment.deadline = deadline.or(deployment.deadline);
    options::apply(&asked.options.unwrap_or_default(), &mut deployment)?;
    options::check(&deployment)?;
    c.audit(Deed::Changed, format!("deployment {}", deployment.id))?;
    c.put_own(&deployment)?;
    row(c, (c.identity().owner, deployment))
}

pub(super) fn set_enabled(
    c: &Change<'_>,
    asked: pb::SetDeploymentEnabledRequest,
) -> Answer<pb::SetDeploymentEnabledResponse> {
    let pb::SetDeploymentEnabledRequest { id, enabled } = asked;
    let deployment = Deployment { enabled, ..owned(c, &id)? };
    let state = if enabled { "enabled" } else { "disabled" };
    c.audit(Deed::Changed, format!("deployment {}: {state}", deployment.id))?;
    c.put_own(&deployment)?;
    Ok(pb::SetDeploymentEnabledResponse {})
}

pub(super) fn delete(
    c: &Change<'_>,
    asked: pb::DeleteDeploymentRequest,
) -> Answer<pb::DeleteDeploymentResponse> {
    let deployment = owned(c, &asked.id)?;
    c.audit(Deed::Removed, format!("deployment {}", deployment.id))?;
    c.delete(&deployment)?;
    Ok(pb::DeleteDeploymentResponse {})
}

pub(super) fn limits(v: &View<'_>, _: pb::GetDeploymentLimitsRequest) -> Answer<u32> {
    Ok(v.deployment_updates_max()?)
}

pub(super) fn set_limits(c: &Change<'_>, asked: pb::SetDeploymentLimitsRequest) -> Answer<u32> {
    let max = asked.updates_max;
    if !(1..=DEPLOYMENT_UPDATES_MAX).contains(&max) {
        let reason = format!("are {max}; 1 to {DEPLOYMENT_UPDATES_MAX} are possible");
        return Err(Invalid::new("updates of a deployment", reason).into());
    }
    c.audit(Deed::Changed, format!("updates of a deployment: at most {max}"))?;
    c.set_deployment_updates_max(max)?;
    Ok(max)
}

/// The word of a request.
fn intent(word: &str) -> Result<Intent, Invalid> {
    match word {
        "required" => Ok(Intent::Required),
        "available" => Ok(Intent::Available),
        _ => Err(Invalid::new("intent", "is neither required nor available")),
    }
}
