//! Holds: a deployment of whatever site stopped for the clients of this one.

use model::{Hold, SiteCode};
use rpc::convert::wire_time;
use rpc::pb::admin as pb;

use super::Answer;
use super::naming::check_description;
use super::noun::DEPLOYMENT;
use crate::Error;
use crate::admin::{Change, View};
use crate::audit::Deed;

pub(super) fn row(hold: Hold) -> pb::Hold {
    pb::Hold {
        deployment: hold.deployment.to_string(),
        site: hold.site.to_string(),
        reason: hold.reason,
        by: hold.by,
        at: Some(wire_time(hold.at)),
    }
}

pub(super) fn list(v: &View<'_>, _: pb::ListHoldsRequest) -> Answer<Vec<pb::Hold>> {
    Ok(v.list()?.into_iter().map(|(_, hold)| row(hold)).collect())
}

pub(super) fn hold(c: &Change<'_>, asked: pb::HoldDeploymentRequest) -> Answer<pb::Hold> {
    DEPLOYMENT.check_place(c)?;
    check_description(&asked.reason)?;
    let (_, deployment) = DEPLOYMENT.found(c, &asked.id)?;
    let hold = Hold {
        deployment: deployment.id,
        site: c.identity().code(),
        by: c.account.to_owned(),
        at: c.now(),
        reason: asked.reason,
    };
    c.audit(Deed::Changed, format!("deployment {}: held at {}", hold.deployment, hold.site))?;
    c.put_own(&hold)?;
    Ok(row(hold))
}

pub(super) fn release(
    c: &Change<'_>,
    asked: pb::ReleaseDeploymentRequest,
) -> Answer<pb::ReleaseDeploymentResponse> {
    let here: SiteCode = c.identity().code();
    let is_meant = |hold: &Hold| hold.deployment.to_string() == asked.id && hold.site == here;
    let hold = c.list::<Hold>()?.into_iter().map(|(_, hold)| hold).find(is_meant);
    let unknown = || Error::Unknown {
        what: "hold of this site on deployment",
        name: asked.id.clone(),
        see: "tierline deployment holds",
    };
    let hold = hold.ok_or_else(unknown)?;
    c.audit(Deed::Changed, format!("deployment {}: released at {here}", hold.deployment))?;
    c.delete(&hold)?;
    Ok(pb::ReleaseDeploymentResponse {})
}
