//! What can be asked about a kind of rows.

use crate::Type;

#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: &'static str,
    pub of: Type,
}

/// A question with one text, such as `installed("KB5034441")`.
#[derive(Clone, Copy, Debug)]
pub struct Test {
    pub name: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub struct Vocabulary {
    pub fields: &'static [Field],
    pub tests: &'static [Test],
}

impl Vocabulary {
    pub(crate) fn field(&self, name: &str) -> Option<Field> {
        self.fields.iter().copied().find(|field| field.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn test(&self, name: &str) -> Option<Test> {
        self.tests.iter().copied().find(|test| test.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn field_names(&self) -> String {
        list(self.fields.iter().map(|field| field.name))
    }

    pub(crate) fn test_names(&self) -> String {
        list(self.tests.iter().map(|test| test.name))
    }
}

fn list(names: impl Iterator<Item = &'static str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
