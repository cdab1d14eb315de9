//! Clients as small numbers. A slot is local to one roster, means nothing outside it, and is
//! given again after its client was removed.

use std::collections::BTreeMap;

use model::ClientId;
use roaring::RoaringBitmap;

/// A set of clients of one roster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientSet(pub(crate) RoaringBitmap);

impl ClientSet {
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Which client has which slot.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    slots: BTreeMap<ClientId, u32>,
    clients: Vec<Option<ClientId>>,
    free: Vec<u32>,
    all: ClientSet,
}

impl Roster {
    #[must_use]
    pub fn all(&self) -> &ClientSet {
        &self.all
    }

    /// The set of those of `clients` that are here.
    pub fn set_of(&self, clients: impl IntoIterator<Item = ClientId>) -> ClientSet {
        ClientSet(clients.into_iter().filter_map(|client| self.slot(client)).collect())
    }

    /// The clients of a set of this roster.
    pub fn clients(&self, set: &ClientSet) -> impl Iterator<Item = ClientId> {
        set.0.iter().filter_map(|slot| *self.clients.get(slot as usize)?)
    }

    pub(crate) fn slot(&self, client: ClientId) -> Option<u32> {
        self.slots.get(&client).copied()
    }

    /// The slot of a client, new or not.
    pub(crate) fn enroll(&mut self, client: ClientId) -> u32 {
        if let Some(slot) = self.slot(client) {
            return slot;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.clients.push(None);
            u32::try_from(self.clients.len() - 1).expect("a hierarchy has below 2^32 clients")
        });
        self.clients[slot as usize] = Some(client);
        self.slots.insert(client, slot);
        self.all.0.insert(slot);
        slot
    }

    pub(crate) fn remove(&mut self, client: ClientId) -> Option<u32> {
        let slot = self.slots.remove(&client)?;
        self.clients[slot as usize] = None;
        self.free.push(slot);
        self.all.0.remove(slot);
        Some(slot)
    }
}

impl FromIterator<ClientId> for Roster {
    fn from_iter<I: IntoIterator<Item = ClientId>>(clients: I) -> Roster {
        let mut roster = Roster::default();
        for client in clients {
            roster.enroll(client);
        }
        roster
    }
}
