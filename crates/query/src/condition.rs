//! What a checked text says: a tree that evaluators and indices read.
//!
//! Owns the shape of conditions. Refuses to know how they are written and what rows look like.

use std::cmp::Ordering;

use crate::Value;

/// A condition over the fields and tests of the vocabulary it was checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Not(Box<Condition>),
    /// Of a field with several texts: one of them is equal, or none.
    Compare {
        field: &'static str,
        relation: Relation,
        value: Value,
    },
    /// Parts between the percent signs, in lower case; of several texts one is like it.
    Like {
        field: &'static str,
        parts: Vec<String>,
    },
    Flag(&'static str),
    Test {
        name: &'static str,
        argument: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    Equal,
    Different,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Condition {
    pub(crate) fn asks_for(&self, name: &str) -> bool {
        match self {
            Condition::Any(parts) | Condition::All(parts) => {
                parts.iter().any(|part| part.asks_for(name))
            }
            Condition::Not(part) => part.asks_for(name),
            Condition::Compare { field, .. } | Condition::Like { field, .. } => *field == name,
            Condition::Flag(own) | Condition::Test { name: own, .. } => *own == name,
        }
    }

    /// Every question with the test of this name, as far as it is asked.
    pub(crate) fn arguments<'a>(&'a self, name: &str, found: &mut Vec<&'a str>) {
        match self {
            Condition::Any(parts) | Condition::All(parts) => {
                parts.iter().for_each(|part| part.arguments(name, found));
            }
            Condition::Not(part) => part.arguments(name, found),
            Condition::Test { name: own, argument } if *own == name => found.push(argument),
            Condition::Test { .. }
            | Condition::Compare { .. }
            | Condition::Like { .. }
            | Condition::Flag(_) => {}
        }
    }
}

impl Relation {
    /// As it is written.
    #[must_use]
    pub fn of_sign(sign: &str) -> Option<Relation> {
        Some(match sign {
            "=" => Relation::Equal,
            "!=" => Relation::Different,
            "<" => Relation::Less,
            "<=" => Relation::AtMost,
            ">" => Relation::Greater,
            ">=" => Relation::AtLeast,
            _ => return None,
        })
    }

    /// Whether it holds for something that lies so from the value.
    #[must_use]
    pub fn holds(self, ordering: Ordering) -> bool {
        match self {
            Relation::Equal => ordering.is_eq(),
            Relation::Different => ordering.is_ne(),
            Relation::Less => ordering.is_lt(),
            Relation::AtMost => ordering.is_le(),
            Relation::Greater => ordering.is_gt(),
            Relation::AtLeast => ordering.is_ge(),
        }
    }

    pub(crate) fn is_ordering(self) -> bool {
        !matches!(self, Relation::Equal | Relation::Different)
    }
}

/// Whether the parts of a pattern stand in a lower-case text in this order, the first at its start
/// and the last at its end.
#[must_use]
pub fn is_like(text: &str, parts: &[String]) -> bool {
    let [first, between @ .., last] = parts else {
        return parts.first().is_some_and(|only| only == text);
    };
    let inner = text.strip_prefix(first.as_str()).and_then(|text| text.strip_suffix(last.as_str()));
    let Some(mut inner) = inner else { return false };
    between.iter().all(|part| match inner.find(part.as_str()) {
        Some(at) => {
            inner = &inner[at + part.len()..];
            true
        }
        None => false,
    })
}
