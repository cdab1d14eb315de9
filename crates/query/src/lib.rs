//! The small language in which administrators say which rows they mean:
//! `os.version >= 10.0.19045 and domain = "corp" and installed("KB5034441")`.
//!
//! Owns words, types and meaning. What can be asked about is a [`Vocabulary`] that the caller
//! brings with the [`Facts`] of each row, so that collections, lists and reports share one
//! language. Refuses to know where facts come from. Whatever is wrong with a text is an
//! [`Error`] that points at the character; evaluation cannot fail: a fact that is not known makes
//! a condition unknown, and what is unknown selects nothing, negated or not.

mod condition;
mod error;
mod evaluate;
mod limits;
mod parse;
mod value;
mod vocabulary;
mod words;

pub use condition::{Condition, Relation, is_like};
pub use error::{Error, Problem};
pub use evaluate::Facts;
pub use value::{Fact, Type, Value, Version};
pub use vocabulary::{Field, Test, Vocabulary};

/// A checked text: what it says of every field exists and has the right type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    text: String,
    condition: Condition,
}

impl Query {
    pub fn parse(text: &str, vocabulary: &Vocabulary) -> Result<Query, Error> {
        let condition = parse::parse(text, vocabulary)?;
        Ok(Query { text: text.to_owned(), condition })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it says, for an index that answers it without looking at rows.
    #[must_use]
    pub fn condition(&self) -> &Condition {
        &self.condition
    }

    /// Whether a row is meant.
    #[must_use]
    pub fn selects(&self, facts: &impl Facts) -> bool {
        self.condition.judge(facts) == Some(true)
    }

    /// Whether it asks for this field or test anywhere, so that what depends on it is known.
    #[must_use]
    pub fn asks_for(&self, name: &str) -> bool {
        self.condition.asks_for(name)
    }

    /// What it asks the test of this name, in the order of the text.
    #[must_use]
    pub fn arguments(&self, test: &str) -> Vec<&str> {
        let mut found = Vec::new();
        self.condition.arguments(test, &mut found);
        found
    }
}
