//! Groups of software updates.

use model::{Deployment, Item, Owner, UpdateGroup, UpdateId};
use rpc::pb::admin as pb;
use site_db::Reader;

use super::decline::{check_deployable, count_out};
use super::noun::{GROUP, UPDATE};
use super::{Answer, LANGUAGE};
use crate::Error;
use crate::admin::{Change, View};
use crate::audit::Deed;

fn row(r: &Reader<'_>, (owner, group): (Owner, &UpdateGroup)) -> Answer<pb::Group> {
    let (expired, declined) = count_out(r, &group.updates)?;
    Ok(pb::Group {
        code: group.code.to_string(),
        name: group.name.clone(),
        owner: owner.code.to_string(),
        updates: group.updates.len() as u64,
        expired,
        declined,
    })
}

/// Puts updates of this site in, each once.
fn add_updates(r: &Reader<'_>, ids: &[String], updates: &mut Vec<UpdateId>) -> Result<(), Error> {
    let mut added = Vec::new();
    for id in ids {
        let update: UpdateId = id.parse()?;
        r.item_by_id(update)?.ok_or_else(|| UPDATE.unknown(update))?;
        if !updates.contains(&update) {
            updates.push(update);
            added.push(update);
        }
    }
    check_deployable(r, &added, "leave them out".to_owned())
}

pub(super) fn list(v: &View<'_>, _: pb::ListGroupsRequest) -> Answer<Vec<pb::Group>> {
    let groups: Vec<(Owner, UpdateGroup)> = v.list()?;
    groups.iter().map(|(owner, group)| row(v, (*owner, group))).collect()
}

pub(super) fn show(v: &View<'_>, asked: pb::GetGroupRequest) -> Answer<pb::GetGroupResponse> {
    let (owner, group) = GROUP.found(v, &asked.code)?;
    let member = |id: &UpdateId| {
        let item = v.get::<Item>(id.as_bytes())?;
        Ok(pb::GroupUpdate {
            id: id.to_string(),
            revision: item.as_ref().map_or(0, |item| item.update.revision),
            title: item.as_ref().map_or_else(String::new, |item| item.title(LANGUAGE)),
            expired: item.is_some_and(|item| item.expired),
            declined: v.is_declined(*id)?,
        })
    };
    let members = group.updates.iter().map(member).collect::<Answer<_>>()?;
    Ok(pb::GetGroupResponse { row: Some(row(v, (owner, &group))?), members })
}

pub(super) fn create(c: &Change<'_>, asked: pb::CreateGroupRequest) -> Answer<String> {
    let pb::CreateGroupRequest { name, updates: ids } = asked;
    let (code, mut updates) = (GROUP.new_code(c)?, Vec::with_capacity(ids.len()));
    add_updates(c, &ids, &mut updates)?;
    c.audit(Deed::Created, format!("update group {code} ({name})"))?;
    c.put_own(&UpdateGroup { code: code.clone(), name, updates })?;
    Ok(code.to_string())
}

pub(super) fn change(c: &Change<'_>, asked: pb::ChangeGroupRequest) -> Answer<pb::Group> {
    let pb::ChangeGroupRequest { code, add, remove } = asked;
    let mut group = GROUP.owned(c, &code)?;
    for id in remove {
        let gone: UpdateId = id.parse()?;
        group.updates.retain(|id| *id != gone);
    }
    add_updates(c, &add, &mut group.updates)?;
    c.audit(Deed::Changed, format!("update group {code}"))?;
    c.put_own(&group)?;
    row(c, (c.identity().owner, &group))
}

pub(super) fn delete(
    c: &Change<'_>,
    asked: pb::DeleteGroupRequest,
) -> Answer<pb::DeleteGroupResponse> {
    let group = GROUP.owned(c, &asked.code)?;
    let mut deployments = c.list::<Deployment>()?.into_iter();
    if let Some((_, deployment)) = deployments.find(|(_, d)| d.group == group.code) {
        return Err(Error::Deployed { group: group.code, deployment: deployment.id });
    }
    c.audit(Deed::Removed, format!("update group {}", group.code))?;
    c.delete(&group)?;
    Ok(pb::DeleteGroupResponse {})
}
