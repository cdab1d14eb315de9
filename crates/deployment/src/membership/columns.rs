//! Queries as sets: what a condition says is worked out once for each value that clients have.
//!
//! Owns one column for each field that is asked for, value by value the clients that have it, and
//! the logic of three values: whom a condition holds for, whom it does not hold for, and, in
//! neither set, of whom it is not known. Refuses to know collections. Fails only for questions
//! about something that is not here yet.

use std::collections::BTreeMap;

use compliance::{Board, ClientSet};
use model::{ClientId, ComplianceState, ObjectCode, Timestamp};
use query::{Condition, Fact, Facts, Query};

use super::{Memberships, Population, item_key};
use crate::Missing;
use crate::collection::{MEMBER, REQUIRED, SOFTWARE, fact};

pub(super) struct Columns<'a> {
    population: Population<'a>,
    /// Made when they are asked for.
    fields: BTreeMap<&'static str, Vec<(Fact<'a>, ClientSet)>>,
}

/// Of whom it is known that a condition holds, and that it does not.
struct Known {
    yes: ClientSet,
    no: ClientSet,
}

/// A row of which one field is known.
struct Only<'a>(&'a Fact<'a>, Timestamp);

impl Facts for Only<'_> {
    fn field(&self, _: &str) -> Option<Fact<'_>> {
        Some(self.0.clone())
    }

    fn test(&self, _: &str, _: &str) -> Option<bool> {
        None
    }

    fn now(&self) -> Timestamp {
        self.1
    }
}

impl<'a> Columns<'a> {
    pub(super) fn new(population: &Population<'a>) -> Columns<'a> {
        Columns { population: *population, fields: BTreeMap::new() }
    }

    pub(super) fn population(&self) -> &Population<'a> {
        &self.population
    }

    pub(super) fn select(
        &mut self,
        query: &Query,
        collections: &Memberships,
    ) -> Result<ClientSet, Missing> {
        Ok(self.judge(query.condition(), collections)?.yes)
    }

    fn judge(
        &mut self,
        condition: &Condition,
        collections: &Memberships,
    ) -> Result<Known, Missing> {
        Ok(match condition {
            Condition::All(parts) => {
                let mut known = self.everywhere();
                for part in parts {
                    let Known { yes, no } = self.judge(part, collections)?;
                    known = Known { yes: known.yes.intersection(&yes), no: known.no.union(&no) };
                }
                known
            }
            Condition::Any(parts) => {
                let mut known = self.everywhere().not();
                for part in parts {
                    let Known { yes, no } = self.judge(part, collections)?;
                    known = Known { yes: known.yes.union(&yes), no: known.no.intersection(&no) };
                }
                known
            }
            Condition::Not(part) => self.judge(part, collections)?.not(),
            Condition::Compare { field, .. }
            | Condition::Like { field, .. }
            | Condition::Flag(field) => self.field(field, condition),
            Condition::Test { name, argument } if *name == MEMBER => {
                let yes = collections.of(&code(argument, &self.population)?)?.clone();
                Known { no: self.population.roster.all().minus(&yes), yes }
            }
            Condition::Test { name, argument } if *name == SOFTWARE => self.software(argument),
            Condition::Test { name, argument } => self.update(name, argument)?,
        })
    }

    fn everywhere(&self) -> Known {
        Known { yes: self.population.roster.all().clone(), no: ClientSet::default() }
    }

    fn field(&mut self, field: &'static str, condition: &Condition) -> Known {
        let population = self.population;
        let column = self.fields.entry(field).or_insert_with(|| column(field, &population));
        let mut known = Known { yes: ClientSet::default(), no: ClientSet::default() };
        for (fact, clients) in column {
            match condition.judge(&Only(fact, population.now)) {
                Some(true) => known.yes.absorb(clients),
                Some(false) => known.no.absorb(clients),
                None => {}
            }
        }
        known
    }

    fn software(&self, argument: &str) -> Known {
        let Population { roster, inventories, .. } = self.population;
        let set = |clients: &[ClientId]| roster.set_of(clients.iter().copied());
        let (having, listed) = inventories.software(argument);
        let yes = set(having);
        Known { no: set(listed).minus(&yes), yes }
    }

    /// Whether clients have or lack an update; of several with one article, any of them.
    fn update(&self, test: &str, argument: &str) -> Result<Known, Missing> {
        let Population { roster, board, items, site, .. } = self.population;
        let board = board.ok_or_else(|| Missing { id: "compliance".to_owned(), site })?;
        let (wanted, other) = match test {
            REQUIRED => (ComplianceState::Required, ComplianceState::Installed),
            _ => (ComplianceState::Installed, ComplianceState::Required),
        };
        let here = |set: &ClientSet| translate(board, set, roster);
        let items = items.get(&item_key(argument)).map_or(&[][..], Vec::as_slice);
        let mut known = Known { yes: ClientSet::default(), no: ClientSet::default() };
        for (index, item) in items.iter().enumerate() {
            let yes = board.clients_in_state(*item, wanted);
            let no = board.clients_in_state(*item, other);
            let no = no.union(&board.clients_in_state(*item, ComplianceState::NotRequired));
            known.yes = known.yes.union(&yes);
            known.no = if index == 0 { no } else { known.no.intersection(&no) };
        }
        Ok(Known { yes: here(&known.yes), no: here(&known.no) })
    }
}

impl Known {
    fn not(self) -> Known {
        Known { yes: self.no, no: self.yes }
    }
}

/// The clients of the roster by what their records and inventories say.
fn column<'a>(field: &str, population: &Population<'a>) -> Vec<(Fact<'a>, ClientSet)> {
    let mut clients: BTreeMap<Fact<'a>, Vec<ClientId>> = BTreeMap::new();
    for (client, record) in population.clients {
        let computer = population.inventories.computer(*client);
        if let Some(fact) = fact((record, computer), field, population.now) {
            clients.entry(fact).or_default().push(*client);
        }
    }
    let sets = clients.into_iter();
    sets.map(|(fact, clients)| (fact, population.roster.set_of(clients))).collect()
}

/// The board counts clients of its own roster.
fn translate(board: &Board, set: &ClientSet, roster: &compliance::Roster) -> ClientSet {
    if std::ptr::eq(board.roster(), roster) {
        return set.clone();
    }
    roster.set_of(board.roster().clients(set))
}

fn code(argument: &str, population: &Population<'_>) -> Result<ObjectCode, Missing> {
    ObjectCode::new(argument)
        .map_err(|_| Missing { id: argument.to_owned(), site: population.site })
}
