//! Who is in which collection, for all collections at once.
//!
//! Owns the order in which collections that refer to each other are evaluated, and what the rules
//! of one mean: its members are those whom some rule names, that are in its limiting collection,
//! and that no exclude rule names. Refuses to know where clients and collections come from.
//! **Missing never means empty**: a collection that refers to one that is not here, or to itself,
//! or asks what is not known yet, has no members that could be told, and says what it waits for.

mod columns;
mod order;
mod rulebook;

use std::collections::{BTreeMap, BTreeSet};

use compliance::{Board, ClientSet, LiveItem, Roster};
use model::{
    ClientId, ClientRecord, Collection, CollectionRule, ObjectCode, SiteCode, Timestamp, UpdateId,
};
use query::Query;

use self::columns::Columns;
pub use self::rulebook::Rulebook;
use self::rulebook::{Prepared, queries};
use crate::collection::{CLIENTS, INSTALLED, MEMBER, REQUIRED};
use crate::{Inventories, InventoryNeeds, Missing};

/// The clients of a site, and what their collections are chosen by.
#[derive(Clone, Copy, Debug)]
pub struct Population<'a> {
    /// Members are sets of this roster.
    pub roster: &'a Roster,
    pub clients: &'a BTreeMap<ClientId, ClientRecord>,
    pub inventories: &'a Inventories,
    /// None while it is being made.
    pub board: Option<&'a Board>,
    /// The items of everything that [`Needs::items`] names and that exists.
    pub items: &'a BTreeMap<String, Vec<LiveItem>>,
    /// Members since the last full evaluation, of collections that change only then; one that is
    /// not here is evaluated.
    pub kept: &'a BTreeMap<ObjectCode, Vec<ClientId>>,
    pub now: Timestamp,
    /// The site that is asked.
    pub site: SiteCode,
}

/// What has to be known of clients to evaluate some collections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Their records.
    pub records: bool,
    pub inventories: InventoryNeeds,
    /// What they have and lack of these updates, by ids or articles: see [`item_key`].
    pub items: BTreeSet<String>,
}

/// The members of all collections, built-in ones too.
#[derive(Clone, Debug, PartialEq)]
pub struct Memberships {
    sets: BTreeMap<ObjectCode, Result<ClientSet, Missing>>,
    site: SiteCode,
}

/// What a rule of a collection says of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    All,
    Direct,
    /// The query of this name.
    Query(String),
    Include(ObjectCode),
    /// Kept out, whatever other rules say.
    Exclude(ObjectCode),
    /// Kept out: no member of the limiting collection.
    Outside(ObjectCode),
}

/// The text by which an update is asked for, in one spelling: its id, or the number of an article.
#[must_use]
pub fn item_key(argument: &str) -> String {
    let lower = argument.trim().to_lowercase();
    match lower.parse::<UpdateId>() {
        Ok(id) => id.to_string(),
        Err(_) => lower.strip_prefix("kb").unwrap_or(&lower).to_owned(),
    }
}

/// The collections that a collection refers to, in its queries too.
#[must_use]
pub fn references(collection: &Collection) -> BTreeSet<ObjectCode> {
    let mut found: BTreeSet<ObjectCode> = collection.limiting.iter().cloned().collect();
    for rule in &collection.rules {
        match rule {
            CollectionRule::All | CollectionRule::Direct(_) => {}
            CollectionRule::Include(code) | CollectionRule::Exclude(code) => {
                found.insert(code.clone());
            }
            CollectionRule::Query { text, .. } => {
                if let Ok(query) = Query::parse(text, &CLIENTS) {
                    let codes = query.arguments(MEMBER).into_iter();
                    found.extend(codes.filter_map(|code| ObjectCode::new(code).ok()));
                }
            }
        }
    }
    found
}

/// A way along references from a collection back to it; empty: there is none.
#[must_use]
pub fn circle(
    code: &ObjectCode,
    collections: &BTreeMap<ObjectCode, Collection>,
) -> Vec<ObjectCode> {
    let edges: order::Edges =
        collections.iter().map(|(code, one)| (code.clone(), references(one))).collect();
    order::circle(code, &edges)
}

/// `code` and whatever it refers to, directly or not, as far as it is here.
#[must_use]
pub fn closure(
    code: &ObjectCode,
    collections: &BTreeMap<ObjectCode, Collection>,
) -> BTreeMap<ObjectCode, Collection> {
    let mut found = BTreeMap::new();
    let mut ahead = vec![code.clone()];
    while let Some(code) = ahead.pop() {
        if let Some(collection) = collections.get(&code).filter(|_| !found.contains_key(&code)) {
            ahead.extend(references(collection));
            found.insert(code, collection.clone());
        }
    }
    found
}

impl Needs {
    #[must_use]
    pub fn of<'a>(collections: impl IntoIterator<Item = &'a Collection>) -> Needs {
        let mut needs = Needs::default();
        let rules = collections.into_iter().flat_map(|collection| &collection.rules);
        for rule in rules {
            if let CollectionRule::Query { text, .. } = rule
                && let Ok(query) = Query::parse(text, &CLIENTS)
            {
                needs.add(&query);
            }
        }
        needs
    }

    pub fn add(&mut self, query: &Query) {
        self.records |= CLIENTS.fields.iter().any(|field| query.asks_for(field.name));
        self.inventories.add(query);
        let asked = [INSTALLED, REQUIRED].map(|test| query.arguments(test));
        self.items.extend(asked.into_iter().flatten().map(item_key));
    }
}

impl Memberships {
    /// Evaluates all collections. What they are given in has no influence.
    #[must_use]
    pub fn evaluate(rulebook: &Rulebook, population: &Population<'_>) -> Memberships {
        let mut found = Memberships { sets: BTreeMap::new(), site: population.site };
        let mut columns = Columns::new(population);
        let named = rulebook.named_among(population.roster);
        for (prepared, named) in rulebook.ordered.iter().zip(named) {
            let set = found.members(prepared, named, &mut columns);
            found.sets.insert(prepared.code.clone(), set);
        }
        for (code, what) in &rulebook.stuck {
            let waits = missing(what, code, population.site);
            found.sets.insert(code.clone(), Err(waits));
        }
        found
    }

    /// The members of a collection. A code that is not known is missing, not empty.
    pub fn of(&self, code: &ObjectCode) -> Result<&ClientSet, Missing> {
        match self.sets.get(code) {
            Some(found) => found.as_ref().map_err(Missing::clone),
            None => Err(Missing { id: code.to_string(), site: owner(code, self.site) }),
        }
    }

    /// The collections whose members can be told and that a client is in.
    pub fn with<'a>(
        &'a self,
        client: ClientId,
        roster: &'a Roster,
    ) -> impl Iterator<Item = &'a ObjectCode> {
        let sets = self.sets.iter();
        sets.filter(move |(_, set)| set.as_ref().is_ok_and(|set| set.contains(roster, client)))
            .map(|(code, _)| code)
    }

    /// Whom a query means.
    pub fn select(&self, query: &Query, population: &Population<'_>) -> Result<ClientSet, Missing> {
        Columns::new(population).select(query, self)
    }

    /// Which rules of a collection speak of a client, and what keeps it out.
    pub fn why(
        &self,
        collection: &Collection,
        client: ClientId,
        population: &Population<'_>,
    ) -> Result<Vec<Reason>, Missing> {
        let mut columns = Columns::new(population);
        let unread = |what: String| missing(&what, &collection.code, population.site);
        let mut queries = queries(collection).map_err(unread)?.into_iter();
        let is_in = |set: &ClientSet| set.contains(population.roster, client);
        let mut reasons = Vec::new();
        for rule in &collection.rules {
            let reason = match rule {
                CollectionRule::All => Some(Reason::All),
                CollectionRule::Direct(named) => (*named == client).then_some(Reason::Direct),
                CollectionRule::Include(code) => {
                    is_in(self.of(code)?).then(|| Reason::Include(code.clone()))
                }
                CollectionRule::Exclude(code) => {
                    is_in(self.of(code)?).then(|| Reason::Exclude(code.clone()))
                }
                CollectionRule::Query { name, .. } => match queries.next() {
                    Some(query) => {
                        is_in(&columns.select(&query, self)?).then(|| Reason::Query(name.clone()))
                    }
                    None => None,
                },
            };
            reasons.extend(reason);
        }
        if let Some(limiting) = &collection.limiting
            && !is_in(self.of(limiting)?)
        {
            reasons.push(Reason::Outside(limiting.clone()));
        }
        Ok(reasons)
    }

    /// Everything that the collection refers to has been evaluated.
    fn members(
        &self,
        Prepared { code, rules, queries, limiting, is_incremental }: &Prepared,
        named: ClientSet,
        columns: &mut Columns<'_>,
    ) -> Result<ClientSet, Missing> {
        let Population { roster, kept, site, .. } = *columns.population();
        let (mut chosen, mut kept_out) = (named, ClientSet::default());
        for rule in rules {
            match rule {
                CollectionRule::All => chosen = roster.all().clone(),
                CollectionRule::Include(code) => chosen.absorb(self.of(code)?),
                CollectionRule::Exclude(code) => kept_out.absorb(self.of(code)?),
                CollectionRule::Direct(_) | CollectionRule::Query { .. } => {}
            }
        }
        for query in queries.as_ref().map_err(|what| missing(what, code, site))? {
            chosen.absorb(&columns.select(query, self)?);
        }
        if let Some(kept) = kept.get(code).filter(|_| !is_incremental) {
            chosen = roster.set_of(kept.iter().copied());
        }
        if let Some(limiting) = limiting {
            chosen = chosen.intersection(self.of(limiting)?);
        }
        Ok(chosen.minus(&kept_out))
    }
}

fn missing(what: &str, code: &ObjectCode, here: SiteCode) -> Missing {
    Missing { id: what.to_owned(), site: owner(code, here) }
}

/// A code begins with the site that gave it; the built-in ones are here.
fn owner(code: &ObjectCode, here: SiteCode) -> SiteCode {
    let site = code.as_str().get(..3).and_then(|site| SiteCode::new(site).ok());
    site.unwrap_or(here)
}

#[cfg(test)]
mod tests;
