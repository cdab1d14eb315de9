use std::cell::Cell;

use expect_test::expect;
use model::CollectionRule;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn code(text: &str) -> ObjectCode {
    ObjectCode::new(text).expect("a good code")
}

fn update(number: u8) -> UpdateId {
    UpdateId(Uuid::from_u128(number.into()))
}

/// All, and in it two of which each has two inside.
const LIMITING: [(&str, &str); 6] = [
    ("PR100001", ALL_SYSTEMS),
    ("PR100002", ALL_SYSTEMS),
    ("PR100011", "PR100001"),
    ("PR100012", "PR100001"),
    ("PR100021", "PR100002"),
    ("PR100022", "PR100002"),
];

fn collections() -> BTreeMap<ObjectCode, Collection> {
    let collection = |(of, limiting): (&str, &str)| {
        let plain = Collection::plain(code(of), of.to_owned(), vec![CollectionRule::All]);
        let collection = Collection { limiting: Some(code(limiting)), ..plain };
        (code(of), collection)
    };
    LIMITING.into_iter().map(collection).collect()
}

fn decide(action: Action) -> Decision {
    let deadline = matches!(action, Action::Required).then_some(Timestamp(5));
    Decision { action, deadline }
}

fn decisions(all: &[(u8, &str, Action)]) -> Decisions {
    let of =
        |(number, of, action): &(u8, &str, Action)| ((update(*number), code(of)), decide(*action));
    Decisions(all.iter().map(of).collect())
}

/// The pairs after `wanted` was written, and what was written.
fn write(pairs: Vec<Pair>, wanted: &Decisions, next: &Cell<u32>) -> (Vec<Pair>, [usize; 3]) {
    let all = collections();
    let changes = wanted.changes(&Tree::new(&all), pairs.clone());
    let written = [changes.made.len(), changes.changed.len(), changes.deleted.len()];
    let mut after = pairs;
    after.retain(|pair| !changes.deleted.contains(pair));
    for group in changes.changed {
        let pair = after.iter_mut().find(|pair| pair.group.code == group.code);
        pair.expect("it stays").group = group;
    }
    for made in changes.made {
        let number = next.replace(next.get() + 1);
        let ids = (code(&format!("PR1{number:05X}")), DeploymentId(Uuid::from_u128(number.into())));
        after.push(pair(made, ids, Timestamp(1)));
    }
    (after, written)
}

fn show(pairs: &[Pair]) -> String {
    let line = |Pair { group, deployment }: &Pair| {
        let Deployment { collection, except, .. } = deployment;
        let except = except.iter().map(ObjectCode::as_str).collect::<Vec<_>>().join(" ");
        let updates = group.updates.iter().map(|id| id.0.as_u128().to_string());
        let updates = updates.collect::<Vec<_>>().join(" ");
        let action = decision_of(deployment).action.as_str();
        format!("{action} {updates} for {collection} but [{except}]\n")
    };
    pairs.iter().map(line).collect()
}

#[test]
fn a_collection_inherits_unless_it_decides() {
    let wanted = decisions(&[
        (1, ALL_SYSTEMS, Action::Required),
        (2, ALL_SYSTEMS, Action::Required),
        (1, "PR100001", Action::NotApplicable),
        (1, "PR100011", Action::Available),
        (1, "PR100021", Action::Uninstall),
    ]);
    let (pairs, _) = write(Vec::new(), &wanted, &Cell::new(1));
    expect![[r#"
        available 1 for PR100011 but []
        not_applicable 1 for PR100001 but []
        required 1 for SMS00001 but [PR100001 PR100011 PR100021]
        required 2 for SMS00001 but []
        uninstall 1 for PR100021 but [PR100011]
    "#]]
    .assert_eq(&sorted(&show(&pairs)));
    assert_eq!(Decisions::read(&pairs), wanted);
    let all = collections();
    let holds = |of: &str| {
        let found = wanted.effective(&Tree::new(&all), update(1), &code(of));
        found.map(|(from, decision)| format!("{} from {from}", decision.action.as_str()))
    };
    let told = ["SMS00001", "PR100002", "PR100012", "PR100011", "PR100022"].map(holds);
    expect![[r#"
        required from SMS00001
        required from SMS00001
        not_applicable from PR100001
        available from PR100011
        required from SMS00001"#]]
    .assert_eq(&told.map(Option::unwrap_or_default).join("\n"));
}

fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    lines.sort_unstable();
    lines.concat()
}

#[test]
fn what_is_said_already_stays() {
    let next = Cell::new(1);
    let mut wanted =
        decisions(&[(1, "PR100001", Action::Required), (2, "PR100001", Action::Required)]);
    let (pairs, _) = write(Vec::new(), &wanted, &next);
    let (pairs, written) = write(pairs, &wanted, &next);
    assert_eq!(written, [0, 0, 0]);
    wanted.0.insert((update(3), code("PR100001")), decide(Action::Required));
    let (pairs, written) = write(pairs, &wanted, &next);
    assert_eq!((written, pairs.len()), ([0, 1, 0], 1), "the pair is filled up");
    wanted.0.clear();
    let (pairs, written) = write(pairs, &wanted, &next);
    assert_eq!((written, pairs.len()), ([0, 0, 1], 0));
}

#[test]
fn a_pair_has_no_more_than_a_deployment_may() {
    let many = (0..2_500u128).map(|number| {
        let update = UpdateId(Uuid::from_u128(number));
        ((update, code("PR100001")), decide(Action::Available))
    });
    let (pairs, _) = write(Vec::new(), &Decisions(many.collect()), &Cell::new(1));
    let sizes: Vec<usize> = pairs.iter().map(|pair| pair.group.updates.len()).collect();
    assert_eq!(sizes, [1_000, 1_000, 500]);
}

#[test]
fn every_decision_reads_back() {
    for action in Action::ALL {
        for deadline in [None, Some(Timestamp(9))] {
            let decision = Decision { action, deadline };
            let wanted = Decisions(BTreeMap::from([((update(1), code("PR100001")), decision)]));
            let (pairs, _) = write(Vec::new(), &wanted, &Cell::new(1));
            if action == Action::Available && deadline.is_some() {
                continue;
            }
            assert_eq!(Decisions::read(&pairs), wanted, "{decision:?}");
        }
    }
}

/// Slow and plain: what client `client` shall do with an update.
fn reference(decisions: &Decisions, update: UpdateId, client: u8) -> BTreeSet<Action> {
    let all = collections();
    let tree = Tree::new(&all);
    let of_update = decisions.0.iter().filter(|((id, _), _)| *id == update);
    let own: Vec<_> = of_update
        .filter(|((_, code), _)| is_member(code, client))
        .map(|((_, code), decision)| (code, decision.action))
        .collect();
    let is_overridden =
        |code: &ObjectCode| own.iter().any(|(other, _)| tree.around(other).contains(code));
    let is_rival =
        |code: &ObjectCode, other: &ObjectCode| other != code && !tree.around(code).contains(other);
    own.iter()
        .filter(|(code, _)| !is_overridden(code))
        .filter(|(code, action)| {
            *action != Action::Uninstall
                || !own.iter().any(|(other, rival)| rival.installs() && is_rival(code, other))
        })
        .map(|(_, action)| *action)
        .filter(|action| *action != Action::NotApplicable)
        .collect()
}

/// Client `n` is in the collections whose bit it has, and in those around them.
fn is_member(of: &ObjectCode, client: u8) -> bool {
    let (all, bit) = (collections(), |code: &ObjectCode| {
        LIMITING.iter().position(|(name, _)| *name == code.as_str())
    });
    let tree = Tree::new(&all);
    of.as_str() == ALL_SYSTEMS
        || all.keys().any(|inner| {
            let has = bit(inner).is_some_and(|bit| client & (1 << bit) != 0);
            has && (inner == of || tree.around(inner).contains(of))
        })
}

/// What the pairs tell client `client`.
fn told(pairs: &[Pair], update: UpdateId, client: u8) -> BTreeSet<Action> {
    let acts = |Pair { group, deployment }: &&Pair| {
        deployment.enabled
            && group.updates.contains(&update)
            && is_member(&deployment.collection, client)
            && !deployment.except.iter().any(|code| is_member(code, client))
    };
    pairs.iter().filter(acts).map(|pair| decision_of(&pair.deployment).action).collect()
}

fn any_decisions() -> impl Strategy<Value = Decisions> {
    let codes: Vec<&str> = LIMITING.iter().map(|(code, _)| *code).chain([ALL_SYSTEMS]).collect();
    let one = (1u8..4, proptest::sample::select(codes), proptest::sample::select(&Action::ALL[..]));
    proptest::collection::vec(one, 0..12).prop_map(|all| decisions(&all))
}

proptest! {
    /// The groups and deployments mean what the decisions mean, whatever was decided before, and
    /// nobody is told to install and to uninstall the same.
    #[test]
    fn pairs_say_what_was_decided(before in any_decisions(), after in any_decisions()) {
        let next = Cell::new(1);
        let (pairs, _) = write(Vec::new(), &before, &next);
        let (pairs, _) = write(pairs, &after, &next);
        prop_assert_eq!(&Decisions::read(&pairs), &after);
        let (pairs, written) = write(pairs, &after, &next);
        prop_assert_eq!(written, [0, 0, 0]);
        for (number, client) in (1..4).flat_map(|n| (0..64).map(move |client| (n, client))) {
            let told = told(&pairs, update(number), client);
            prop_assert_eq!(&told, &reference(&after, update(number), client));
            prop_assert!(
                !told.contains(&Action::Uninstall) || !told.iter().any(|action| action.installs())
            );
        }
    }
}
