//! Applicability rules as a tree.
//!
//! Owns the logic between tests. A test is kept as it was written, known or not: so rules pass
//! from a publisher's package into a document unharmed, and are judged only when evaluated.

use xml_guard::Element;

use crate::namespaces::{self, LOGICAL_RULES};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    True,
    False,
    Not(Box<Rule>),
    And(Vec<Rule>),
    Or(Vec<Rule>),
    /// One test with its attributes, or something that is no rule at all.
    Test(Element),
}

impl Rule {
    /// The one rule of a section; a section without any counts as absent.
    pub(crate) fn section(children: Vec<Element>) -> Option<Rule> {
        let rules = children.into_iter().map(Rule::decode).collect();
        Rule::all(rules)
    }

    /// `rules` joined by and; none if there are none.
    #[must_use]
    pub fn all(mut rules: Vec<Rule>) -> Option<Rule> {
        match rules.len() {
            0 | 1 => rules.pop(),
            _ => Some(Rule::And(rules)),
        }
    }

    /// Recursion is bounded by the depth the XML guard allows.
    pub(crate) fn decode(mut element: Element) -> Rule {
        if *element.tag.ns != *LOGICAL_RULES {
            return Rule::Test(element);
        }
        let decode = |children: Vec<Element>| children.into_iter().map(Rule::decode).collect();
        match (element.tag.local.as_str(), element.children.len()) {
            ("True", _) => Rule::True,
            ("False", _) => Rule::False,
            ("Not", 1) => Rule::Not(Box::new(Rule::decode(element.children.remove(0)))),
            ("And", 1..) => Rule::And(decode(element.children)),
            ("Or", 1..) => Rule::Or(decode(element.children)),
            _ => Rule::Test(element),
        }
    }

    /// The rule as an element again.
    pub(crate) fn encode(&self) -> Element {
        let node = |local, rules: &[Rule]| Element {
            children: rules.iter().map(Rule::encode).collect(),
            ..namespaces::element(LOGICAL_RULES, local, &[])
        };
        match self {
            Rule::True => node("True", &[]),
            Rule::False => node("False", &[]),
            Rule::Not(rule) => node("Not", std::slice::from_ref(rule)),
            Rule::And(rules) => node("And", rules),
            Rule::Or(rules) => node("Or", rules),
            Rule::Test(test) => test.clone(),
        }
    }

    /// Visits every element that tests something, those inside of tests too.
    pub(crate) fn for_each_test<'a>(&'a self, visit: &mut dyn FnMut(&'a Element)) {
        match self {
            Rule::True | Rule::False => {}
            Rule::Not(rule) => rule.for_each_test(visit),
            Rule::And(rules) | Rule::Or(rules) => {
                rules.iter().for_each(|rule| rule.for_each_test(visit));
            }
            Rule::Test(test) => visit_elements(test, visit),
        }
    }
}

fn visit_elements<'a>(element: &'a Element, visit: &mut dyn FnMut(&'a Element)) {
    visit(element);
    element.children.iter().for_each(|child| visit_elements(child, visit));
}
