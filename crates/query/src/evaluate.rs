//! What a condition says of a row: yes, no, or unknown.

use model::Timestamp;

use crate::condition::is_like;
use crate::value::lower;
use crate::{Condition, Fact, Relation, Value};

/// What is known of one row, by the names of its vocabulary.
pub trait Facts {
    /// None: not known.
    fn field(&self, name: &str) -> Option<Fact<'_>>;

    /// None: cannot be told.
    fn test(&self, name: &str, argument: &str) -> Option<bool>;

    /// From when on `30d` is counted back.
    fn now(&self) -> Timestamp;
}

impl Condition {
    /// Whether it holds for a row. None: that cannot be told from what is known of it.
    pub fn judge(&self, facts: &impl Facts) -> Option<bool> {
        match self {
            Condition::Any(parts) => decided_by(true, parts, facts),
            Condition::All(parts) => decided_by(false, parts, facts),
            Condition::Not(part) => part.judge(facts).map(|holds| !holds),
            Condition::Compare { field, relation, value } => {
                let fact = facts.field(field)?;
                match (&fact, value) {
                    (Fact::Texts(texts), Value::Text(value)) => {
                        Some(is_among(texts, value, *relation))
                    }
                    _ => Some(relation.holds(value.compare(&fact, facts.now())?)),
                }
            }
            Condition::Like { field, parts } => match facts.field(field)? {
                Fact::Text(text) => Some(is_like(&lower(text), parts)),
                Fact::Texts(texts) => Some(texts.iter().any(|text| is_like(&lower(text), parts))),
                _ => None,
            },
            Condition::Flag(field) => match facts.field(field)? {
                Fact::Flag(is_set) => Some(is_set),
                _ => None,
            },
            Condition::Test { name, argument } => facts.test(name, argument),
        }
    }
}

/// One part that says `decisive` decides; else one that is unknown makes the whole unknown.
fn decided_by(decisive: bool, parts: &[Condition], facts: &impl Facts) -> Option<bool> {
    let mut whole = Some(!decisive);
    for part in parts {
        match part.judge(facts) {
            Some(holds) if holds == decisive => return Some(decisive),
            Some(_) => {}
            None => whole = None,
        }
    }
    whole
}

/// `=`: one of the texts is this; `!=`: none is. Texts have no other relation.
fn is_among(texts: &[&str], value: &str, relation: Relation) -> bool {
    let is_here = texts.iter().any(|text| lower(text) == value);
    is_here == (relation == Relation::Equal)
}

#[cfg(test)]
mod tests;
