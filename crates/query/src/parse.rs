//! Words to a condition whose fields exist and whose values have the right type.
//!
//! `or` binds weakest, then `and`, then `not`.

use crate::error::Problem;
use crate::limits::{DEPTH_MAX, TEXT_BYTES_MAX};
use crate::vocabulary::{Field, Vocabulary};
use crate::words::{Word, words};
use crate::{Condition, Error, Relation, Type, Value};

/// A sign that compares.
fn relation(word: &Word) -> Option<Relation> {
    let Word::Sign(sign) = word else { return None };
    Relation::of_sign(sign)
}

pub(crate) fn parse(text: &str, vocabulary: &Vocabulary) -> Result<Condition, Error> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Error::new(text, 0, Problem::TooLong(text.len())));
    }
    let mut parser = Parser { text, vocabulary, words: words(text)?, next: 0, depth: 0 };
    let condition = parser.any()?;
    match parser.peek() {
        Word::End => Ok(condition),
        _ => Err(parser.unexpected("\"and\", \"or\" or the end")),
    }
}

struct Parser<'a> {
    text: &'a str,
    vocabulary: &'a Vocabulary,
    /// The last one is the end.
    words: Vec<(usize, Word)>,
    next: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &Word {
        &self.words[self.next].1
    }

    fn take(&mut self) -> (usize, Word) {
        let taken = self.words[self.next].clone();
        self.next = (self.next + 1).min(self.words.len() - 1);
        taken
    }

    fn take_if(&mut self, is_meant: impl Fn(&Word) -> bool) -> bool {
        let is_here = is_meant(self.peek());
        if is_here {
            self.take();
        }
        is_here
    }

    fn demand(&mut self, sign: &'static str, expected: &'static str) -> Result<(), Error> {
        match self.take_if(|word| *word == Word::Sign(sign)) {
            true => Ok(()),
            false => Err(self.unexpected(expected)),
        }
    }

    fn error(&self, at: usize, problem: Problem) -> Error {
        Error::new(self.text, at, problem)
    }

    fn unexpected(&self, expected: &'static str) -> Error {
        let (at, word) = &self.words[self.next];
        self.error(*at, Problem::Unexpected { expected, found: word.shown() })
    }

    fn any(&mut self) -> Result<Condition, Error> {
        let mut parts = vec![self.all()?];
        while self.take_if(|word| word.is("or")) {
            parts.push(self.all()?);
        }
        Ok(single(parts, Condition::Any))
    }

    fn all(&mut self) -> Result<Condition, Error> {
        let mut parts = vec![self.one()?];
        while self.take_if(|word| word.is("and")) {
            parts.push(self.one()?);
        }
        Ok(single(parts, Condition::All))
    }

    fn one(&mut self) -> Result<Condition, Error> {
        let at = self.words[self.next].0;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.error(at, Problem::TooDeep));
        }
        let condition = if self.take_if(|word| word.is("not")) {
            Condition::Not(Box::new(self.one()?))
        } else if self.take_if(|word| *word == Word::Sign("(")) {
            let inner = self.any()?;
            self.demand(")", "\")\"")?;
            inner
        } else {
            self.named()?
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn named(&mut self) -> Result<Condition, Error> {
        let (at, word) = self.words[self.next].clone();
        let Word::Name(name) = word else {
            return Err(self.unexpected("a field, a test, \"not\" or \"(\""));
        };
        self.take();
        if self.take_if(|word| *word == Word::Sign("(")) {
            return self.test(at, name);
        }
        let Some(field) = self.vocabulary.field(&name) else {
            let known = self.vocabulary.field_names();
            return Err(self.error(at, Problem::UnknownField { name, known }));
        };
        if field.of == Type::Flag {
            return Ok(Condition::Flag(field.name));
        }
        let is_negated = self.take_if(|word| word.is("not"));
        let condition = if self.take_if(|word| word.is("in")) {
            self.member_of(field)?
        } else if self.take_if(|word| word.is("like")) {
            self.like(field)?
        } else if is_negated {
            return Err(self.unexpected("\"in\" or \"like\""));
        } else {
            self.compared(field)?
        };
        Ok(if is_negated { Condition::Not(Box::new(condition)) } else { condition })
    }

    fn test(&mut self, at: usize, name: String) -> Result<Condition, Error> {
        let Some(test) = self.vocabulary.test(&name) else {
            let known = self.vocabulary.test_names();
            return Err(self.error(at, Problem::UnknownTest { name, known }));
        };
        let argument = self.quoted("a text in double quotes")?;
        self.demand(")", "\")\"")?;
        Ok(Condition::Test { name: test.name, argument })
    }

    fn compared(&mut self, field: Field) -> Result<Condition, Error> {
        let at = self.words[self.next].0;
        let Some(relation) = relation(self.peek()) else {
            return Err(self.unexpected("=, !=, <, <=, >, >=, \"in\" or \"like\""));
        };
        self.take();
        if relation.is_ordering() && !field.of.is_ordered() {
            let (field, field_type) = (field.name.to_owned(), field.of.shown());
            return Err(self.error(at, Problem::Unordered { field, field_type }));
        }
        let value = self.value(field)?;
        Ok(Condition::Compare { field: field.name, relation, value })
    }

    fn member_of(&mut self, field: Field) -> Result<Condition, Error> {
        self.demand("(", "\"(\" and values with commas between them")?;
        let mut parts = Vec::new();
        loop {
            let value = self.value(field)?;
            let relation = Relation::Equal;
            parts.push(Condition::Compare { field: field.name, relation, value });
            if !self.take_if(|word| *word == Word::Sign(",")) {
                break;
            }
        }
        self.demand(")", "\",\" or \")\"")?;
        Ok(single(parts, Condition::Any))
    }

    fn like(&mut self, field: Field) -> Result<Condition, Error> {
        let at = self.words[self.next].0;
        if field.of != Type::Text {
            let (field, field_type) = (field.name.to_owned(), field.of.shown());
            return Err(self.error(at, Problem::NotText { field, field_type }));
        }
        let pattern = self.quoted("a text in double quotes, with % for anything")?;
        let parts = pattern.to_lowercase().split('%').map(str::to_owned).collect();
        Ok(Condition::Like { field: field.name, parts })
    }

    fn quoted(&mut self, expected: &'static str) -> Result<String, Error> {
        let Word::Text(text) = self.peek().clone() else {
            return Err(self.unexpected(expected));
        };
        self.take();
        Ok(text)
    }

    fn value(&mut self, field: Field) -> Result<Value, Error> {
        let (at, word) = self.words[self.next].clone();
        let (text, is_quoted) = match word {
            Word::Text(text) => (text, true),
            Word::Number(text) | Word::Name(text) => (text, false),
            Word::Sign(_) | Word::End => return Err(self.unexpected("a value")),
        };
        self.take();
        let value = field.of.read(&text, is_quoted);
        value.ok_or_else(|| {
            let (field_type, remedy) = (field.of.shown(), field.of.remedy());
            let field = field.name.to_owned();
            self.error(at, Problem::WrongType { field, field_type, value: text, remedy })
        })
    }
}

/// One part stands for itself.
fn single(mut parts: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    match parts.len() {
        1 => parts.remove(0),
        _ => many(parts),
    }
}

#[cfg(test)]
mod tests;
