//! The rules of all collections as they are evaluated again and again.
//!
//! Owns what of an evaluation is the same whoever is asked about: queries that are read, the order
//! of collections that refer to each other, and which of them name a client. Refuses to know who is
//! there.

use std::collections::BTreeMap;

use compliance::{ClientSet, Roster};
use model::{BUILT_IN_COLLECTIONS, ClientId, Collection, CollectionRule, ObjectCode};
use query::Query;

use super::{order, references};
use crate::collection::CLIENTS;

/// All collections, built-in ones too, ready to be evaluated.
#[derive(Debug)]
pub struct Rulebook {
    collections: BTreeMap<ObjectCode, Collection>,
    /// Each after everything that it refers to.
    pub(super) ordered: Vec<Prepared>,
    /// What has no place in that order, and what it waits for.
    pub(super) stuck: Vec<(ObjectCode, String)>,
    named: Named,
}

/// What one collection says, but for the clients that it names.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) code: ObjectCode,
    /// Those that are about all clients or about other collections.
    pub(super) rules: Vec<CollectionRule>,
    pub(super) queries: Result<Vec<Query>, String>,
    pub(super) limiting: Option<ObjectCode>,
    pub(super) is_incremental: bool,
}

/// The collections that name each client, by their place in the order.
#[derive(Debug)]
struct Named {
    /// Ascending.
    clients: Vec<ClientId>,
    /// Of each client, where its places end; they begin where those of the one before end.
    ends: Vec<usize>,
    places: Vec<u32>,
}

impl Rulebook {
    #[must_use]
    pub fn new(collections: BTreeMap<ObjectCode, Collection>) -> Rulebook {
        let built_in = BUILT_IN_COLLECTIONS.into_iter().filter_map(|code| {
            let code = ObjectCode::new(code).ok()?;
            Collection::built_in(&code).map(|found| (code, found))
        });
        let built_in: Vec<(ObjectCode, Collection)> = built_in.collect();
        let mut all: BTreeMap<&ObjectCode, &Collection> = collections.iter().collect();
        all.extend(built_in.iter().map(|(code, one)| (code, one)));
        let edges: order::Edges =
            all.iter().map(|(code, one)| ((*code).clone(), references(one))).collect();
        let codes = order::order(&edges);
        let named = Named::new(codes.iter().map(|code| &all[*code].rules));
        let ordered: Vec<Prepared> = codes.iter().map(|code| Prepared::of(all[*code])).collect();
        let mut open = edges.clone();
        codes.iter().for_each(|code| drop(open.remove(*code)));
        let stuck = open.into_keys().map(|code| (code.clone(), waits_for(&code, &edges)));
        let stuck = stuck.collect();
        Rulebook { collections, ordered, stuck, named }
    }

    /// Those that were made, by code.
    #[must_use]
    pub fn collections(&self) -> &BTreeMap<ObjectCode, Collection> {
        &self.collections
    }

    /// Whom each collection names among the clients of a roster, in the order of evaluation.
    pub(super) fn named_among(&self, roster: &Roster) -> impl Iterator<Item = ClientSet> {
        let mut numbers = vec![Vec::new(); self.ordered.len()];
        let mut from = 0;
        for (client, number) in roster.numbered() {
            from += ahead(&self.named.clients[from..], client);
            if self.named.clients.get(from) == Some(&client) {
                self.named.places(from).iter().for_each(|at| numbers[*at as usize].push(number));
            }
        }
        numbers.into_iter().map(|numbers| roster.set_of_numbers(numbers))
    }
}

/// How many clients come before one. Near ones are found quickly, and few steps lead to far ones.
fn ahead(clients: &[ClientId], client: ClientId) -> usize {
    let mut end = 1;
    while clients.get(end - 1).is_some_and(|other| *other < client) {
        end *= 2;
    }
    let (start, end) = (end / 2, end.min(clients.len()));
    let start = start.min(end);
    start + clients[start..end].partition_point(|other| *other < client)
}

impl Named {
    fn new<'a>(rules: impl Iterator<Item = &'a Vec<CollectionRule>>) -> Named {
        let mut pairs: Vec<(ClientId, u32)> = Vec::new();
        for (rules, place) in rules.zip(0..) {
            pairs.extend(rules.iter().filter_map(direct).map(|client| (client, place)));
        }
        pairs.sort_unstable();
        let (mut clients, mut ends) = (Vec::new(), Vec::new());
        for (at, (client, _)) in pairs.iter().enumerate() {
            if clients.last() != Some(client) {
                clients.push(*client);
                ends.push(at);
            }
            *ends.last_mut().expect("a client was pushed first") = at + 1;
        }
        Named { clients, ends, places: pairs.into_iter().map(|(_, place)| place).collect() }
    }

    fn places(&self, client: usize) -> &[u32] {
        let start = client.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.places[start..self.ends[client]]
    }
}

impl Prepared {
    fn of(collection: &Collection) -> Prepared {
        let Collection { code, rules, limiting, is_incremental, .. } = collection;
        let others = rules.iter().filter(|rule| match rule {
            CollectionRule::All | CollectionRule::Include(_) | CollectionRule::Exclude(_) => true,
            CollectionRule::Direct(_) | CollectionRule::Query { .. } => false,
        });
        Prepared {
            code: code.clone(),
            rules: others.cloned().collect(),
            queries: queries(collection),
            limiting: limiting.clone(),
            is_incremental: *is_incremental,
        }
    }
}

/// The queries of a collection in their order, or which cannot be read: another version of its
/// owner has checked it.
pub(super) fn queries(collection: &Collection) -> Result<Vec<Query>, String> {
    let texts = collection.rules.iter().filter_map(|rule| match rule {
        CollectionRule::Query { name, text } => Some((name, text)),
        _ => None,
    });
    let read = texts.map(|(name, text)| {
        let bad = |problem| format!("a query \"{name}\" that can be read ({problem})");
        Query::parse(text, &CLIENTS).map_err(|error| bad(error.problem))
    });
    read.collect()
}

fn direct(rule: &CollectionRule) -> Option<ClientId> {
    match rule {
        CollectionRule::Direct(client) => Some(*client),
        CollectionRule::All
        | CollectionRule::Query { .. }
        | CollectionRule::Include(_)
        | CollectionRule::Exclude(_) => None,
    }
}

/// What a collection that could not be put in order waits for.
fn waits_for(code: &ObjectCode, edges: &order::Edges) -> String {
    let circle = order::circle(code, edges);
    if circle.is_empty() {
        return format!("the end of a circle that {code} refers to");
    }
    let codes: Vec<&str> = circle.iter().map(ObjectCode::as_str).collect();
    format!("the end of the circle {}", codes.join(" → "))
}
