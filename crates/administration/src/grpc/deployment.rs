//! Deployments of update groups to collections.

use model::{
    ALL_SYSTEMS, Deployment, DeploymentId, Intent, Invalid, ObjectCode, Owner, UpdateGroup,
};
use rpc::convert::{read_time, wire_time};
use rpc::pb::admin as pb;
use site_db::Reader;

use super::decline::{check_deployable, count_out};
use super::noun::{DEPLOYMENT, GROUP};
use super::{Answer, collection};
use crate::Error;
use crate::admin::{Change, View};
use crate::audit::Deed;

/// What the last plan here made of a deployment.
pub(super) fn outcome(r: &Reader<'_>, id: DeploymentId) -> Result<String, Error> {
    Ok(r.deployment_outcome(id)?.unwrap_or_else(|| "not planned here yet".to_owned()))
}

fn row(r: &Reader<'_>, (owner, deployment): (Owner, Deployment)) -> Answer<pb::Deployment> {
    let outcome = outcome(r, deployment.id)?;
    let contents = r.get::<UpdateGroup>(deployment.group.as_str().as_bytes())?;
    let (expired, declined) = count_out(r, contents.as_ref().map_or(&[], |group| &group.updates))?;
    let Deployment { id, name, group, collection, intent, available_at, deadline, enabled, .. } =
        deployment;
    Ok(pb::Deployment {
        id: id.to_string(),
        name,
        owner: owner.code.to_string(),
        group: group.to_string(),
        collection: collection.to_string(),
        intent: intent.as_str().to_owned(),
        available_at: Some(wire_time(available_at)),
        deadline: deadline.map(wire_time),
        enabled,
        outcome,
        expired,
        declined,
    })
}

pub(super) fn list(v: &View<'_>, _: pb::ListDeploymentsRequest) -> Answer<Vec<pb::Deployment>> {
    v.list()?.into_iter().map(|found| row(v, found)).collect()
}

pub(super) fn show(v: &View<'_>, asked: pb::GetDeploymentRequest) -> Answer<pb::Deployment> {
    row(v, DEPLOYMENT.found(v, &asked.id)?)
}

pub(super) fn create(c: &Change<'_>, asked: pb::CreateDeploymentRequest) -> Answer<String> {
    DEPLOYMENT.check_place(c)?;
    let deployment = read(c, DeploymentId(c.admin.db.ambient().ordered_id()), asked)?;
    // A reference that does not exist yet would only wait; at its making it is a mistake.
    let (_, group) = GROUP.found(c, deployment.group.as_str())?;
    let remedy = format!("take them out first: `tierline group remove {} ID...`", group.code);
    check_deployable(c, &group.updates, remedy)?;
    collection::find(c, deployment.collection.as_str())?;
    let id = deployment.id.to_string();
    c.audit(Deed::Created, format!("deployment {id} ({})", deployment.name))?;
    c.put_own(&deployment)?;
    Ok(id)
}

fn read(
    r: &Reader<'_>,
    id: DeploymentId,
    message: pb::CreateDeploymentRequest,
) -> Result<Deployment, Error> {
    let pb::CreateDeploymentRequest { name, group, collection, intent, available_at, deadline } =
        message;
    let now = r.now();
    let available_at = available_at.map(read_time).transpose()?.unwrap_or(now);
    let deadline = deadline.map(read_time).transpose()?;
    let bad = |field, reason: &str| Err(Error::Invalid(Invalid::new(field, reason)));
    let (intent, deadline) = match (intent.as_str(), deadline) {
        ("required", deadline) => (Intent::Required, Some(deadline.unwrap_or(available_at))),
        ("available", None) => (Intent::Available, None),
        ("available", Some(_)) => return bad("deadline", "is only for required deployments"),
        _ => return bad("intent", "is neither required nor available"),
    };
    if deadline.is_some_and(|deadline| deadline < available_at) {
        return bad("deadline", "is before the updates become available");
    }
    let collection = if collection.is_empty() { ALL_SYSTEMS } else { &collection };
    Ok(Deployment {
        id,
        name,
        group: ObjectCode::new(&group)?,
        collection: ObjectCode::new(collection)?,
        intent,
        available_at,
        deadline,
        enabled: true,
        created_at: now,
    })
}

pub(super) fn set_enabled(
    c: &Change<'_>,
    asked: pb::SetDeploymentEnabledRequest,
) -> Answer<pb::SetDeploymentEnabledResponse> {
    let pb::SetDeploymentEnabledRequest { id, enabled } = asked;
    let deployment = Deployment { enabled, ..DEPLOYMENT.owned(c, &id)? };
    let state = if enabled { "enabled" } else { "disabled" };
    c.audit(Deed::Changed, format!("deployment {}: {state}", deployment.id))?;
    c.put_own(&deployment)?;
    Ok(pb::SetDeploymentEnabledResponse {})
}

pub(super) fn delete(
    c: &Change<'_>,
    asked: pb::DeleteDeploymentRequest,
) -> Answer<pb::DeleteDeploymentResponse> {
    let deployment = DEPLOYMENT.owned(c, &asked.id)?;
    c.audit(Deed::Removed, format!("deployment {}", deployment.id))?;
    c.delete(&deployment)?;
    Ok(pb::DeleteDeploymentResponse {})
}
