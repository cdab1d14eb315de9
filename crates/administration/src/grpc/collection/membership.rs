//! Members as administrators ask for them.
//!
//! Owns what is read from the database to tell them, once for a request. Refuses to know what
//! rules mean: `deployment` does. What cannot be told fails with what it waits for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use compliance::{Board, Roster};
use deployment::{
    Census, Inventories, InventoryNeeds, Memberships, Missing, Needs, Population, Reason, Rulebook,
};
use model::{ClientId, ClientRecord, Collection, Kind, ObjectCode};
use rpc::object::ObjectBody as _;
use site_db::Reader;

use crate::admin::View;
use crate::grpc::Answer;

/// The collections of all sites by code; the built-in ones need no object.
pub(super) fn collections(r: &Reader<'_>) -> Answer<BTreeMap<ObjectCode, Collection>> {
    let all = r.list::<Collection>()?.into_iter();
    Ok(all.map(|(_, collection)| (collection.code.clone(), collection)).collect())
}

/// What all members depend on, as far as it is needed to tell them.
pub(in crate::grpc) fn census(r: &Reader<'_>) -> Answer<Census> {
    census_of(r, collections(r)?, Needs::default())
}

/// What members of some collections depend on, and of what needs more.
pub(super) fn census_of(
    r: &Reader<'_>,
    collections: BTreeMap<ObjectCode, Collection>,
    mut needs: Needs,
) -> Answer<Census> {
    let Needs { records, inventories, items } = Needs::of(collections.values());
    needs.items.extend(items);
    needs.inventories.computers |= inventories.computers;
    needs.inventories.software.extend(inventories.software);
    let mut clients = BTreeMap::new();
    if records || needs.records {
        r.visit(Kind::Client, |_, body| {
            let client = ClientRecord::decode(&body)?;
            clients.insert(client.id, client);
            Ok(())
        })?;
    }
    let inventories = inventories_of(r, needs.inventories, None)?;
    among(r, collections, (clients, inventories, &needs.items))
}

/// The same if only one client is asked about.
pub(super) fn census_of_client(r: &Reader<'_>, client: &ClientRecord) -> Answer<Census> {
    let all = collections(r)?;
    let Needs { inventories, items, .. } = Needs::of(all.values());
    let inventories = inventories_of(r, inventories, Some(&BTreeSet::from([client.id])))?;
    among(r, all, (BTreeMap::from([(client.id, client.clone())]), inventories, &items))
}

/// What is asked of the inventories of these clients, or of all.
fn inventories_of(
    r: &Reader<'_>,
    needs: InventoryNeeds,
    clients: Option<&BTreeSet<ClientId>>,
) -> Answer<Inventories> {
    let mut found = Inventories::new(needs);
    for name in found.names() {
        r.titles_named(&name)?.iter().for_each(|title| found.tell_title(title));
    }
    if found.needs().computers {
        r.visit_described(clients, |record| found.tell_computer(record))?;
    }
    if !found.needs().software.is_empty() {
        r.visit_described(clients, |list| found.tell_software(list))?;
    }
    Ok(found)
}

fn among(
    r: &Reader<'_>,
    collections: BTreeMap<ObjectCode, Collection>,
    (clients, inventories, items): (
        BTreeMap<ClientId, ClientRecord>,
        Inventories,
        &BTreeSet<String>,
    ),
) -> Answer<Census> {
    Ok(Census {
        rulebook: Arc::new(Rulebook::new(collections)),
        clients,
        inventories,
        items: Arc::new(r.live_items_of(items)?),
        kept: Arc::new(r.members_kept()?),
        now: r.now(),
        site: r.identity().code(),
    })
}

/// Asks about the members among the clients that are registered, which have been read.
pub(super) fn ask<T>(
    census: &Census,
    v: &View<'_>,
    ask: impl Fn(&Memberships, &Population<'_>) -> T,
) -> T {
    let roster: Roster = census.clients.keys().copied().collect();
    let told = |board: Option<&Board>| {
        ask(&census.among(&roster, board), &census.population(&roster, board))
    };
    // There is none at a secondary site, and while it is being made.
    let board = v.admin.clients.as_ref().map(|clients| &clients.board);
    let asked = board.and_then(|board| board.read(|board| told(Some(board))));
    asked.unwrap_or_else(|| told(None))
}

/// Whether a client is a member, and what rules say of it.
pub(in crate::grpc) type Stands = Result<(bool, Vec<Reason>), Missing>;

/// Where one client stands among some collections, which are evaluated once.
pub(in crate::grpc) fn standing(
    v: &View<'_>,
    client: &ClientRecord,
    codes: BTreeSet<ObjectCode>,
) -> Answer<BTreeMap<ObjectCode, Stands>> {
    let census = census_of_client(v, client)?;
    Ok(ask(&census, v, |members, population| {
        let stands = |code: &ObjectCode| {
            let is_in = members.of(code)?.contains(population.roster, client.id);
            let built_in = Collection::built_in(code);
            let held = built_in.as_ref().or_else(|| census.rulebook.collections().get(code));
            let why = held.map(|one| members.why(one, client.id, population));
            Ok((is_in, why.transpose()?.unwrap_or_default()))
        };
        codes.iter().map(|code| (code.clone(), stands(code))).collect()
    }))
}
