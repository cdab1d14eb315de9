//! Who is in a collection.

use compliance::{ClientSet, Roster};
use model::{Collection, CollectionRule};

/// The members of a collection among the clients of a roster.
#[must_use]
pub fn members(collection: &Collection, roster: &Roster) -> ClientSet {
    if collection.rules.contains(&CollectionRule::All) {
        return roster.all().clone();
    }
    roster.set_of(collection.rules.iter().filter_map(|rule| match rule {
        CollectionRule::All => None,
        CollectionRule::Direct(client) => Some(*client),
    }))
}
