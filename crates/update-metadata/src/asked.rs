//! One test of a rule, as it asks.
//!
//! Owns how a test's attributes are read and the answer of three values: yes, no, or a doubt that
//! says why. Bad attributes are doubts, too. Refuses to know what any test means.

use std::fmt::{self, Display};
use std::str::FromStr;

use xml_guard::Element;

use crate::question::{Question, Subject};
use crate::{Comparison, Document, Facts, FileFact};

/// The answer of one test, or why there is none.
pub(crate) type Doubtful = Result<bool, Doubt>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Doubt {
    /// What facts would have to tell, if that is all that is missing.
    pub(crate) question: Option<Question>,
    reason: String,
}

impl Doubt {
    /// The same doubt, where `test` is in doubt because of it.
    pub(crate) fn of(self, test: &str) -> Doubt {
        Doubt { reason: format!("{test}: {}", self.reason), ..self }
    }
}

impl Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl From<String> for Doubt {
    fn from(reason: String) -> Doubt {
        Doubt { question: None, reason }
    }
}

impl From<&str> for Doubt {
    fn from(reason: &str) -> Doubt {
        Doubt::from(reason.to_owned())
    }
}

impl From<Question> for Doubt {
    fn from(question: Question) -> Doubt {
        Doubt { reason: question.to_string(), question: Some(question) }
    }
}

/// False if any is false, else in doubt if any is in doubt.
pub(crate) fn all(parts: impl IntoIterator<Item = Doubtful>) -> Doubtful {
    let mut result = Ok(true);
    for part in parts {
        match part {
            Ok(false) => return part,
            Err(_) if result.is_ok() => result = part,
            Ok(true) | Err(_) => {}
        }
    }
    result
}

/// True if any is true; by De Morgan, so that doubt is treated in one place.
pub(crate) fn any(parts: impl IntoIterator<Item = Doubtful>) -> Doubtful {
    negated(all(parts.into_iter().map(negated)))
}

pub(crate) fn negated(answer: Doubtful) -> Doubtful {
    answer.map(|answer| !answer)
}

/// What facts tell, or the question they leave open.
pub(crate) fn known<T>(fact: Option<T>, subject: Subject, name: impl Display) -> Result<T, Doubt> {
    fact.ok_or_else(|| Question::new(subject, name).into())
}

/// What a test is judged by.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) document: &'a Document,
    pub(crate) facts: &'a Facts,
    /// The registry key a loop is at.
    pub(crate) loop_target: Option<&'a str>,
}

#[derive(Clone, Copy)]
pub(crate) struct Test<'a> {
    pub(crate) element: &'a Element,
    pub(crate) context: Context<'a>,
}

impl<'a> Test<'a> {
    pub(crate) fn name(&self) -> &'a str {
        &self.element.tag.local
    }

    pub(crate) fn optional(&self, attribute: &str) -> Option<&'a str> {
        self.element.tag.attribute(attribute)
    }

    pub(crate) fn text(&self, attribute: &str) -> Result<&'a str, Doubt> {
        Ok(self.optional(attribute).ok_or_else(|| format!("{attribute} is missing"))?)
    }

    pub(crate) fn flag(&self, attribute: &str) -> bool {
        matches!(self.optional(attribute), Some("true" | "1"))
    }

    pub(crate) fn parsed<T: FromStr<Err: Display>>(
        &self,
        attribute: &str,
    ) -> Result<Option<T>, Doubt> {
        parsed(self.element, attribute)
    }

    pub(crate) fn required<T: FromStr<Err: Display>>(&self, attribute: &str) -> Result<T, Doubt> {
        required(self.element, attribute)
    }

    pub(crate) fn comparison(&self) -> Result<Comparison, Doubt> {
        Ok(self.parsed("Comparison")?.unwrap_or(Comparison::EqualTo))
    }

    /// Whether what was found compares to what the attribute says as the test wants it.
    pub(crate) fn compares<T: Ord + FromStr<Err: Display>>(
        &self,
        found: &T,
        attribute: &str,
    ) -> Doubtful {
        Ok(self.comparison()?.holds(found.cmp(&self.required(attribute)?)))
    }

    /// The file at `path`, or none if it was looked for and is not there.
    pub(crate) fn file(&self, path: &str) -> Result<Option<&'a FileFact>, Doubt> {
        let file = known(self.context.facts.files.get(path), Subject::File, path)?;
        Ok(file.as_ref())
    }

    /// What its document brings of one kind for tests that say nothing themselves.
    pub(crate) fn metadata(&self, kind: &str) -> Result<Vec<&'a Element>, Doubt> {
        let metadata = self.context.document.rules.metadata.iter();
        let found: Vec<_> = metadata.filter(|element| element.tag.local == kind).collect();
        if found.is_empty() {
            return Err(format!("the document brings no {kind}").into());
        }
        Ok(found)
    }
}

pub(crate) fn parsed<T: FromStr<Err: Display>>(
    element: &Element,
    attribute: &str,
) -> Result<Option<T>, Doubt> {
    let parsed = element.tag.attribute(attribute).map(|text| text.trim().parse());
    Ok(parsed.transpose().map_err(|error| format!("{attribute}: {error}"))?)
}

pub(crate) fn required<T: FromStr<Err: Display>>(
    element: &Element,
    attribute: &str,
) -> Result<T, Doubt> {
    let value = parsed(element, attribute)?;
    Ok(value.ok_or_else(|| format!("{attribute} is missing"))?)
}
