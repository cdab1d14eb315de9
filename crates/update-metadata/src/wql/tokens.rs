//! A query as words, texts, numbers and symbols.

use std::collections::VecDeque;

use model::Invalid;

use crate::facts::Name;

/// The longest real query is 16,353 characters.
const QUERY_BYTES_MAX: usize = 256 << 10;

const SYMBOLS: [&str; 11] = ["<>", "!=", "<=", ">=", "<", ">", "=", "(", ")", "*", ","];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    Text(String),
    Number(i64),
    Symbol(&'static str),
}

#[derive(Debug)]
pub(super) struct Tokens {
    left: VecDeque<Token>,
    taken: usize,
}

impl Tokens {
    pub(super) fn read(query: &str) -> Result<Tokens, Invalid> {
        if query.len() > QUERY_BYTES_MAX {
            return Err(Invalid::new("query", format!("has more than {QUERY_BYTES_MAX} bytes")));
        }
        let mut left = VecDeque::new();
        let mut rest = query.trim_start();
        while let Some(first) = rest.chars().next() {
            let token = match first {
                '\'' | '"' => Token::Text(text(&mut rest)?),
                '-' | '0'..='9' => number(&mut rest)?,
                first if is_part_of_name(first) => {
                    Token::Word(take_while(&mut rest, is_part_of_name).to_owned())
                }
                _ => symbol(&mut rest)?,
            };
            left.push_back(token);
            rest = rest.trim_start();
        }
        Ok(Tokens { left, taken: 0 })
    }

    pub(super) fn next(&mut self) -> Option<Token> {
        self.taken += 1;
        self.left.pop_front()
    }

    pub(super) fn take_keyword(&mut self, keyword: &str) -> bool {
        let Some(Token::Word(word)) = self.left.front() else { return false };
        word.eq_ignore_ascii_case(keyword) && self.next().is_some()
    }

    pub(super) fn take_symbol(&mut self, symbol: &str) -> bool {
        let is_next = matches!(self.left.front(), Some(Token::Symbol(found)) if *found == symbol);
        is_next && self.next().is_some()
    }

    pub(super) fn name(&mut self) -> Result<Name, Invalid> {
        match self.next() {
            Some(Token::Word(word)) => Ok(Name::from(word)),
            _ => Err(self.unexpected("a name")),
        }
    }

    pub(super) fn end(&mut self) -> Result<(), Invalid> {
        if self.left.is_empty() { Ok(()) } else { Err(self.unexpected("the end")) }
    }

    pub(super) fn unexpected(&self, wanted: &str) -> Invalid {
        Invalid::new("query", format!("{wanted} is missing near word {}", self.taken))
    }
}

fn is_part_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.')
}

/// A backslash takes the next quote or backslash as it is, and is itself before anything else.
fn text(rest: &mut &str) -> Result<String, Invalid> {
    let mut characters = rest.chars();
    let quote = characters.next();
    let mut text = String::new();
    while let Some(next) = characters.next() {
        let mut ahead = characters.clone();
        match (next, ahead.next()) {
            ('\\', Some(escaped @ ('\\' | '\'' | '"'))) => {
                text.push(escaped);
                characters = ahead;
            }
            _ if Some(next) == quote => {
                *rest = characters.as_str();
                return Ok(text);
            }
            _ => text.push(next),
        }
    }
    Err(Invalid::new("query", "has a text without an end".to_owned()))
}

fn number(rest: &mut &str) -> Result<Token, Invalid> {
    let digits = take_while(rest, |c| is_part_of_name(c) || c == '-');
    let number =
        digits.parse().map_err(|_| Invalid::new("query", format!("{digits:?} is no number")));
    number.map(Token::Number)
}

fn symbol(rest: &mut &str) -> Result<Token, Invalid> {
    for symbol in SYMBOLS {
        if let Some(after) = rest.strip_prefix(symbol) {
            *rest = after;
            return Ok(Token::Symbol(symbol));
        }
    }
    let unknown = rest.chars().next().unwrap_or_default();
    Err(Invalid::new("query", format!("has an unknown {unknown:?}")))
}

fn take_while<'a>(rest: &mut &'a str, wanted: impl Fn(char) -> bool) -> &'a str {
    let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
    let (head, tail) = rest.split_at(end);
    *rest = tail;
    head
}
