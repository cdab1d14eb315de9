use model::{Timestamp, UpdateRef};
use uuid::Uuid;

use super::*;
use crate::{Prerequisite, categories, linux};

fn lookup(known: &[Document]) -> impl Fn(UpdateId) -> Option<CategoryNode> {
    |id| {
        let document = known.iter().find(|document| document.update.id == id)?;
        Some(CategoryNode { kind: document.category?, parent: document.parent_category() })
    }
}

#[test]
fn an_item_knows_what_it_belongs_to() {
    let company = categories::company("Acme");
    let product = categories::product("Acme", "Editor");
    let classification = categories::classification("Security Updates");
    let stranger = UpdateId(Uuid::from_u128(99));
    let update = UpdateRef { id: UpdateId(Uuid::from_u128(1)), revision: 4 };
    let mut document = Document::new(update, UpdateKind::Software, "Editor 2");
    document.properties.created_at = Timestamp(5);
    for id in [product.update.id, classification.update.id, stranger] {
        document.relations.prerequisites.push(Prerequisite { any_of: vec![id], is_category: true });
    }
    let before = |number: u128| UpdateId(Uuid::from_u128(number));
    for any_of in [vec![before(8), before(7)], vec![before(8)]] {
        document.relations.prerequisites.push(Prerequisite { any_of, is_category: false });
    }
    document.rules.is_installable = Some(linux::os_release("debian", None));
    let known = [company.clone(), product.clone(), classification.clone()];
    let Extracted::Item(item) = extract(&document, Sha256([3; 32]), &lookup(&known)) else {
        panic!("is an item")
    };
    assert_eq!(item.classification, Some(classification.update.id));
    assert_eq!(item.prerequisites, [before(7), before(8)]);
    assert_eq!((item.products, item.company), (vec![product.update.id], Some(company.update.id)));
    assert_eq!(
        (item.document, item.created_at, item.update),
        (Sha256([3; 32]), Timestamp(5), update)
    );
    assert!(item.hidden && item.linux_only && item.may_restart && !item.expired);
    let Extracted::Item(item) = extract(&document, Sha256([3; 32]), &|_| None) else {
        panic!("is an item")
    };
    assert_eq!((item.classification, item.products, item.company), (None, Vec::new(), None));
}

#[test]
fn files_of_differences_are_no_files_of_an_item() {
    let update = UpdateRef { id: UpdateId(Uuid::from_u128(1)), revision: 1 };
    let mut document = Document::new(update, UpdateKind::Software, "Editor 2");
    let file = |number: u8| ItemFile {
        name: format!("{number}.cab"),
        size: 1,
        sha1: model::Sha1([number; 20]),
        sha256: None,
    };
    document.files = vec![file(1), file(2)];
    document.express = vec![file(1).sha1];
    let read = Document::parse(document.to_xml().as_bytes()).expect("sound");
    assert_eq!(read, document);
    let Extracted::Item(item) = extract(&read, Sha256([3; 32]), &|_| None) else {
        panic!("is an item")
    };
    assert_eq!(item.files, [file(2)]);
}

#[test]
fn an_item_knows_whether_somebody_has_to_accept_a_license() {
    let update = UpdateRef { id: UpdateId(Uuid::from_u128(1)), revision: 1 };
    let plain = Document::new(update, UpdateKind::Software, "Editor 2").to_xml();
    let end = "</upd:LocalizedPropertiesCollection>";
    let named = plain.replace(end, &format!("<upd:EulaFile/>{end}"));
    assert_ne!(named, plain);
    for (xml, expected) in [(plain, false), (named, true)] {
        let read = Document::parse(xml.as_bytes()).expect("sound");
        let Extracted::Item(item) = extract(&read, Sha256([3; 32]), &|_| None) else {
            panic!("is an item")
        };
        assert_eq!(item.has_license, expected);
    }
}

#[test]
fn categories_are_linked_and_well_known_ones_keep_their_ids() {
    let product = categories::product("Acme", "Editor");
    let Extracted::Category(category) = extract(&product, Sha256([0; 32]), &|_| None) else {
        panic!("is a category")
    };
    assert_eq!(category.parent, Some(categories::company("Acme").update.id));
    assert_eq!((category.kind, category.title()), (CategoryKind::Product, "Editor"));
    let known = categories::classification("Updates").update.id.to_string();
    assert_eq!(known, "cd5ffd1e-e932-4e3a-bf74-18bf0b1bbd83");
    let own = categories::classification("Hotfixes").update.id.to_string();
    assert_eq!(own, "db2de1f8-14e6-5186-b078-c1e61b1b31a6");
}

#[test]
fn a_loop_of_categories_ends() {
    let id = UpdateId(Uuid::from_u128(1));
    let looped = |_| Some(CategoryNode { kind: CategoryKind::Product, parent: Some(id) });
    assert_eq!(company_of(id, &looped), None);
}
