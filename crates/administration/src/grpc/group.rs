//! Groups of software updates.

use model::{Deployment, Item, Kind, ObjectCode, Owner, UpdateGroup, UpdateId};
use rpc::object::ObjectBody as _;
use rpc::pb::admin as pb;
use site_db::{Own, Reader, Writer};

use super::owned::Noun;
use crate::admin::Call;
use crate::audit::{Deed, audit};
use crate::{Admin, Error};

pub(super) const NOUN: Noun = Noun { what: "update group", see: "tierline group list" };

fn row(owner: Owner, group: &UpdateGroup) -> pb::Group {
    pb::Group {
        code: group.code.to_string(),
        name: group.name.clone(),
        owner: owner.code.to_string(),
        updates: group.updates.len() as u64,
    }
}

pub(super) fn find(r: &Reader<'_>, code: &ObjectCode) -> Result<(Owner, UpdateGroup), Error> {
    NOUN.found(r, (code.as_str().as_bytes(), code.as_str()))
}

/// Ids that name updates of this site, each once.
fn read_updates(w: &Writer<'_>, ids: &[String]) -> Result<Vec<UpdateId>, Error> {
    let mut updates = Vec::with_capacity(ids.len());
    for id in ids {
        let update: UpdateId = id.parse()?;
        if w.item_by_id(update)?.is_none() {
            let (what, see) = ("update", "tierline update list");
            return Err(Error::Unknown { what, name: update.to_string(), see });
        }
        if !updates.contains(&update) {
            updates.push(update);
        }
    }
    Ok(updates)
}

pub(super) async fn list(
    admin: &Admin,
    _: Call<pb::ListGroupsRequest>,
) -> Result<pb::ListGroupsResponse, Error> {
    let groups: Vec<(Owner, UpdateGroup)> = admin.db.read(|r| r.list()).await?;
    Ok(pb::ListGroupsResponse { rows: groups.iter().map(|(owner, g)| row(*owner, g)).collect() })
}

pub(super) async fn show(
    admin: &Admin,
    call: Call<pb::GetGroupRequest>,
) -> Result<pb::GetGroupResponse, Error> {
    let code = ObjectCode::new(&call.message.code)?;
    let member = |r: &Reader<'_>, id: &UpdateId| {
        let item = r.get::<Item>(id.as_bytes())?;
        Ok::<_, Error>(pb::GroupUpdate {
            id: id.to_string(),
            revision: item.as_ref().map_or(0, |item| item.update.revision),
            title: item.as_ref().map_or_else(String::new, |item| item.title("en")),
            expired: item.is_some_and(|item| item.expired),
        })
    };
    let shown = admin.db.read(move |r| {
        let (owner, group) = find(r, &code)?;
        let members = group.updates.iter().map(|id| member(r, id)).collect::<Result<_, _>>()?;
        Ok::<_, Error>(pb::GetGroupResponse { row: Some(row(owner, &group)), members })
    });
    shown.await
}

pub(super) async fn create(
    admin: &Admin,
    call: Call<pb::CreateGroupRequest>,
) -> Result<pb::CreateGroupResponse, Error> {
    let account = call.account();
    let pb::CreateGroupRequest { name, updates } = call.message;
    let code = admin.db.write(move |w| {
        let (code, updates) = (NOUN.new_code::<UpdateGroup>(w)?, read_updates(w, &updates)?);
        audit(w, &account, Deed::Created, format!("update group {code} ({name})"))?;
        w.put_own(&UpdateGroup { code: code.clone(), name, updates })?;
        Ok::<_, Error>(code)
    });
    Ok(pb::CreateGroupResponse { code: code.await?.to_string() })
}

pub(super) async fn change(
    admin: &Admin,
    call: Call<pb::ChangeGroupRequest>,
) -> Result<pb::ChangeGroupResponse, Error> {
    let account = call.account();
    let pb::ChangeGroupRequest { code, add, remove } = call.message;
    let code = ObjectCode::new(&code)?;
    let remove: Vec<UpdateId> = remove.iter().map(|id| id.parse()).collect::<Result<_, _>>()?;
    let changed = admin.db.write(move |w| {
        let mut group: UpdateGroup = NOUN.owned(w, (code.as_str().as_bytes(), code.as_str()))?;
        group.updates.retain(|id| !remove.contains(id));
        for update in read_updates(w, &add)? {
            if !group.updates.contains(&update) {
                group.updates.push(update);
            }
        }
        audit(w, &account, Deed::Changed, format!("update group {code}"))?;
        w.put_own(&group)?;
        Ok::<_, Error>(row(w.identity().owner, &group))
    });
    Ok(pb::ChangeGroupResponse { row: Some(changed.await?) })
}

pub(super) async fn delete(
    admin: &Admin,
    call: Call<pb::DeleteGroupRequest>,
) -> Result<pb::DeleteGroupResponse, Error> {
    let (account, code) = (call.account(), ObjectCode::new(&call.message.code)?);
    let deleted = admin.db.write(move |w| {
        let group: UpdateGroup = NOUN.owned(w, (code.as_str().as_bytes(), code.as_str()))?;
        let deployments = w.list::<Deployment>()?;
        if let Some((_, deployment)) = deployments.iter().find(|(_, d)| d.group == code) {
            return Err(Error::Deployed { group: code, deployment: deployment.id });
        }
        audit(w, &account, Deed::Removed, format!("update group {code}"))?;
        let delete = Own::delete(Kind::UpdateGroup, group.object_id());
        Ok(w.write_own(UpdateGroup::KIND.group(), vec![delete])?)
    });
    deleted.await?;
    Ok(pb::DeleteGroupResponse {})
}
