//! Who is there, and which collections choose among them.
//!
//! Owns what an evaluation of all collections needs besides what clients say of updates, read once
//! and asked as often as one likes. Refuses to know where it was read.

use std::collections::BTreeMap;
use std::sync::Arc;

use compliance::{Board, BoardHandle, LiveItem, Roster};
use model::{ClientId, ClientRecord, ObjectCode, SiteCode, Timestamp};

use crate::{Audience, Inventories, Memberships, Neighborhood, Population, Rulebook};

#[derive(Clone, Debug)]
pub struct Census {
    pub rulebook: Arc<Rulebook>,
    /// As far as rules ask for what their records say.
    pub clients: BTreeMap<ClientId, ClientRecord>,
    /// As far as rules ask for them.
    pub inventories: Inventories,
    /// Of everything that rules ask for and that exists.
    pub items: Arc<BTreeMap<String, Vec<LiveItem>>>,
    /// Of collections whose members change at full evaluations only.
    pub kept: Arc<BTreeMap<ObjectCode, Vec<ClientId>>>,
    pub now: Timestamp,
    pub site: SiteCode,
}

impl Census {
    /// The same about other clients.
    #[must_use]
    pub fn around(
        &self,
        clients: BTreeMap<ClientId, ClientRecord>,
        inventories: Inventories,
        now: Timestamp,
    ) -> Census {
        let Census { rulebook, items, kept, site, .. } = self;
        let (rulebook, items, kept) = (Arc::clone(rulebook), Arc::clone(items), Arc::clone(kept));
        Census { rulebook, clients, inventories, items, kept, now, site: *site }
    }

    /// Whether a rule asks what clients say of updates.
    #[must_use]
    pub fn asks_states(&self) -> bool {
        !self.items.is_empty()
    }

    /// What was kept of these is evaluated anew.
    pub fn forget(&mut self, codes: &[ObjectCode]) {
        Arc::make_mut(&mut self.kept).retain(|code, _| !codes.contains(code));
    }

    /// Everybody of these neighborhoods and what they are members of.
    #[must_use]
    pub fn audience(&self, neighborhoods: Vec<Neighborhood>, board: &BoardHandle) -> Audience {
        let roster = Neighborhood::roster(&neighborhoods);
        let memberships = board
            .read(|board| self.among(&roster, Some(board)))
            .unwrap_or_else(|| self.among(&roster, None));
        Audience { roster, memberships, neighborhoods }
    }

    /// The members among the clients of a board.
    #[must_use]
    pub fn on(&self, board: &Board) -> Memberships {
        self.among(board.roster(), Some(board))
    }

    /// The members among the clients of a roster.
    #[must_use]
    pub fn among(&self, roster: &Roster, board: Option<&Board>) -> Memberships {
        Memberships::evaluate(&self.rulebook, &self.population(roster, board))
    }

    #[must_use]
    pub fn population<'a>(
        &'a self,
        roster: &'a Roster,
        board: Option<&'a Board>,
    ) -> Population<'a> {
        let Census { clients, inventories, items, kept, now, site, .. } = self;
        let (now, site) = (*now, *site);
        Population { roster, clients, inventories, board, items, kept, now, site }
    }
}
