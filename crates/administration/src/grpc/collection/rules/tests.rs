use rpc::limits::BODY_BYTES_MAX;
use rpc::object::ObjectBody as _;
use uuid::Uuid;

use super::*;

/// The longest text of a query.
const QUERY_BYTES_MAX: usize = 8 * 1024;

fn numbered(number: usize) -> ObjectCode {
    ObjectCode::new(&format!("CAS{number:05X}")).expect("a good code")
}

#[test]
fn the_largest_collection_fits_into_one_object_and_one_more_is_refused() {
    let longest = |number: usize| format!("{number:02}{}", "€".repeat(NAME_MAX - 2));
    let mut rules = Rules {
        direct: (0..DIRECT_MAX as u128).map(|n| ClientId(Uuid::from_u128(n))).collect(),
        queries: (0..QUERIES_MAX).map(|n| (longest(n), "x".repeat(QUERY_BYTES_MAX))).collect(),
        includes: (0..REFERENCES_MAX).map(numbered).collect(),
        excludes: BTreeSet::new(),
    };
    rules.check().expect("as much as is allowed");
    rules.excludes.insert(numbered(0));
    let refused = rules.check().expect_err("one too many").to_string();
    expect_test::expect!["collection: it names 1001 other collections, and one collection at most 1000; make several and one that includes them"].assert_eq(&refused);
    let name = longest(0);
    let collection = Collection::plain(numbered(1), name, rules.together());
    let bytes = collection.encode().len();
    assert!(bytes <= BODY_BYTES_MAX, "{bytes}");
}

#[test]
fn a_free_name_is_one_that_nobody_has() {
    let mut rules = Rules::default();
    rules.queries.insert("query 1".to_owned(), String::new());
    rules.queries.insert("query 3".to_owned(), String::new());
    assert_eq!(rules.free_name(), "query 2");
}
