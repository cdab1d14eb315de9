//! Why a document is to a computer what it is: every test of its rules with its answer.

use xml_guard::Element;

use super::{Context, Truth, negated};
use crate::{Document, Facts, Rule};

/// A test as its author wrote it, and what it is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `installed`, `installable` or `superseded`: what the rule of the test decides.
    pub decides: &'static str,
    /// Such as `FileExists Path=/usr/bin/env`, or `not FileExists Path=/usr/bin/env`.
    pub test: String,
    pub truth: Truth,
}

/// In the order in which the document has them. What is negated is told so, and so is its answer.
#[must_use]
pub fn findings(document: &Document, facts: &Facts) -> Vec<Finding> {
    let context = Context { document, facts, loop_target: None };
    let rules = &document.rules;
    let sections = [
        ("installed", &rules.is_installed),
        ("superseded", &rules.is_superseded),
        ("installable", &rules.is_installable),
    ];
    let mut found = Vec::new();
    for (decides, rule) in sections {
        let mut add = |test: &Element, is_negated: bool| {
            let (truth, test) = (context.judge_test(test), written(test));
            found.push(match is_negated {
                false => Finding { decides, test, truth: truth.into() },
                true => {
                    let truth = negated(truth).into();
                    Finding { decides, test: format!("not {test}"), truth }
                }
            });
        };
        match rule {
            Some(rule @ (Rule::True | Rule::False)) => {
                let truth = context.judge(rule).into();
                found.push(Finding { decides, test: "always the same".to_owned(), truth });
            }
            Some(rule) => visit(rule, false, &mut add),
            None => {}
        }
    }
    found
}

fn visit(rule: &Rule, is_negated: bool, add: &mut dyn FnMut(&Element, bool)) {
    match rule {
        Rule::Not(rule) => visit(rule, !is_negated, add),
        Rule::And(rules) | Rule::Or(rules) => {
            rules.iter().for_each(|rule| visit(rule, is_negated, add));
        }
        Rule::True | Rule::False | Rule::Test(_) => {
            rule.for_each_test(&mut |test| add(test, is_negated));
        }
    }
}

fn written(test: &Element) -> String {
    let attributes = test.tag.attributes.iter();
    let words = attributes.map(|attribute| format!("{}={}", attribute.local, attribute.value));
    std::iter::once(test.tag.local.clone()).chain(words).collect::<Vec<_>>().join(" ")
}
