//! Collections of managed computers.

use std::collections::BTreeSet;

use model::{ALL_SYSTEMS, ClientId, ClientRecord, Collection, CollectionRule, ObjectCode};
use rpc::object::ObjectBody as _;
use rpc::pb::admin as pb;
use site_db::Reader;

use super::client::{client_row, client_rows};
use super::noun::COLLECTION;
use super::{Answer, Answers, pages};
use crate::Error;
use crate::admin::{Change, View, top_of};
use crate::audit::Deed;
use crate::bootstrap::all_systems;

/// A collection and its owner's code; the built-in one needs no object.
pub(super) fn find(r: &Reader<'_>, code: &str) -> Result<(String, Collection), Error> {
    match COLLECTION.found(r, code) {
        Ok((owner, collection)) => Ok((owner.code.to_string(), collection)),
        Err(Error::Unknown { .. }) if code == ALL_SYSTEMS => Ok((top_of(r)?, all_systems())),
        Err(error) => Err(error),
    }
}

fn row(r: &Reader<'_>, (owner, found): (String, Collection)) -> Result<pb::Collection, Error> {
    let members = if found.rules.contains(&CollectionRule::All) {
        r.count(ClientRecord::KIND)?
    } else {
        members(r, &found)?.len() as u64
    };
    Ok(pb::Collection { code: found.code.to_string(), name: found.name, owner, members })
}

/// The members of a collection without the built-in rule, in order of id.
fn members(r: &Reader<'_>, collection: &Collection) -> Result<Vec<ClientRecord>, Error> {
    let direct = |rule: &CollectionRule| match rule {
        CollectionRule::All => None,
        CollectionRule::Direct(client) => Some(*client),
    };
    let named: BTreeSet<ClientId> = collection.rules.iter().filter_map(direct).collect();
    let records = named.iter().map(|client| r.get::<ClientRecord>(client.as_bytes()));
    Ok(records.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

pub(super) fn list(v: &View<'_>, _: pb::ListCollectionsRequest) -> Answer<Vec<pb::Collection>> {
    let made = v.list::<Collection>()?.into_iter();
    let made = made.filter(|(_, collection)| collection.code.as_str() != ALL_SYSTEMS);
    let made = made.map(|(owner, collection)| (owner.code.to_string(), collection));
    let all = std::iter::once(find(v, ALL_SYSTEMS)?).chain(made);
    all.map(|found| row(v, found)).collect::<Answer<_>>()
}

pub(super) fn show(v: &View<'_>, asked: pb::GetCollectionRequest) -> Answer<pb::Collection> {
    row(v, find(v, &asked.code)?)
}

pub(super) fn create(c: &Change<'_>, asked: pb::CreateCollectionRequest) -> Answer<String> {
    let pb::CreateCollectionRequest { name, clients } = asked;
    let clients: BTreeSet<ClientId> =
        clients.iter().map(|id| id.parse()).collect::<Result<_, _>>()?;
    let code: ObjectCode = COLLECTION.new_code(c)?;
    let rules = clients.into_iter().map(CollectionRule::Direct).collect();
    c.audit(Deed::Created, format!("collection {code} ({name})"))?;
    c.put_own(&Collection { code: code.clone(), name, rules })?;
    Ok(code.to_string())
}

pub(super) fn list_members(
    v: &View<'_>,
    asked: pb::ListCollectionMembersRequest,
) -> Answer<Answers<pb::ListCollectionMembersResponse>> {
    let (_, collection) = find(v, &asked.code)?;
    let rows = if collection.rules.contains(&CollectionRule::All) {
        client_rows(v, "")?
    } else {
        members(v, &collection)?.into_iter().map(client_row).collect()
    };
    Ok(pages(rows, |rows| pb::ListCollectionMembersResponse { rows }))
}
