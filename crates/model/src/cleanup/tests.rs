use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn id(number: u8) -> UpdateId {
    UpdateId(Uuid::from_u128(number.into()))
}

fn update(number: u8, expired_at: Option<i64>, parts: &[u8]) -> Cleanable {
    let parts = parts.iter().copied().map(id).collect();
    let (expired_at, prerequisites) = (expired_at.map(Timestamp), Vec::new());
    Cleanable { id: id(number), expired_at, is_part: false, parts, prerequisites }
}

fn after(update: Cleanable, prerequisites: &[u8]) -> Cleanable {
    let prerequisites = prerequisites.iter().copied().map(id).collect();
    Cleanable { prerequisites, ..update }
}

fn part(number: u8) -> Cleanable {
    Cleanable { is_part: true, ..update(number, None, &[]) }
}

fn check(all: &[Cleanable], assigned: &[u8], expected: &[u8]) {
    let assigned = assigned.iter().copied().map(id).collect();
    let expected: Vec<_> = expected.iter().copied().map(id).collect();
    assert_eq!(deletable(all, &assigned, Timestamp(10)), expected);
}

#[test]
fn what_expired_long_ago_and_is_in_no_use_can_go() {
    let all = [update(1, Some(9), &[]), update(2, Some(10), &[]), update(3, None, &[])];
    check(&all, &[], &[1]);
    check(&all, &[1], &[]);
    check(&all, &[2, 77], &[1]);
}

#[test]
fn parts_stay_with_what_stays_and_go_with_what_goes() {
    let expired_part = Cleanable { expired_at: Some(Timestamp(1)), ..part(3) };
    check(&[update(1, Some(1), &[2]), part(2)], &[], &[2, 1]);
    check(&[update(1, Some(1), &[2]), part(2)], &[1], &[]);
    check(&[update(1, Some(1), &[2]), part(2)], &[2], &[1]);
    check(&[update(1, None, &[3]), expired_part.clone()], &[], &[]);
    check(&[update(1, Some(1), &[3]), update(2, None, &[3]), expired_part], &[], &[1]);
    // A part that nothing here bundles waits for its bundle.
    check(&[part(2)], &[], &[]);
    // A bundle of bundles, and one in a circle.
    let inner = Cleanable { is_part: true, ..update(2, None, &[3]) };
    check(&[update(1, Some(1), &[2]), inner.clone(), part(3)], &[], &[3, 2, 1]);
    check(&[update(1, None, &[2]), inner, part(3)], &[], &[]);
    check(&[update(1, Some(1), &[1])], &[], &[1]);
    let knot = Cleanable { is_part: true, ..update(2, None, &[2]) };
    check(&[knot], &[], &[]);
}

/// Symptom: after an expired servicing stack was cleaned up, every update that names it as a
/// prerequisite was unknown everywhere. Cause: only bundles were looked at. Repair: what anything
/// that stays needs stays, too.
#[test]
fn what_another_update_needs_stays_as_long_as_that_one() {
    let stack = update(1, Some(1), &[4]);
    check(&[stack.clone(), after(update(2, None, &[]), &[1, 99]), part(4)], &[], &[]);
    check(&[stack.clone(), after(update(2, Some(1), &[]), &[1]), part(4)], &[], &[4, 1, 2]);
    check(&[stack.clone(), after(update(2, Some(1), &[]), &[1]), part(4)], &[2], &[]);
    // By way of another one, of a part, and in a circle.
    let between = after(update(3, Some(1), &[]), &[1]);
    check(&[stack.clone(), after(update(2, None, &[]), &[3]), between, part(4)], &[], &[]);
    check(&[stack.clone(), update(2, None, &[5]), after(part(5), &[1]), part(4)], &[], &[]);
    check(&[after(stack, &[1]), part(4)], &[], &[4, 1]);
}

prop_compose! {
    fn world()(
        rows in prop::collection::vec(
            (
                prop::option::of(0..20_i64), any::<bool>(),
                prop::collection::vec(0..30_u8, 0..3), prop::collection::vec(0..30_u8, 0..2),
            ),
            0..30,
        ),
        assigned in prop::collection::btree_set(0..30_u8, 0..6),
    ) -> (Vec<Cleanable>, BTreeSet<UpdateId>) {
        let number = |number: usize| u8::try_from(number).expect("below thirty");
        let rows = rows.into_iter().enumerate();
        let all = rows.map(|(at, (expired_at, is_part, parts, needs))| {
            Cleanable { is_part, ..after(update(number(at), expired_at, &parts), &needs) }
        });
        let all = all.collect();
        (all, assigned.into_iter().map(id).collect())
    }
}

proptest! {
    #[test]
    fn nothing_in_use_goes_and_an_interrupted_run_goes_on(
        (all, assigned) in world(), cut in 0..30_usize,
    ) {
        let gone = deletable(&all, &assigned, Timestamp(10));
        let set: BTreeSet<_> = gone.iter().copied().collect();
        prop_assert!(set.is_disjoint(&assigned));
        let is_old = |u: &Cleanable| u.expired_at.is_some_and(|at| at < Timestamp(10));
        for update in &all {
            let is_gone = set.contains(&update.id);
            let mut needed = update.parts.iter().chain(&update.prerequisites);
            prop_assert!(is_gone || needed.all(|id| !set.contains(id)));
            prop_assert!(!is_gone || update.is_part || is_old(update));
        }
        let (done, rest) = gone.split_at(cut.min(gone.len()));
        let left: Vec<_> = all.into_iter().filter(|u| !done.contains(&u.id)).collect();
        let mut again = deletable(&left, &assigned, Timestamp(10));
        let mut rest = rest.to_vec();
        again.sort_unstable();
        rest.sort_unstable();
        prop_assert_eq!(again, rest);
    }
}
