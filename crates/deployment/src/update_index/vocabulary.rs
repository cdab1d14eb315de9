//! The words of queries over updates. Every one is known of every update, so that a negation takes
//! all the others; only counts may be missing.

use query::{Field, Test, Type, Vocabulary};

/// What can be asked about updates.
pub static UPDATES: Vocabulary = Vocabulary { fields: FIELDS, tests: &[Test { name: IN_GROUP }] };

pub(super) const ID: &str = "id";
pub(super) const TITLE: &str = "title";
pub(super) const DESCRIPTION: &str = "description";
pub(super) const RELEASED: &str = "released";
pub(super) const SIZE: &str = "size";
pub(super) const REQUIRED: &str = "required";
pub(super) const INSTALLED: &str = "installed";
pub(super) const DEPLOYED: &str = "deployed";
pub(super) const IN_GROUP: &str = "in_group";

/// Fields of which an update may have several words, or one of a few.
pub(super) const LISTS: [&str; 11] = [
    "kb",
    "bulletin",
    "cve",
    "severity",
    "custom_severity",
    "classification",
    "product",
    "family",
    "vendor",
    "architecture",
    "language",
];

/// The places of some of them.
pub(super) const CLASSIFICATION_LIST: usize = 5;
pub(super) const PRODUCT_LIST: usize = 6;
pub(super) const LANGUAGE_LIST: usize = 10;

/// Fields that an update has or has not, as long as the catalog stays.
pub(super) const FLAGS: [&str; 6] =
    ["superseded", "expired", "declined", "third_party", "metadata_only", "license"];

const fn field(name: &'static str, of: Type) -> Field {
    Field { name, of }
}

const FIELDS: &[Field] = &[
    field(TITLE, Type::Text),
    field(DESCRIPTION, Type::Text),
    field(LISTS[0], Type::Text),
    field(LISTS[1], Type::Text),
    field(LISTS[2], Type::Text),
    field(LISTS[3], Type::Text),
    field(LISTS[4], Type::Text),
    field(LISTS[5], Type::Text),
    field(LISTS[6], Type::Text),
    field(LISTS[7], Type::Text),
    field(LISTS[8], Type::Text),
    field(LISTS[9], Type::Text),
    field(LISTS[10], Type::Text),
    field(RELEASED, Type::Time),
    field(SIZE, Type::Number),
    field(REQUIRED, Type::Number),
    field(INSTALLED, Type::Number),
    field(FLAGS[0], Type::Flag),
    field(FLAGS[1], Type::Flag),
    field(FLAGS[2], Type::Flag),
    field(FLAGS[3], Type::Flag),
    field(FLAGS[4], Type::Flag),
    field(FLAGS[5], Type::Flag),
    field(DEPLOYED, Type::Flag),
    field(ID, Type::Text),
];
