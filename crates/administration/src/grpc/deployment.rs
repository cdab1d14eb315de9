//! Deployments of update groups to collections.

use model::{ALL_SYSTEMS, Deployment, DeploymentId, Intent, Invalid, Kind, ObjectCode, Owner};
use rpc::convert::{read_time, wire_time};
use rpc::object::ObjectBody as _;
use rpc::pb::admin as pb;
use site_db::{Own, Reader, Writer};

use super::owned::Noun;
use super::{collection, group};
use crate::admin::Call;
use crate::audit::{Deed, audit};
use crate::{Admin, Error};

const NOUN: Noun = Noun { what: "deployment", see: "tierline deployment list" };

pub(super) fn find(r: &Reader<'_>, id: DeploymentId) -> Result<(Owner, Deployment), Error> {
    NOUN.found(r, (id.as_bytes(), &id.to_string()))
}

fn owned(w: &Writer<'_>, id: DeploymentId) -> Result<Deployment, Error> {
    NOUN.owned(w, (id.as_bytes(), &id.to_string()))
}

/// What the last plan here made of a deployment.
pub(super) fn outcome(r: &Reader<'_>, id: DeploymentId) -> Result<String, Error> {
    Ok(r.deployment_outcome(id)?.unwrap_or_else(|| "not planned here yet".to_owned()))
}

fn row(r: &Reader<'_>, owner: Owner, deployment: Deployment) -> Result<pb::Deployment, Error> {
    let outcome = outcome(r, deployment.id)?;
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
    })
}

pub(super) async fn list(
    admin: &Admin,
    _: Call<pb::ListDeploymentsRequest>,
) -> Result<pb::ListDeploymentsResponse, Error> {
    let rows = admin.db.read(|r| {
        let all = r.list::<Deployment>()?.into_iter();
        all.map(|(owner, deployment)| row(r, owner, deployment)).collect()
    });
    Ok(pb::ListDeploymentsResponse { rows: rows.await? })
}

pub(super) async fn show(
    admin: &Admin,
    call: Call<pb::GetDeploymentRequest>,
) -> Result<pb::GetDeploymentResponse, Error> {
    let id: DeploymentId = call.message.id.parse()?;
    let found = admin.db.read(move |r| {
        let (owner, deployment) = find(r, id)?;
        row(r, owner, deployment)
    });
    Ok(pb::GetDeploymentResponse { row: Some(found.await?) })
}

pub(super) async fn create(
    admin: &Admin,
    call: Call<pb::CreateDeploymentRequest>,
) -> Result<pb::CreateDeploymentResponse, Error> {
    let (account, id) = (call.account(), DeploymentId(admin.db.ambient().ordered_id()));
    let message = call.message;
    let created = admin.db.write(move |w| {
        NOUN.check_place(w)?;
        let deployment = read(w, id, message)?;
        // A reference that does not exist yet would only wait; at its making it is a mistake.
        group::find(w, &deployment.group)?;
        collection::find(w, &deployment.collection)?;
        audit(w, &account, Deed::Created, format!("deployment {id} ({})", deployment.name))?;
        Ok::<_, Error>(w.put_own(&deployment)?)
    });
    created.await?;
    Ok(pb::CreateDeploymentResponse { id: id.to_string() })
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

pub(super) async fn set_enabled(
    admin: &Admin,
    call: Call<pb::SetDeploymentEnabledRequest>,
) -> Result<pb::SetDeploymentEnabledResponse, Error> {
    let account = call.account();
    let pb::SetDeploymentEnabledRequest { id, enabled } = call.message;
    let id: DeploymentId = id.parse()?;
    let changed = admin.db.write(move |w| {
        let deployment = Deployment { enabled, ..owned(w, id)? };
        let state = if enabled { "enabled" } else { "disabled" };
        audit(w, &account, Deed::Changed, format!("deployment {id}: {state}"))?;
        Ok::<_, Error>(w.put_own(&deployment)?)
    });
    changed.await?;
    Ok(pb::SetDeploymentEnabledResponse {})
}

pub(super) async fn delete(
    admin: &Admin,
    call: Call<pb::DeleteDeploymentRequest>,
) -> Result<pb::DeleteDeploymentResponse, Error> {
    let (account, id): (_, DeploymentId) = (call.account(), call.message.id.parse()?);
    let deleted = admin.db.write(move |w| {
        let deployment = owned(w, id)?;
        audit(w, &account, Deed::Removed, format!("deployment {id}"))?;
        let delete = Own::delete(Kind::Deployment, deployment.object_id());
        Ok::<_, Error>(w.write_own(Deployment::KIND.group(), vec![delete])?)
    });
    deleted.await?;
    Ok(pb::DeleteDeploymentResponse {})
}
