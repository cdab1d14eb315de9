use uuid::Uuid;

use super::*;

#[test]
fn ranges_leave_nothing_out() {
    let id = |number: u128| UpdateId(Uuid::from_u128(number));
    let ruling = |number| CatalogRuling { update: id(number), is_declined: true, dropped: None };
    let check = |count: u128, expected: &[(Option<u128>, Option<u128>, usize)]| {
        let all: Vec<_> = (1..=count).map(ruling).collect();
        let number = |id: Option<UpdateId>| id.map(|id| id.0.as_u128());
        let found: Vec<_> = ranges(&all, 2)
            .into_iter()
            .map(|range| (number(range.from), number(range.to), range.rulings.len()))
            .collect();
        assert_eq!(found, expected);
    };
    check(0, &[(None, None, 0)]);
    check(2, &[(None, None, 2)]);
    check(3, &[(None, Some(3), 2), (Some(3), None, 1)]);
    check(5, &[(None, Some(3), 2), (Some(3), Some(5), 2), (Some(5), None, 1)]);
}
