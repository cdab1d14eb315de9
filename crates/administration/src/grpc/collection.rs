//! Collections of managed computers.

use std::collections::BTreeSet;

use futures_util::stream::iter;
use model::{ALL_SYSTEMS, ClientId, ClientRecord, Collection, CollectionRule, ObjectCode};
use rpc::object::ObjectBody as _;
use rpc::pb::admin as pb;
use site_db::Reader;

use super::Answers;
use super::client::{ROWS, client_row};
use super::owned::Noun;
use crate::admin::{Call, top_of};
use crate::audit::{Deed, audit};
use crate::{Admin, Error};

const NOUN: Noun = Noun { what: "collection", see: "tierline collection list" };

/// A collection and its owner's code; the built-in one needs no object.
pub(super) fn find(r: &Reader<'_>, code: &ObjectCode) -> Result<(String, Collection), Error> {
    let found = r.get_owned::<Collection>(code.as_str().as_bytes())?;
    match found {
        Some((owner, collection)) => Ok((owner.code.to_string(), collection)),
        None if code.as_str() == ALL_SYSTEMS => {
            let (name, rules) = ("All Systems".to_owned(), vec![CollectionRule::All]);
            Ok((top_of(r)?, Collection { code: code.clone(), name, rules }))
        }
        None => {
            let Noun { what, see } = NOUN;
            Err(Error::Unknown { what, name: code.to_string(), see })
        }
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
    let named: BTreeSet<ClientId> = collection.rules.iter().filter_map(direct).collect();
    let records = named.iter().map(|client| r.get::<ClientRecord>(client.as_bytes()));
    Ok(records.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn direct(rule: &CollectionRule) -> Option<ClientId> {
    match rule {
        CollectionRule::All => None,
        CollectionRule::Direct(client) => Some(*client),
    }
}

pub(super) async fn list(
    admin: &Admin,
    _: Call<pb::ListCollectionsRequest>,
) -> Result<pb::ListCollectionsResponse, Error> {
    let rows = admin.db.read(|r| {
        let all = ObjectCode::new(ALL_SYSTEMS)?;
        let made = r.list::<Collection>()?.into_iter();
        let made = made.filter(|(_, collection)| collection.code != all);
        let made = made.map(|(owner, collection)| (owner.code.to_string(), collection));
        std::iter::once(find(r, &all)?).chain(made).map(|found| row(r, found)).collect()
    });
    Ok(pb::ListCollectionsResponse { rows: rows.await? })
}

pub(super) async fn show(
    admin: &Admin,
    call: Call<pb::GetCollectionRequest>,
) -> Result<pb::GetCollectionResponse, Error> {
    let code = ObjectCode::new(&call.message.code)?;
    let found = admin.db.read(move |r| row(r, find(r, &code)?)).await?;
    Ok(pb::GetCollectionResponse { row: Some(found) })
}

pub(super) async fn create(
    admin: &Admin,
    call: Call<pb::CreateCollectionRequest>,
) -> Result<pb::CreateCollectionResponse, Error> {
    let account = call.account();
    let pb::CreateCollectionRequest { name, clients } = call.message;
    let clients: BTreeSet<ClientId> =
        clients.iter().map(|id| id.parse()).collect::<Result<_, _>>()?;
    let code = admin.db.write(move |w| {
        let code = NOUN.new_code::<Collection>(w)?;
        let rules = clients.into_iter().map(CollectionRule::Direct).collect();
        audit(w, &account, Deed::Created, format!("collection {code} ({name})"))?;
        w.put_own(&Collection { code: code.clone(), name, rules })?;
        Ok::<_, Error>(code)
    });
    Ok(pb::CreateCollectionResponse { code: code.await?.to_string() })
}

pub(super) async fn list_members(
    admin: &Admin,
    call: Call<pb::ListCollectionMembersRequest>,
) -> Result<Answers<pb::ListCollectionMembersResponse>, Error> {
    let code = ObjectCode::new(&call.message.code)?;
    let rows = admin.db.read(move |r| {
        let (_, collection) = find(r, &code)?;
        if collection.rules.contains(&CollectionRule::All) {
            return super::client::rows(r, "");
        }
        Ok(members(r, &collection)?.into_iter().map(client_row).collect())
    });
    let rows: Vec<pb::Client> = rows.await?;
    let page = |rows: &[pb::Client]| Ok(pb::ListCollectionMembersResponse { rows: rows.to_vec() });
    Ok(Box::pin(iter(rows.chunks(ROWS).map(page).collect::<Vec<_>>())))
}
