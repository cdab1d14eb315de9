//! Text to words, each with the byte where it begins.

use crate::error::{Error, Problem};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// A field, a test, or a word of the language; names may have dots.
    Name(String),
    Text(String),
    /// What begins with a digit: a number, a version, a time, or an address without quotes.
    Number(String),
    /// An operator, a parenthesis or a comma.
    Sign(&'static str),
    End,
}

/// The longer ones first.
const SIGNS: [&str; 9] = ["!=", "<=", ">=", "=", "<", ">", "(", ")", ","];

impl Word {
    pub(crate) fn shown(&self) -> String {
        match self {
            Word::Name(name) | Word::Number(name) => format!("\"{name}\""),
            Word::Text(text) => format!("the text \"{text}\""),
            Word::Sign(sign) => format!("\"{sign}\""),
            Word::End => "the end".to_owned(),
        }
    }

    /// Words of the language may be written in capitals.
    pub(crate) fn is(&self, word: &str) -> bool {
        matches!(self, Word::Name(name) if name.eq_ignore_ascii_case(word))
    }
}

pub(crate) fn words(text: &str) -> Result<Vec<(usize, Word)>, Error> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (word, length) = if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            (Word::Sign(sign), sign.len())
        } else if first == '"' {
            quoted(rest).ok_or_else(|| Error::new(text, at, Problem::OpenText))?
        } else if first.is_ascii_digit() {
            let length = end_of(rest, |c| c.is_ascii_alphanumeric() || ".:-+/".contains(c));
            (Word::Number(rest[..length].to_owned()), length)
        } else if first.is_ascii_alphabetic() {
            let length = end_of(rest, |c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
            (Word::Name(rest[..length].to_owned()), length)
        } else {
            return Err(Error::new(text, at, Problem::Character(first)));
        };
        words.push((at, word));
        at += length;
    }
    words.push((text.len(), Word::End));
    Ok(words)
}

fn end_of(rest: &str, belongs: impl Fn(char) -> bool) -> usize {
    rest.find(|c| !belongs(c)).unwrap_or(rest.len())
}

/// A text in quotes and its length with them; a doubled quote stands for one.
fn quoted(rest: &str) -> Option<(Word, usize)> {
    let mut text = String::new();
    let mut at = 1;
    loop {
        let end = at + rest[at..].find('"')?;
        text.push_str(&rest[at..end]);
        at = end + 1;
        if !rest[at..].starts_with('"') {
            return Some((Word::Text(text), at));
        }
        text.push('"');
        at += 1;
    }
}
