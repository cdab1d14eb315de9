//! Members as administrators ask for them.
//!
//! Owns what is read from the database to tell them, once for a request. Refuses to know what
//! rules mean: `deployment` does. What cannot be told fails with what it waits for.

use std::collections::BTreeMap;

use compliance::{Board, LiveItem, Roster};
use deployment::{Memberships, Missing, Needs, Population, Reason};
use model::{ClientId, ClientRecord, Collection, Kind, ObjectCode, SiteCode, Timestamp};
use rpc::object::ObjectBody as _;
use site_db::Reader;

use crate::admin::View;
use crate::grpc::Answer;

/// What members of collections depend on, but for what clients say of updates.
pub(in crate::grpc) struct Surroundings {
    collections: BTreeMap<ObjectCode, Collection>,
    pub(super) clients: BTreeMap<ClientId, ClientRecord>,
    items: BTreeMap<String, Vec<LiveItem>>,
    /// Of collections whose members change at full evaluations only.
    kept: BTreeMap<ObjectCode, Vec<ClientId>>,
    now: Timestamp,
    site: SiteCode,
}

/// The collections of all sites by code; the built-in ones need no object.
pub(super) fn collections(r: &Reader<'_>) -> Answer<BTreeMap<ObjectCode, Collection>> {
    let all = r.list::<Collection>()?.into_iter();
    Ok(all.map(|(_, collection)| (collection.code.clone(), collection)).collect())
}

impl Surroundings {
    /// What members of some collections depend on, and of what needs more.
    pub(super) fn of(
        r: &Reader<'_>,
        collections: BTreeMap<ObjectCode, Collection>,
        mut needs: Needs,
    ) -> Answer<Surroundings> {
        let Needs { records, items } = Needs::of(collections.values());
        needs.items.extend(items);
        let mut clients = BTreeMap::new();
        if records || needs.records {
            r.visit(Kind::Client, |_, body| {
                let client = ClientRecord::decode(&body)?;
                clients.insert(client.id, client);
                Ok(())
            })?;
        }
        Ok(Surroundings {
            collections,
            clients,
            items: r.live_items_of(&needs.items)?,
            kept: r.members_kept()?,
            now: r.now(),
            site: r.identity().code(),
        })
    }

    /// What all members depend on, as far as it is needed to tell them.
    pub(in crate::grpc) fn read(r: &Reader<'_>) -> Answer<Surroundings> {
        Surroundings::of(r, collections(r)?, Needs::default())
    }

    /// The members of the collections among the clients of a board.
    pub(in crate::grpc) fn on(&self, board: &Board) -> Memberships {
        let population = self.population(board.roster(), Some(board));
        Memberships::evaluate(&self.collections, &population)
    }

    /// Asks about the members among the clients that are registered, which have been read.
    pub(super) fn ask<T>(
        &self,
        v: &View<'_>,
        ask: impl Fn(&Memberships, &Population<'_>) -> T,
    ) -> T {
        let roster: Roster = self.clients.keys().copied().collect();
        let told = |board: Option<&Board>| {
            let population = self.population(&roster, board);
            ask(&Memberships::evaluate(&self.collections, &population), &population)
        };
        // There is none at a secondary site, and while it is being made.
        let board = v.admin.clients.as_ref().map(|clients| &clients.board);
        let asked = board.and_then(|board| board.read(|board| told(Some(board))));
        asked.unwrap_or_else(|| told(None))
    }

    fn population<'a>(&'a self, roster: &'a Roster, board: Option<&'a Board>) -> Population<'a> {
        let Surroundings { clients, items, kept, now, site, .. } = self;
        Population { roster, clients, board, items, kept, now: *now, site: *site }
    }
}

/// Where one client stands among the collections.
pub(in crate::grpc) struct Standing<'v, 'r> {
    view: &'v View<'r>,
    client: ClientId,
    around: Surroundings,
}

impl<'v, 'r> Standing<'v, 'r> {
    pub(in crate::grpc) fn of(view: &'v View<'r>, client: ClientId) -> Answer<Standing<'v, 'r>> {
        let around = Surroundings::of(view, collections(view)?, super::RECORDS)?;
        Ok(Standing { view, client, around })
    }

    /// Whether it is a member, and what rules say of it.
    pub(in crate::grpc) fn why(&self, code: &ObjectCode) -> Result<(bool, Vec<Reason>), Missing> {
        let built_in = Collection::built_in(code);
        let collection = built_in.as_ref().or_else(|| self.around.collections.get(code));
        self.around.ask(self.view, |members, population| {
            let is_in = members.of(code)?.contains(population.roster, self.client);
            let why = collection.map(|one| members.why(one, self.client, population));
            Ok((is_in, why.transpose()?.unwrap_or_default()))
        })
    }
}
