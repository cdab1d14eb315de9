//! What can be wrong with a text, and where.

use std::fmt;

use model::ErrorClass;

use crate::limits::{DEPTH_MAX, TEXT_BYTES_MAX};

/// A text that means nothing, with the place that shows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {problem}\n  {line}\n  {marker}", marker = Marker(*column))]
pub struct Error {
    /// Counted in characters, from 1.
    pub column: usize,
    pub problem: Problem,
    /// The text, with line breaks as spaces.
    line: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error(
        "a condition has at most {TEXT_BYTES_MAX} bytes, this has {0}; say less, or make several"
    )]
    TooLong(usize),
    #[error("parentheses and \"not\" go at most {DEPTH_MAX} deep")]
    TooDeep,
    #[error("\"{0}\" has no meaning here; texts stand in double quotes")]
    Character(char),
    #[error("this text is not closed; end it with a double quote")]
    OpenText,
    #[error("expected {expected}, found {found}")]
    Unexpected { expected: &'static str, found: String },
    #[error("there is no field \"{name}\"; there are {known}")]
    UnknownField { name: String, known: String },
    #[error("there is no test \"{name}\"; there are {known}")]
    UnknownTest { name: String, known: String },
    #[error("\"{field}\" is {field_type}, and \"{value}\" is not{remedy}")]
    WrongType { field: String, field_type: &'static str, value: String, remedy: &'static str },
    #[error("\"{field}\" is {field_type} and has no order; use = or !=")]
    Unordered { field: String, field_type: &'static str },
    #[error("\"like\" compares texts, and \"{field}\" is {field_type}")]
    NotText { field: String, field_type: &'static str },
}

struct Marker(usize);

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>column$}", '^', column = self.0)
    }
}

impl Error {
    /// `at` is a byte of the text.
    pub(crate) fn new(text: &str, at: usize, problem: Problem) -> Error {
        let column = text.get(..at).map_or(0, |before| before.chars().count()) + 1;
        let shown = if text.len() > TEXT_BYTES_MAX { "" } else { text };
        let line = shown.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Error { column, problem, line }
    }

    #[must_use]
    pub fn class(&self) -> ErrorClass {
        ErrorClass::Invalid
    }
}
