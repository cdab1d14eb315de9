//! The rules of a collection taken apart, to be changed and put together in one order.
//!
//! Owns what may stand in one collection. Refuses to know who its members are.

use std::collections::{BTreeMap, BTreeSet};

use model::{ClientId, Collection, CollectionRule, Invalid, ObjectCode};
use rpc::pb::admin as pb;
use site_db::Reader;

use super::{find, readable};
use crate::Error;
use crate::grpc::Answer;
use crate::grpc::noun::CLIENT;

/// In characters, of collections and of their queries.
const NAME_MAX: usize = 256;
/// Together with all else that a collection says they fit into one object.
const DIRECT_MAX: usize = 40_000;
const QUERIES_MAX: usize = 16;
const REFERENCES_MAX: usize = 1_000;

#[derive(Default)]
pub(super) struct Rules {
    direct: BTreeSet<ClientId>,
    queries: BTreeMap<String, String>,
    includes: BTreeSet<ObjectCode>,
    excludes: BTreeSet<ObjectCode>,
}

/// What is added to rules.
pub(super) struct Additions {
    pub(super) queries: Vec<pb::CollectionQuery>,
    pub(super) clients: Vec<String>,
    pub(super) includes: Vec<String>,
    pub(super) excludes: Vec<String>,
}

/// What is taken out of rules, queries by their names.
pub(super) struct Removals {
    pub(super) queries: Vec<String>,
    pub(super) clients: Vec<String>,
    pub(super) includes: Vec<String>,
    pub(super) excludes: Vec<String>,
}

impl Rules {
    pub(super) fn of(collection: &Collection) -> Rules {
        let mut rules = Rules::default();
        for rule in collection.rules.iter().cloned() {
            match rule {
                // Only built-in collections have it, and those are not changed.
                CollectionRule::All => {}
                CollectionRule::Direct(client) => drop(rules.direct.insert(client)),
                CollectionRule::Query { name, text } => drop(rules.queries.insert(name, text)),
                CollectionRule::Include(code) => drop(rules.includes.insert(code)),
                CollectionRule::Exclude(code) => drop(rules.excludes.insert(code)),
            }
        }
        rules
    }

    pub(super) fn together(self) -> Vec<CollectionRule> {
        let queries = self.queries.into_iter();
        let mut all: Vec<CollectionRule> =
            queries.map(|(name, text)| CollectionRule::Query { name, text }).collect();
        all.extend(self.includes.into_iter().map(CollectionRule::Include));
        all.extend(self.excludes.into_iter().map(CollectionRule::Exclude));
        all.extend(self.direct.into_iter().map(CollectionRule::Direct));
        all
    }

    pub(super) fn add(&mut self, r: &Reader<'_>, added: Additions) -> Answer<()> {
        for pb::CollectionQuery { name, text } in added.queries {
            readable(r, &text)?;
            let name = if name.is_empty() { self.free_name() } else { name };
            check_name("query name", &name)?;
            self.queries.insert(name, text);
        }
        for id in &added.clients {
            self.direct.insert(CLIENT.found(r, id)?.1.id);
        }
        for code in &added.includes {
            self.includes.insert(find(r, code)?.1.code);
        }
        for code in &added.excludes {
            self.excludes.insert(find(r, code)?.1.code);
        }
        self.check()
    }

    pub(super) fn remove(&mut self, removed: &Removals) -> Answer<()> {
        for name in &removed.queries {
            gone(self.queries.remove(name).is_some(), "query of the collection", name)?;
        }
        for id in &removed.clients {
            gone(self.direct.remove(&id.parse()?), "client named by the collection", id)?;
        }
        for code in &removed.includes {
            let is_here = self.includes.remove(&ObjectCode::new(code)?);
            gone(is_here, "collection included by the collection", code)?;
        }
        for code in &removed.excludes {
            let is_here = self.excludes.remove(&ObjectCode::new(code)?);
            gone(is_here, "collection excluded by the collection", code)?;
        }
        Ok(())
    }

    /// `query 1` and so on.
    fn free_name(&self) -> String {
        let mut names = (1..).map(|number: usize| format!("query {number}"));
        names.find(|name| !self.queries.contains_key(name)).unwrap_or_default()
    }

    fn check(&self) -> Answer<()> {
        let (includes, excludes) = (self.includes.len(), self.excludes.len());
        for (what, count, most) in [
            ("computers by name", self.direct.len(), DIRECT_MAX),
            ("queries", self.queries.len(), QUERIES_MAX),
            ("other collections", includes + excludes, REFERENCES_MAX),
        ] {
            if count > most {
                let reason = format!(
                    "it names {count} {what}, and one collection at most {most}; make several and \
                     one that includes them"
                );
                return Err(Invalid::new("collection", reason).into());
            }
        }
        Ok(())
    }
}

fn gone(was_here: bool, what: &'static str, name: &str) -> Answer<()> {
    let see = "tierline collection show";
    if was_here { Ok(()) } else { Err(Error::Unknown { what, name: name.to_owned(), see }) }
}

/// What people can read and the tables have room for.
pub(super) fn check_name(what: &'static str, name: &str) -> Answer<()> {
    let length = name.chars().count();
    let reason = if name.trim().is_empty() {
        "it is empty; give one".to_owned()
    } else if length > NAME_MAX {
        format!("it has {length} characters, and at most {NAME_MAX} are allowed; shorten it")
    } else if name.chars().any(char::is_control) {
        "it has a line break or another control character; leave it out".to_owned()
    } else {
        return Ok(());
    };
    Err(Invalid::new(what, reason).into())
}

#[cfg(test)]
mod tests;
