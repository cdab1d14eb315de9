//! What members of collections depend on, read from a snapshot of the site database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use deployment::{Census, Inventories, InventoryNeeds, Needs, Rulebook};
use model::{ClientId, ClientRecord, Collection, Kind, error_chain};
use rpc::object::ObjectBody as _;
use site_db::{Error, Reader};

pub(crate) fn read_census(r: &Reader<'_>) -> Result<Census, Error> {
    let all = r.list::<Collection>()?.into_iter();
    let collections: BTreeMap<_, _> =
        all.map(|(_, collection)| (collection.code.clone(), collection)).collect();
    let Needs { records, inventories, items } = Needs::of(collections.values());
    let mut clients = BTreeMap::new();
    if records {
        r.visit(Kind::Client, |_, body| {
            // Nothing is known of one that cannot be read; the others are what they are.
            match ClientRecord::decode(&body) {
                Ok(client) => drop(clients.insert(client.id, client)),
                Err(error) => {
                    let error = error_chain(&error);
                    tracing::warn!(error, "a client's record cannot be read");
                }
            }
            Ok(())
        })?;
    }
    Ok(Census {
        rulebook: Arc::new(Rulebook::new(collections)),
        clients,
        inventories: read_inventories(r, inventories, None)?,
        items: Arc::new(r.live_items_of(&items)?),
        kept: Arc::new(r.members_kept()?),
        now: r.now(),
        site: r.identity().code(),
    })
}

/// What is asked of the inventories of these clients, or of all.
pub(crate) fn read_inventories(
    r: &Reader<'_>,
    needs: InventoryNeeds,
    clients: Option<&BTreeSet<ClientId>>,
) -> Result<Inventories, Error> {
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
