use uuid::Uuid;

use super::*;

fn id(number: u32) -> UpdateId {
    UpdateId(Uuid::from_u128(u128::from(number)))
}

/// Update n was created at n; each pair is an update and one that it supersedes.
fn found(updates: u32, pairs: &[(u32, u32)]) -> Vec<(u32, i64)> {
    let update = |number| Superseding {
        id: id(number),
        created_at: Timestamp(i64::from(number)),
        supersedes: pairs.iter().filter(|(by, _)| *by == number).map(|(_, of)| id(*of)).collect(),
    };
    let updates: Vec<Superseding> = (0..updates).map(update).collect();
    let superseded = superseded(&updates);
    let number = |id: &UpdateId| u32::try_from(id.0.as_u128()).expect("small numbers");
    superseded.iter().map(|(id, since)| (number(id), since.0)).collect()
}

#[test]
fn a_chain_has_one_current_update() {
    let chain: Vec<_> = (1..100).map(|number| (number, number - 1)).collect();
    let expected: Vec<_> = (0..99).map(|number| (number, i64::from(number) + 1)).collect();
    assert_eq!(found(100, &chain), expected);
}

#[test]
fn what_counts_is_another_update_that_is_here() {
    assert_eq!(found(3, &[]), []);
    assert_eq!(found(3, &[(1, 1)]), [], "itself");
    assert_eq!(found(3, &[(1, 77)]), [], "an id that is not here");
    assert_eq!(found(78, &[(1, 77)]), [(77, 1)], "the same id once it has arrived");
    assert_eq!(found(5, &[(4, 0), (2, 0), (3, 0)]), [(0, 2)], "the first one");
    assert_eq!(found(5, &[(4, 3), (3, 0), (0, 1)]), [(0, 3), (1, 0), (3, 4)], "by whatever way");
}

#[test]
fn a_circle_is_superseded_from_outside_only() {
    let circle = [(0, 1), (1, 2), (2, 0)];
    assert_eq!(found(5, &circle), []);
    assert_eq!(found(5, &[&circle[..], &[(2, 3)]].concat()), [(3, 0)]);
    assert_eq!(found(5, &[&circle[..], &[(4, 1)]].concat()), [(0, 4), (1, 4), (2, 4)]);
    let two = [&circle[..], &[(3, 4), (4, 3), (4, 2)]].concat();
    assert_eq!(found(5, &two), [(0, 3), (1, 3), (2, 3)]);
}

#[test]
fn a_chain_may_be_as_long_as_the_catalog() {
    let chain = (0..100_000_u32).map(|number| Superseding {
        id: id(number),
        created_at: Timestamp(0),
        supersedes: vec![id(number + 1)],
    });
    assert_eq!(superseded(&chain.collect::<Vec<_>>()).len(), 99_999);
}

#[test]
fn a_rule_counts_months_from_the_superseding_update() {
    let rule = SupersedenceRule { months: Some(1), feature_months: None };
    let since: Timestamp = "2028-01-31T12:00:00Z".parse().expect("a time");
    let expires = rule.expires(false, since).expect("there is a rule");
    assert_eq!(expires.to_string(), "2028-02-29T12:00:00.000Z");
    assert_eq!(rule.expires(true, since), None);
    let at_once = SupersedenceRule { months: Some(0), ..rule };
    assert_eq!(at_once.expires(false, since), Some(since));
    let far = SupersedenceRule { months: Some(u32::MAX), ..rule };
    assert_eq!(far.expires(false, since), Some(Timestamp(i64::MAX)));
}
