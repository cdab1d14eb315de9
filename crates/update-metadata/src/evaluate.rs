//! What a document means for a computer, in three-valued logic.
//!
//! Owns the logic; the tests themselves are in `linux` and `windows`. A test that cannot be
//! judged is unknown, and stays so unless the rest of its rule decides without it: unknown and
//! false is false, unknown or true is true.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use model::UpdateId;
use xml_guard::Element;

use crate::namespaces::{BASE_RULES, is_windows};
use crate::{
    Comparison, Document, Facts, FileFact, Relations, Rule, Rules, System, linux, windows,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Truth {
    True,
    False,
    /// With the first reason found.
    Unknown(String),
}

/// What an update is to a computer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applicability {
    Installed,
    NotApplicable,
    /// Required: installable and not installed.
    Applicable,
    Unknown(String),
}

/// The answer of one test, or why there is none.
pub(crate) type Doubtful = Result<bool, String>;

/// A section that is absent is false. Prerequisites and bundles are the caller's: see
/// [`Relations::prerequisites_met`].
#[must_use]
pub fn evaluate(document: &Document, facts: &Facts) -> Applicability {
    let rules = &document.rules;
    if rules.are_foreign_to(&facts.system) {
        return Applicability::NotApplicable;
    }
    match truth_of(rules.is_installed.as_ref(), facts) {
        Truth::True => return Applicability::Installed,
        Truth::Unknown(reason) => return Applicability::Unknown(reason),
        Truth::False => {}
    }
    let superseded = truth_of(rules.is_superseded.as_ref(), facts);
    let installable = truth_of(rules.is_installable.as_ref(), facts);
    match Truth::all([superseded.negated(), installable]) {
        Truth::True => Applicability::Applicable,
        Truth::False => Applicability::NotApplicable,
        Truth::Unknown(reason) => Applicability::Unknown(reason),
    }
}

impl Document {
    /// Such a document is never offered to Windows clients.
    #[must_use]
    pub fn uses_linux_rules(&self) -> bool {
        self.rules.any_test(linux::is_linux)
    }

    /// The files that facts must speak of, for [`evaluate`] to judge Linux tests, and whether
    /// their digests are wanted.
    #[must_use]
    pub fn files_asked(&self) -> BTreeMap<&str, bool> {
        let mut asked = BTreeMap::new();
        self.rules.for_each_test(&mut |test| {
            if let Some(path) = test.tag.attribute("Path").filter(|_| linux::is_linux(test)) {
                *asked.entry(path).or_default() |= test.tag.attribute("Sha256").is_some();
            }
        });
        asked
    }
}

impl Relations {
    /// Whether every clause names something installed; `installed` says what is known of an update.
    pub fn prerequisites_met(&self, installed: impl Fn(UpdateId) -> Truth) -> Truth {
        Truth::all(self.prerequisites.iter().map(|clause| {
            let none = clause.any_of.iter().map(|&id| installed(id).negated());
            Truth::all(none).negated()
        }))
    }
}

impl Rules {
    /// Tests for the other system are false here, and a negated one must not make a document
    /// applicable to a computer it was never meant for.
    fn are_foreign_to(&self, system: &System) -> bool {
        let linux = self.any_test(linux::is_linux);
        let windows = self.any_test(|test| is_windows(&test.tag.ns) && !is_processor(test));
        match system {
            System::Linux(_) => windows && !linux,
            System::Windows(_) => linux && !windows,
        }
    }

    fn any_test(&self, wanted: impl Fn(&Element) -> bool) -> bool {
        let mut found = false;
        self.for_each_test(&mut |test| found |= wanted(test));
        found
    }

    pub(crate) fn for_each_test<'a>(&'a self, visit: &mut dyn FnMut(&'a Element)) {
        let sections = [&self.is_installed, &self.is_installable, &self.is_superseded];
        sections.into_iter().flatten().for_each(|rule| rule.for_each_test(visit));
    }
}

impl Truth {
    /// False if any is false, else unknown if any is unknown.
    fn all(parts: impl IntoIterator<Item = Truth>) -> Truth {
        let mut result = Truth::True;
        for part in parts {
            match part {
                Truth::False => return Truth::False,
                Truth::Unknown(_) if result == Truth::True => result = part,
                Truth::Unknown(_) | Truth::True => {}
            }
        }
        result
    }

    fn negated(self) -> Truth {
        match self {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            Truth::Unknown(reason) => Truth::Unknown(reason),
        }
    }
}

fn truth_of(rule: Option<&Rule>, facts: &Facts) -> Truth {
    rule.map_or(Truth::False, |rule| judge(rule, facts))
}

fn judge(rule: &Rule, facts: &Facts) -> Truth {
    match rule {
        Rule::True => Truth::True,
        Rule::False => Truth::False,
        Rule::Not(rule) => judge(rule, facts).negated(),
        Rule::And(rules) => Truth::all(rules.iter().map(|rule| judge(rule, facts))),
        // By De Morgan, so that unknown is treated in one place.
        Rule::Or(rules) => {
            Truth::all(rules.iter().map(|rule| judge(rule, facts).negated())).negated()
        }
        Rule::Test(element) => match judge_test(&Test(element), facts) {
            Ok(true) => Truth::True,
            Ok(false) => Truth::False,
            Err(reason) => Truth::Unknown(format!("{}: {reason}", element.tag.local)),
        },
    }
}

fn judge_test(test: &Test<'_>, facts: &Facts) -> Doubtful {
    if linux::is_linux(test.0) {
        return linux::evaluate(test, facts);
    }
    if is_processor(test.0) {
        let found = facts.architecture.ok_or("the architecture is not known")?;
        return Ok(test.parsed::<i32>("Architecture")? == Some(found as i32));
    }
    match &facts.system {
        System::Windows(windows) => windows::evaluate(test, windows, facts),
        System::Linux(_) if is_windows(&test.0.tag.ns) => Ok(false),
        System::Linux(_) => Err("this is not a rule".to_owned()),
    }
}

/// The one test of the Windows vocabulary that can be asked of any computer.
fn is_processor(test: &Element) -> bool {
    test.tag.is(BASE_RULES, "Processor")
}

/// A test's attributes, read for evaluation.
pub(crate) struct Test<'a>(pub(crate) &'a Element);

impl<'a> Test<'a> {
    pub(crate) fn name(&self) -> &'a str {
        &self.0.tag.local
    }

    pub(crate) fn optional(&self, attribute: &str) -> Option<&'a str> {
        self.0.tag.attribute(attribute)
    }

    pub(crate) fn text(&self, attribute: &str) -> Result<&'a str, String> {
        self.optional(attribute).ok_or_else(|| format!("{attribute} is missing"))
    }

    pub(crate) fn parsed<T: FromStr<Err: Display>>(
        &self,
        attribute: &str,
    ) -> Result<Option<T>, String> {
        let parsed = self.optional(attribute).map(|text| text.trim().parse());
        parsed.transpose().map_err(|error| format!("{attribute}: {error}"))
    }

    pub(crate) fn required<T: FromStr<Err: Display>>(&self, attribute: &str) -> Result<T, String> {
        self.parsed(attribute)?.ok_or_else(|| format!("{attribute} is missing"))
    }

    pub(crate) fn comparison(&self) -> Result<Comparison, String> {
        Ok(self.parsed("Comparison")?.unwrap_or(Comparison::EqualTo))
    }

    /// The file at `path`, or none if it was looked for and is not there.
    pub(crate) fn file<'f>(
        &self,
        facts: &'f Facts,
        path: &str,
    ) -> Result<Option<&'f FileFact>, String> {
        let file = facts.files.get(path).ok_or_else(|| format!("nobody looked for {path}"))?;
        Ok(file.as_ref())
    }
}

#[cfg(test)]
mod tests;
