//! What a document means for a computer, in three-valued logic.
//!
//! Owns the logic; the tests themselves are in `linux` and `windows`. A test that cannot be
//! judged is unknown, and stays so unless the rest of its rule decides without it: unknown and
//! false is false, unknown or true is true.

use std::collections::{BTreeMap, BTreeSet};

use model::UpdateId;
use xml_guard::Element;

use crate::asked::{Context, Doubt, Doubtful, Test, all, any, known, negated};
use crate::namespaces::{BASE_RULES, is_windows};
use crate::question::{Question, Subject};
use crate::{Document, Facts, Relations, Rule, Rules, System, linux, windows};

mod findings;

pub use findings::{Finding, findings};

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

/// A section that is absent is false. Prerequisites and bundles are the caller's: see
/// [`Relations::prerequisites_met`].
#[must_use]
pub fn evaluate(document: &Document, facts: &Facts) -> Applicability {
    let rules = &document.rules;
    if rules.are_foreign_to(&facts.system) {
        return Applicability::NotApplicable;
    }
    let context = Context { document, facts, loop_target: None };
    match context.section(rules.is_installed.as_ref()) {
        Ok(true) => return Applicability::Installed,
        Err(doubt) => return Applicability::Unknown(doubt.to_string()),
        Ok(false) => {}
    }
    let superseded = context.section(rules.is_superseded.as_ref());
    let installable = context.section(rules.is_installable.as_ref());
    match all([negated(superseded), installable]) {
        Ok(true) => Applicability::Applicable,
        Ok(false) => Applicability::NotApplicable,
        Err(doubt) => Applicability::Unknown(doubt.to_string()),
    }
}

/// What `facts` would have to tell for the tests of a document that are unknown so far. Answers
/// can raise new questions: a folder that the registry names, a file in it.
#[must_use]
pub fn questions(document: &Document, facts: &Facts) -> BTreeSet<Question> {
    let mut questions = BTreeSet::new();
    if !document.rules.are_foreign_to(&facts.system) {
        let context = Context { document, facts, loop_target: None };
        document.rules.for_each_test(&mut |element| {
            let doubt = context.judge_test(element).err();
            questions.extend(doubt.and_then(|doubt| doubt.question));
        });
    }
    questions
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
        let clauses = self.prerequisites.iter();
        all(clauses.map(|clause| any(clause.any_of.iter().map(|&id| installed(id).into())))).into()
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

impl From<Doubtful> for Truth {
    fn from(answer: Doubtful) -> Truth {
        match answer {
            Ok(true) => Truth::True,
            Ok(false) => Truth::False,
            Err(doubt) => Truth::Unknown(doubt.to_string()),
        }
    }
}

impl From<Truth> for Doubtful {
    fn from(truth: Truth) -> Doubtful {
        match truth {
            Truth::True => Ok(true),
            Truth::False => Ok(false),
            Truth::Unknown(reason) => Err(Doubt::from(reason)),
        }
    }
}

impl Context<'_> {
    fn section(self, rule: Option<&Rule>) -> Doubtful {
        rule.map_or(Ok(false), |rule| self.judge(rule))
    }

    pub(crate) fn judge(self, rule: &Rule) -> Doubtful {
        match rule {
            Rule::True => Ok(true),
            Rule::False => Ok(false),
            Rule::Not(rule) => negated(self.judge(rule)),
            Rule::And(rules) => all(rules.iter().map(|rule| self.judge(rule))),
            Rule::Or(rules) => any(rules.iter().map(|rule| self.judge(rule))),
            Rule::Test(element) => self.judge_test(element),
        }
    }

    fn judge_test(self, element: &Element) -> Doubtful {
        self.answer(element).map_err(|doubt| doubt.of(&element.tag.local))
    }

    fn answer(self, element: &Element) -> Doubtful {
        let test = Test { element, context: self };
        if linux::is_linux(element) {
            return linux::evaluate(&test);
        }
        if is_processor(element) {
            return processor(&test);
        }
        match &self.facts.system {
            System::Windows(facts) => windows::evaluate(&test, facts),
            System::Linux(_) if is_windows(&element.tag.ns) => Ok(false),
            System::Linux(_) => Err("this is not a rule".into()),
        }
    }
}

/// The one test of the Windows vocabulary that can be asked of any computer.
fn is_processor(test: &Element) -> bool {
    test.tag.is(BASE_RULES, "Processor")
}

fn processor(test: &Test<'_>) -> Doubtful {
    let facts = test.context.facts;
    let found = known(facts.architecture, Subject::Architecture, "")?;
    if test.required::<i32>("Architecture")? != found as i32 {
        return Ok(false);
    }
    if ["Level", "Revision"].iter().all(|detail| test.optional(detail).is_none()) {
        return Ok(true);
    }
    let processors = match &facts.system {
        System::Windows(windows) => windows.processors,
        System::Linux(_) => None,
    };
    let found = known(processors, Subject::Processors, "")?;
    Ok(test.parsed("Level")?.is_none_or(|wanted| found.level == wanted)
        && test.parsed("Revision")?.is_none_or(|wanted| found.revision == wanted))
}

#[cfg(test)]
mod tests;
