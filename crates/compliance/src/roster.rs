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

    /// Those that are in either.
    #[must_use]
    pub fn union(&self, other: &ClientSet) -> ClientSet {
        ClientSet(&self.0 | &other.0)
    }

    /// Takes all of another set of the same roster in.
    pub fn absorb(&mut self, other: &ClientSet) {
        self.0 |= &other.0;
    }

    /// Those that are in both.
    #[must_use]
    pub fn intersection(&self, other: &ClientSet) -> ClientSet {
        ClientSet(&self.0 & &other.0)
    }

    /// Those that are not in the other.
    #[must_use]
    pub fn minus(&self, other: &ClientSet) -> ClientSet {
        ClientSet(&self.0 - &other.0)
    }

    /// Whether a client of `roster` is in it.
    #[must_use]
    pub fn contains(&self, roster: &Roster, client: ClientId) -> bool {
        roster.slot(client).is_some_and(|slot| self.0.contains(slot))
    }

    /// Takes a client of `roster` in.
    pub fn insert(&mut self, roster: &Roster, client: ClientId) {
        self.0.extend(roster.slot(client));
    }
}

/// Which client has which slot.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    slots: BTreeMap<ClientId, u32>,
    marks: Marks,
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

    /// The clients, ascending, and the number of each: below [`Roster::numbers_end`].
    pub fn numbered(&self) -> impl Iterator<Item = (ClientId, usize)> {
        self.slots.iter().map(|(client, slot)| (*client, *slot as usize))
    }

    /// The numbers of the clients of a set of this roster.
    pub fn numbers(&self, set: &ClientSet) -> impl Iterator<Item = usize> {
        set.0.iter().map(|slot| slot as usize)
    }

    /// The set of the clients with these numbers.
    pub fn set_of_numbers(&self, numbers: impl IntoIterator<Item = usize>) -> ClientSet {
        let is_here = |number: &usize| self.clients.get(*number).is_some_and(Option::is_some);
        let here = numbers.into_iter().filter(is_here);
        ClientSet(here.filter_map(|number| u32::try_from(number).ok()).collect())
    }

    /// For tables by number.
    #[must_use]
    pub fn numbers_end(&self) -> usize {
        self.clients.len()
    }

    pub(crate) fn slot(&self, client: ClientId) -> Option<u32> {
        self.marks.have(client).then(|| self.slots.get(&client).copied())?
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
        self.marks.add(client);
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

/// Ends of the ids that were ever in: a roster of the few clients that changed is asked about every
/// client that any collection names, and nearly always says no.
#[derive(Clone, Debug)]
struct Marks([u64; MARK_WORDS]);

const MARK_WORDS: usize = 64;

impl Default for Marks {
    fn default() -> Marks {
        Marks([0; MARK_WORDS])
    }
}

impl Marks {
    fn place(client: ClientId) -> (usize, u64) {
        let [.., high, low] = *client.0.as_bytes();
        (usize::from(high) % MARK_WORDS, 1 << (low % 64))
    }

    fn add(&mut self, client: ClientId) {
        let (word, bit) = Marks::place(client);
        self.0[word] |= bit;
    }

    fn have(&self, client: ClientId) -> bool {
        let (word, bit) = Marks::place(client);
        self.0[word] & bit != 0
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
