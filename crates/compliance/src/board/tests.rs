use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::tests::{client, deployment, empty, vectors};
use crate::{Bucket, client_counts, state_of};

const CLIENTS: u32 = 8;
const ITEMS: u32 = 6;

/// The truth: clients, with their vectors if they have reported.
type Truth = BTreeMap<ClientId, Option<Vector>>;

fn items() -> Vec<LiveItem> {
    (0..ITEMS).map(|number| LiveItem { number, since: u64::from(number) + 2 }).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Enroll(u32),
    Remove(u32),
    Report(Box<Vector>),
    Lose(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let report = (0..CLIENTS).prop_flat_map(|number| vectors(number, ITEMS));
    let step = prop_oneof![
        1 => (0..CLIENTS).prop_map(Step::Enroll),
        1 => (0..CLIENTS).prop_map(Step::Remove),
        1 => (0..CLIENTS).prop_map(Step::Lose),
        6 => report.prop_map(|vector| Step::Report(Box::new(vector))),
    ];
    prop::collection::vec(step, 0..40)
}

fn run(steps: Vec<Step>) -> (Board, Truth) {
    let (mut board, mut truth) = (Board::default(), Truth::new());
    for step in steps {
        match step {
            Step::Enroll(number) => {
                board.enroll(client(number));
                truth.entry(client(number)).or_default();
            }
            Step::Remove(number) => {
                board.remove(client(number));
                truth.remove(&client(number));
            }
            Step::Report(vector) => {
                let old = truth.get(&vector.client).and_then(Option::as_ref);
                board.apply(vector.client, old, Some(&vector));
                truth.insert(vector.client, Some(*vector));
            }
            Step::Lose(number) => {
                let old = truth.insert(client(number), None).flatten();
                board.apply(client(number), old.as_ref(), None);
            }
        }
    }
    (board, truth)
}

proptest! {
    #[test]
    fn a_board_that_followed_equals_one_made_anew(steps in steps()) {
        let (board, truth) = run(steps);
        let vectors = || truth.values().flatten().cloned();
        prop_assert_eq!(board.differences(vectors()), []);
        let anew = Board::rebuild(truth.keys().copied(), vectors());
        prop_assert_eq!(anew.roster().all().len(), truth.len() as u64);
        for item in items() {
            prop_assert_eq!(board.update_counts(item), anew.update_counts(item));
        }
    }

    #[test]
    fn the_board_counts_what_the_vectors_say(
        steps in steps(),
        chosen in prop::sample::subsequence(items(), 0..=ITEMS as usize),
        targets in prop::sample::subsequence((0..CLIENTS).collect::<Vec<_>>(), 0..=CLIENTS as usize),
    ) {
        let (board, truth) = run(steps);
        for item in items() {
            let mut sum = StateCounts::default();
            for vector in truth.values() {
                let one = client_counts(vector.as_ref(), [item]);
                sum.required += one.required;
                sum.installed += one.installed;
                sum.not_required += one.not_required;
                sum.unknown += one.unknown;
            }
            prop_assert_eq!(board.update_counts(item), sum);
            use ComplianceState::{Installed, NotRequired, Required, Unknown};
            for state in [Required, Installed, NotRequired, Unknown] {
                let listed: BTreeSet<ClientId> =
                    board.roster().clients(&board.clients_in_state(item, state)).collect();
                let is_in = |vector: &Option<Vector>| state_of(vector.as_ref(), item).0 == state;
                let truly = truth.iter().filter(|(_, vector)| is_in(vector));
                prop_assert_eq!(listed, truly.map(|(client, _)| *client).collect());
            }
            let reasons = truth.values().filter_map(|vector| state_of(vector.as_ref(), item).1);
            let mut truly: BTreeMap<UnknownReason, u64> = BTreeMap::new();
            reasons.for_each(|reason| *truly.entry(reason).or_default() += 1);
            let counted = board.unknown_by_reason(item);
            let counted = counted.into_iter().map(|(reason, clients)| (reason, clients.len()));
            prop_assert_eq!(counted.collect::<BTreeMap<_, _>>(), truly);
        }
        let targets = board.roster().set_of(targets.into_iter().map(client));
        let sets = board.deployment_sets(&chosen, &targets);
        prop_assert_eq!(sets.counts().targeted, targets.len());
        let buckets = [
            (&sets.compliant, Bucket::Success),
            (&sets.in_progress, Bucket::InProgress),
            (&sets.failed, Bucket::Error),
            (&sets.unknown, Bucket::Unknown),
        ];
        for (set, bucket) in buckets {
            for client in board.roster().clients(set) {
                prop_assert_eq!(Bucket::of_target(truth[&client].as_ref(), &chosen), bucket);
            }
        }
        let mut steps: BTreeMap<Option<EnforcementState>, u64> = BTreeMap::new();
        let mut said: BTreeMap<DeploymentMark, u64> = BTreeMap::new();
        for client in board.roster().clients(&targets) {
            let Some(vector) = &truth[&client] else { continue };
            for item in chosen.iter().filter(|item| vector.required.contains(&item.number)) {
                let detail = vector.detail.iter().find(|detail| detail.item == item.number);
                *steps.entry(detail.map(|detail| detail.state)).or_default() += 1;
            }
            for (_, state) in vector.deployments.iter().filter(|(id, _)| *id == deployment(1)) {
                let enforcement = state.enforcement.map(DeploymentMark::Enforcement);
                let marks = [
                    DeploymentMark::Compliance(state.compliance),
                    DeploymentMark::Evaluation(state.evaluation),
                ];
                for mark in marks.into_iter().chain(enforcement) {
                    *said.entry(mark).or_default() += 1;
                }
            }
        }
        prop_assert_eq!(board.steps(&chosen, &targets), steps);
        prop_assert_eq!(board.deployment_marks(deployment(1), &targets), said);
    }
}

#[test]
fn a_slot_is_given_again_without_its_past() {
    let mut board = Board::default();
    let needy = Vector { required: vec![1], ..empty(1) };
    board.apply(client(1), None, Some(&needy));
    board.remove(client(1));
    board.enroll(client(2));
    let item = LiveItem { number: 1, since: 1 };
    assert_eq!(board.update_counts(item), StateCounts { unknown: 1, ..StateCounts::default() });
    assert_eq!(board.roster().clients(board.roster().all()).collect::<Vec<_>>(), [client(2)]);
}

#[test]
fn a_board_that_drifted_is_found_out() {
    let (told, stored) = (Vector { required: vec![1], ..empty(1) }, empty(1));
    let mut board = Board::default();
    board.apply(client(1), None, Some(&told));
    let other = Vector { covered: 6, ..empty(2) };
    assert_eq!(
        board.differences([stored, other]),
        [Difference::Client(client(2)), Difference::Item(1), Difference::Covered(6)]
    );
}
