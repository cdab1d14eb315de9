//! The part of WQL that rules use: `SELECT … FROM class [WHERE condition]`.
//!
//! Owns the language and how a row answers a condition. Names and texts are compared without
//! regard to case, NULL compares to nothing. Refuses to know where rows come from. A query that
//! cannot be read is an error that says where; a column that nobody looked for is a question.

use std::cmp::Ordering;
use std::str::FromStr;

use model::Invalid;

use crate::Comparison;
use crate::asked::{Doubt, Doubtful, all, any, negated};
use crate::facts::{Name, Named, WmiValue};
use crate::question::{Question, Subject};

mod pattern;
mod tokens;

use pattern::Pattern;
use tokens::{Token, Tokens};

/// Real queries nest three deep; each level costs a frame of the stack.
const DEPTH_MAX: usize = 32;

#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) class: Name,
    condition: Condition,
}

#[derive(Debug)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    IsNull(Name),
    Like(Name, Pattern),
    Equal(Name, WmiValue),
    Differs(Name, WmiValue),
    Compares(Name, Comparison, WmiValue),
}

impl FromStr for Query {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Query, Invalid> {
        let mut parser = Parser { tokens: Tokens::read(text)?, depth: 0 };
        parser.keyword("select")?;
        if !parser.tokens.take_symbol("*") {
            parser.tokens.name()?;
            while parser.tokens.take_symbol(",") {
                parser.tokens.name()?;
            }
        }
        parser.keyword("from")?;
        let class = parser.tokens.name()?;
        let condition = match parser.tokens.take_keyword("where") {
            true => parser.any()?,
            false => Condition::All(Vec::new()),
        };
        parser.tokens.end()?;
        Ok(Query { class, condition })
    }
}

struct Parser {
    tokens: Tokens,
    depth: usize,
}

impl Parser {
    fn keyword(&mut self, word: &str) -> Result<(), Invalid> {
        if self.tokens.take_keyword(word) { Ok(()) } else { Err(self.tokens.unexpected(word)) }
    }

    fn any(&mut self) -> Result<Condition, Invalid> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Invalid::new("query", format!("is nested deeper than {DEPTH_MAX}")));
        }
        let mut conditions = vec![self.all()?];
        while self.tokens.take_keyword("or") {
            conditions.push(self.all()?);
        }
        self.depth -= 1;
        Ok(Condition::Any(conditions))
    }

    fn all(&mut self) -> Result<Condition, Invalid> {
        let mut conditions = vec![self.factor()?];
        while self.tokens.take_keyword("and") {
            conditions.push(self.factor()?);
        }
        Ok(Condition::All(conditions))
    }

    fn factor(&mut self) -> Result<Condition, Invalid> {
        let mut is_negated = false;
        while self.tokens.take_keyword("not") {
            is_negated = !is_negated;
        }
        let condition = if self.tokens.take_symbol("(") {
            let inner = self.any()?;
            if !self.tokens.take_symbol(")") {
                return Err(self.tokens.unexpected(")"));
            }
            inner
        } else {
            self.comparison()?
        };
        Ok(if is_negated { Condition::Not(Box::new(condition)) } else { condition })
    }

    fn comparison(&mut self) -> Result<Condition, Invalid> {
        let column = self.tokens.name()?;
        if self.tokens.take_keyword("is") {
            let is_negated = self.tokens.take_keyword("not");
            self.keyword("null")?;
            let condition = Condition::IsNull(column);
            return Ok(if is_negated { Condition::Not(Box::new(condition)) } else { condition });
        }
        if self.tokens.take_keyword("like") {
            let Some(Token::Text(pattern)) = self.tokens.next() else {
                return Err(self.tokens.unexpected("a text"));
            };
            return Ok(Condition::Like(column, pattern.parse()?));
        }
        let Some(Token::Symbol(operator)) = self.tokens.next() else {
            return Err(self.tokens.unexpected("an operator"));
        };
        let literal = self.literal()?;
        Ok(match operator {
            "=" => Condition::Equal(column, literal),
            "<>" | "!=" => Condition::Differs(column, literal),
            "<" => Condition::Compares(column, Comparison::LessThan, literal),
            "<=" => Condition::Compares(column, Comparison::LessThanOrEqualTo, literal),
            ">=" => Condition::Compares(column, Comparison::GreaterThanOrEqualTo, literal),
            ">" => Condition::Compares(column, Comparison::GreaterThan, literal),
            _ => return Err(self.tokens.unexpected("an operator")),
        })
    }

    fn literal(&mut self) -> Result<WmiValue, Invalid> {
        match self.tokens.next() {
            Some(Token::Text(text)) => Ok(WmiValue::Text(text)),
            Some(Token::Number(number)) => Ok(WmiValue::Number(number)),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("true") => {
                Ok(WmiValue::Flag(true))
            }
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("false") => {
                Ok(WmiValue::Flag(false))
            }
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("null") => Ok(WmiValue::Null),
            _ => Err(self.tokens.unexpected("a value")),
        }
    }
}

impl Query {
    /// Whether a row of the class is part of the answer.
    pub(crate) fn selects(&self, row: &Named<WmiValue>) -> Doubtful {
        self.holds(&self.condition, row)
    }

    fn holds(&self, condition: &Condition, row: &Named<WmiValue>) -> Doubtful {
        let each = |conditions: &[Condition]| -> Vec<Doubtful> {
            conditions.iter().map(|condition| self.holds(condition, row)).collect()
        };
        match condition {
            Condition::All(conditions) => all(each(conditions)),
            Condition::Any(conditions) => any(each(conditions)),
            Condition::Not(condition) => negated(self.holds(condition, row)),
            Condition::IsNull(column) => Ok(*self.value(row, column)? == WmiValue::Null),
            Condition::Like(column, pattern) => match self.value(row, column)? {
                WmiValue::Text(found) => Ok(pattern.matches(found)),
                WmiValue::Null => Ok(false),
                _ => Err(format!("{} is not text", column.as_str()).into()),
            },
            Condition::Equal(column, wanted) => {
                Ok(order(column, self.value(row, column)?, wanted)?.is_some_and(Ordering::is_eq))
            }
            Condition::Differs(column, wanted) => {
                Ok(order(column, self.value(row, column)?, wanted)?.is_some_and(Ordering::is_ne))
            }
            Condition::Compares(column, comparison, wanted) => {
                let order = order(column, self.value(row, column)?, wanted)?;
                Ok(order.is_some_and(|order| comparison.holds(order)))
            }
        }
    }

    fn value<'r>(&self, row: &'r Named<WmiValue>, column: &Name) -> Result<&'r WmiValue, Doubt> {
        let found = row.get(column);
        let name = || format!("{} of {}", column.as_str(), self.class.as_str());
        found.ok_or_else(|| Question::new(Subject::WmiColumn, name()).into())
    }
}

/// None if one of them is NULL. Numbers of 64 bits are texts in WMI, and flags compare to 0 and 1.
fn order(column: &Name, found: &WmiValue, wanted: &WmiValue) -> Result<Option<Ordering>, Doubt> {
    use WmiValue::{Flag, Null, Number, Text};
    let differ = || format!("{} is of another type", column.as_str());
    Ok(Some(match (found, wanted) {
        (Null, _) | (_, Null) => return Ok(None),
        (Text(found), Text(wanted)) => found.to_lowercase().cmp(&wanted.to_lowercase()),
        (Number(found), Number(wanted)) => found.cmp(wanted),
        (Text(found), Number(wanted)) => found.parse::<i64>().map_err(|_| differ())?.cmp(wanted),
        (Number(found), Text(wanted)) => found.cmp(&wanted.parse().map_err(|_| differ())?),
        (Flag(found), Flag(wanted)) => found.cmp(wanted),
        (Flag(found), Number(wanted)) => i64::from(*found).cmp(wanted),
        (Number(_) | Text(_), Flag(_)) | (Flag(_), Text(_)) => return Err(differ().into()),
    }))
}

#[cfg(test)]
mod tests;
