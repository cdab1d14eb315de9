//! Collections: the sets of clients that everything is aimed at.
//!
//! Owns what a rule may say and which collections exist without being made. Refuses to know who is
//! a member: that is worked out by the planner from what it knows of clients.

use crate::{ClientId, ObjectCode};

/// The built-in collection of every client.
pub const ALL_SYSTEMS: &str = "SMS00001";
/// The built-in collection of all desktop and server clients: all there are.
pub const ALL_DESKTOPS: &str = "SMS00002";
/// The built-in collection of all mobile devices: there are none.
pub const ALL_MOBILE: &str = "SMS00003";
/// The built-in collection of all unknown computers: there are none.
pub const ALL_UNKNOWN: &str = "SMS00004";

/// The built-in collections, ascending by code.
pub const BUILT_IN_COLLECTIONS: [&str; 4] = [ALL_SYSTEMS, ALL_DESKTOPS, ALL_MOBILE, ALL_UNKNOWN];

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CollectionRule {
    /// Every client; only in built-in collections.
    All,
    Direct(ClientId),
    /// Whom a query selects. The name is unique in its collection.
    Query {
        name: String,
        text: String,
    },
    /// The members of another collection.
    Include(ObjectCode),
    /// The members of another collection are no members, whatever other rules say.
    Exclude(ObjectCode),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    pub code: ObjectCode,
    pub name: String,
    pub comment: String,
    /// Only its members can be members. None: every client can.
    pub limiting: Option<ObjectCode>,
    /// None at all: nobody is a member.
    pub rules: Vec<CollectionRule>,
    /// Members follow every change at once, not only full evaluations.
    pub is_incremental: bool,
    /// When it is evaluated in full: canonical spelling of a recurrence.
    pub full_at: Option<String>,
}

impl Collection {
    /// One of rules alone, limited by nothing, that follows every change.
    #[must_use]
    pub fn plain(code: ObjectCode, name: String, rules: Vec<CollectionRule>) -> Collection {
        Collection {
            code,
            name,
            comment: String::new(),
            limiting: None,
            rules,
            is_incremental: true,
            full_at: None,
        }
    }

    /// The built-in collection of this code, which needs no object.
    #[must_use]
    pub fn built_in(code: &ObjectCode) -> Option<Collection> {
        let (name, rules) = match code.as_str() {
            ALL_SYSTEMS => ("All Systems", vec![CollectionRule::All]),
            ALL_DESKTOPS => ("All Desktop and Server Clients", vec![CollectionRule::All]),
            ALL_MOBILE => ("All Mobile Devices", Vec::new()),
            ALL_UNKNOWN => ("All Unknown Computers", Vec::new()),
            _ => return None,
        };
        Some(Collection::plain(code.clone(), name.to_owned(), rules))
    }
}
