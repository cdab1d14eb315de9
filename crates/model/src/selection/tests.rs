use uuid::Uuid;

use super::*;
use crate::{LocalizedText, UpdateRef};

fn id(number: u32) -> UpdateId {
    UpdateId(Uuid::from_u128(number.into()))
}

fn category(number: u32, kind: CategoryKind, parent: Option<u32>) -> Category {
    let title = format!("{} {number}", kind.as_str());
    Category {
        update: UpdateRef { id: id(number), revision: 1 },
        kind,
        parent: parent.map(id),
        texts: vec![LocalizedText { language: "en".to_owned(), title, ..Default::default() }],
        subscribed: false,
        since: 0,
    }
}

/// A company with a family of two products and a product of its own, and a classification.
fn tree(subscribed: &[u32]) -> CategoryTree {
    use CategoryKind::{Classification, Company, Product, ProductFamily};
    let all = [
        category(1, Company, None),
        category(2, ProductFamily, Some(1)),
        category(3, Product, Some(2)),
        category(4, Product, Some(2)),
        category(5, Product, Some(1)),
        category(6, Classification, None),
    ];
    let chosen =
        |c: Category| Category { subscribed: subscribed.contains(&number(c.update.id)), ..c };
    all.into_iter().map(chosen).collect()
}

fn number(id: UpdateId) -> u32 {
    u32::try_from(id.0.as_u128()).expect("small numbers")
}

fn selection(subscribed: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let numbers = |ids: Vec<UpdateId>| ids.into_iter().map(number).collect();
    let (products, classifications) = tree(subscribed).selection();
    (numbers(products), numbers(classifications))
}

#[test]
fn a_family_selects_its_products_and_a_company_all_of_its_own() {
    assert_eq!(selection(&[]), (vec![], vec![]));
    assert_eq!(selection(&[3, 6]), (vec![3], vec![6]));
    assert_eq!(selection(&[2]), (vec![2, 3, 4], vec![]));
    assert_eq!(selection(&[1]), (vec![2, 3, 4, 5], vec![]));
    assert_eq!(tree(&[]).path(id(3)), "company 1 > family 2 > product 3");
    let by = |subscribed: &[u32]| tree(subscribed).selected_by(id(3)).map(|c| number(c.update.id));
    assert_eq!([by(&[]), by(&[1]), by(&[1, 2]), by(&[1, 2, 3])], [None, Some(1), Some(2), Some(3)]);
}

#[test]
fn circles_and_parents_that_are_not_here_end_the_way() {
    let mut product = category(1, CategoryKind::Product, Some(2));
    product.subscribed = true;
    let circle = [product.clone(), category(2, CategoryKind::ProductFamily, Some(1))];
    let tree: CategoryTree = circle.into_iter().collect();
    assert_eq!(tree.way_up(id(1)).len(), 2);
    assert!(tree.is_selected(id(2)), "a circle is one");
    let lone: CategoryTree = [product].into_iter().collect();
    assert_eq!(lone.path(id(1)), "product 1");
    assert_eq!(lone.path(id(7)), "");
}
