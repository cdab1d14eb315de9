//! Groups of software updates.

use model::{Deployment, Origin, Owner, UpdateGroup, UpdateId};
use rpc::pb::admin as pb;
use site_db::Reader;

use super::decline::{Superseded, check_deployable_with};
use super::naming::{check_description, check_name, check_origin};
use super::noun::{GROUP, UPDATE};
use super::standing::{Content, Standings};
use super::{Answer, LANGUAGE, deployment, phased};
use crate::Error;
use crate::admin::{Change, View};
use crate::audit::Deed;

fn row((owner, group): (Owner, &UpdateGroup), standings: &Standings) -> pb::Group {
    let tally = standings.tally(&group.updates, Content::Needed);
    pb::Group {
        code: group.code.to_string(),
        name: group.name.clone(),
        owner: owner.code.to_string(),
        updates: group.updates.len() as u64,
        expired: tally.expired,
        declined: tally.declined,
        superseded: tally.superseded,
        missing: tally.missing,
        mark: tally.mark.as_str().to_owned(),
        description: group.description.clone(),
        origin: group.origin.words(),
    }
}

/// Puts updates of this site in, each once.
fn add_updates(
    r: &Reader<'_>,
    ids: &[String],
    updates: &mut Vec<UpdateId>,
    superseded: Superseded,
) -> Result<(), Error> {
    let mut added = Vec::new();
    for id in ids {
        let update: UpdateId = id.parse()?;
        r.item_by_id(update)?.ok_or_else(|| UPDATE.unknown(update))?;
        if !updates.contains(&update) {
            updates.push(update);
            added.push(update);
        }
    }
    check_deployable_with(r, &added, superseded, "leave them out".to_owned())
}

pub(super) fn list(v: &View<'_>, asked: pb::ListGroupsRequest) -> Answer<Vec<pb::Group>> {
    let mut groups: Vec<(Owner, UpdateGroup)> = v.list()?;
    groups.retain(|(_, group)| asked.all || group.origin != Origin::Approval);
    let members = groups.iter().flat_map(|(_, group)| &group.updates);
    let standings = Standings::read(v, members.copied())?;
    Ok(groups.iter().map(|(owner, group)| row((*owner, group), &standings)).collect())
}

pub(super) fn show(v: &View<'_>, asked: pb::GetGroupRequest) -> Answer<pb::GetGroupResponse> {
    let (owner, group) = GROUP.found(v, &asked.code)?;
    let standings = Standings::read(v, group.updates.iter().copied())?;
    let member = |id: &UpdateId| {
        let item = standings.items.get(id);
        pb::GroupUpdate {
            id: id.to_string(),
            revision: item.map_or(0, |item| item.update.revision),
            title: item.map_or_else(String::new, |item| item.title(LANGUAGE)),
            expired: item.is_some_and(|item| item.expired),
            declined: standings.is_declined(*id),
            superseded: standings.is_superseded(*id),
            mark: standings.mark(*id, Content::Needed).as_str().to_owned(),
        }
    };
    let members = group.updates.iter().map(member).collect();
    Ok(pb::GetGroupResponse { row: Some(row((owner, &group), &standings)), members })
}

pub(super) fn create(c: &Change<'_>, asked: pb::CreateGroupRequest) -> Answer<String> {
    let pb::CreateGroupRequest { name, updates: ids, description, allow_superseded } = asked;
    check_name(&name)?;
    check_description(&description)?;
    let (code, mut updates) = (GROUP.new_code(c)?, Vec::with_capacity(ids.len()));
    add_updates(c, &ids, &mut updates, allow_superseded.into())?;
    c.audit(Deed::Created, format!("update group {code} ({name})"))?;
    c.put_own(&UpdateGroup { description, ..UpdateGroup::plain(code.clone(), name, updates) })?;
    Ok(code.to_string())
}

pub(super) fn change(c: &Change<'_>, asked: pb::ChangeGroupRequest) -> Answer<pb::Group> {
    let mut group = GROUP.owned(c, &asked.code)?;
    check_origin(&group.origin, || format!("update group {}", group.code))?;
    if let Some(name) = asked.name {
        check_name(&name)?;
        group.name = name;
    }
    if let Some(description) = asked.description {
        check_description(&description)?;
        group.description = description;
    }
    for id in asked.remove {
        let gone: UpdateId = id.parse()?;
        group.updates.retain(|id| *id != gone);
    }
    let held = group.updates.len();
    add_updates(c, &asked.add, &mut group.updates, asked.allow_superseded.into())?;
    if group.updates.len() > held {
        check_deployed(c, &group, held)?;
    }
    c.audit(Deed::Changed, format!("update group {}", group.code))?;
    c.put_own(&group)?;
    let standings = Standings::read(c, group.updates.iter().copied())?;
    Ok(row((c.identity().owner, &group), &standings))
}

/// What is added to a deployed group is deployed: it needs content, and there is a limit.
fn check_deployed(r: &Reader<'_>, group: &UpdateGroup, held: usize) -> Result<(), Error> {
    let deployments = r.list::<Deployment>()?;
    let mut deployments = deployments.iter().filter(|(_, d)| d.group == group.code);
    let Some((_, first)) = deployments.next() else { return Ok(()) };
    deployment::check_count(r, group.updates.len())?;
    let has_packages =
        first.download.has_packages || deployments.any(|(_, d)| d.download.has_packages);
    let added = &group.updates[held..];
    let standings = Standings::read(r, added.iter().copied())?;
    if has_packages { deployment::check_content(r, &standings, added) } else { Ok(()) }
}

pub(super) fn delete(
    c: &Change<'_>,
    asked: pb::DeleteGroupRequest,
) -> Answer<pb::DeleteGroupResponse> {
    let group = GROUP.owned(c, &asked.code)?;
    check_origin(&group.origin, || format!("update group {}", group.code))?;
    let mut deployments = c.list::<Deployment>()?.into_iter();
    if let Some((_, deployment)) = deployments.find(|(_, d)| d.group == group.code) {
        return Err(Error::Deployed { group: group.code, deployment: deployment.id });
    }
    phased::check_unused(c, &group)?;
    c.audit(Deed::Removed, format!("update group {}", group.code))?;
    c.delete(&group)?;
    Ok(pb::DeleteGroupResponse {})
}
