//! What members of collections depend on, besides what clients say of updates.
//!
//! Owns what is read from the database to tell members on the board. Refuses to know what rules
//! mean: `deployment` does.

use std::collections::BTreeMap;
use std::sync::Arc;

use compliance::{Board, BoardHandle, LiveItem, Roster};
use deployment::{Audience, Memberships, Needs, Neighborhood, Population};
use model::{
    ClientId, ClientRecord, Collection, Kind, ObjectCode, SiteCode, Timestamp, error_chain,
};
use rpc::object::ObjectBody as _;
use site_db::{Error, Reader};

#[derive(Debug)]
pub(crate) struct Surroundings {
    collections: Arc<BTreeMap<ObjectCode, Collection>>,
    clients: BTreeMap<ClientId, ClientRecord>,
    items: Arc<BTreeMap<String, Vec<LiveItem>>>,
    kept: Arc<BTreeMap<ObjectCode, Vec<ClientId>>>,
    now: Timestamp,
    site: SiteCode,
}

impl Surroundings {
    pub(crate) fn read(r: &Reader<'_>) -> Result<Surroundings, Error> {
        let all = r.list::<Collection>()?.into_iter();
        let collections: BTreeMap<_, _> =
            all.map(|(_, collection)| (collection.code.clone(), collection)).collect();
        let Needs { records, items } = Needs::of(collections.values());
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
        Ok(Surroundings {
            collections: Arc::new(collections),
            clients,
            items: Arc::new(r.live_items_of(&items)?),
            kept: Arc::new(r.members_kept()?),
            now: r.now(),
            site: r.identity().code(),
        })
    }

    /// The same around other clients.
    pub(crate) fn around(
        &self,
        clients: BTreeMap<ClientId, ClientRecord>,
        now: Timestamp,
    ) -> Surroundings {
        let Surroundings { collections, items, kept, site, .. } = self;
        let (collections, items, kept) =
            (Arc::clone(collections), Arc::clone(items), Arc::clone(kept));
        Surroundings { collections, clients, items, kept, now, site: *site }
    }

    /// Whether a query asks what clients say of updates.
    pub(crate) fn asks_states(&self) -> bool {
        !self.items.is_empty()
    }

    /// Everybody of these neighborhoods and what they are members of.
    pub(crate) fn audience(
        &self,
        neighborhoods: Vec<Neighborhood>,
        board: &BoardHandle,
    ) -> Audience {
        let roster = Neighborhood::roster(&neighborhoods);
        let memberships = board
            .read(|board| self.among(&roster, Some(board)))
            .unwrap_or_else(|| self.among(&roster, None));
        Audience { roster, memberships, neighborhoods }
    }

    pub(crate) fn collections(&self) -> &BTreeMap<ObjectCode, Collection> {
        &self.collections
    }

    /// What was kept of these is evaluated anew.
    pub(crate) fn forget(&mut self, codes: &[ObjectCode]) {
        Arc::make_mut(&mut self.kept).retain(|code, _| !codes.contains(code));
    }

    /// The members among the clients of a board.
    pub(crate) fn on(&self, board: &Board) -> Memberships {
        self.among(board.roster(), Some(board))
    }

    /// The members among the clients of a roster.
    pub(crate) fn among(&self, roster: &Roster, board: Option<&Board>) -> Memberships {
        let Surroundings { collections, clients, items, kept, now, site } = self;
        let population = Population { roster, clients, board, items, kept, now: *now, site: *site };
        Memberships::evaluate(collections, &population)
    }
}
