use model::Detail;
use proptest::prelude::*;

use super::*;
use crate::tests::{client, empty, vectors};
use crate::{client_counts, state_of};

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
    Report(Vector),
    Lose(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let report = (0..CLIENTS).prop_flat_map(|number| vectors(number, ITEMS));
    let step = prop_oneof![
        1 => (0..CLIENTS).prop_map(Step::Enroll),
        1 => (0..CLIENTS).prop_map(Step::Remove),
        1 => (0..CLIENTS).prop_map(Step::Lose),
        6 => report.prop_map(Step::Report),
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
                truth.insert(vector.client, Some(vector));
            }
            Step::Lose(number) => {
                let old = truth.insert(client(number), None).flatten();
                board.apply(client(number), old.as_ref(), None);
            }
        }
    }
    (board, truth)
}

/// The verdict on one client, said with no bitmaps.
fn verdict(vector: Option<&Vector>, items: &[LiveItem]) -> &'static str {
    let has = |state| items.iter().any(|item| state_of(vector, *item).0 == state);
    let failed = |detail: &Detail| {
        detail.state.is_failure() && items.iter().any(|item| item.number == detail.item)
    };
    match vector {
        Some(vector) if vector.detail.iter().any(failed) => "failed",
        _ if has(ComplianceState::Required) => "in progress",
        _ if has(ComplianceState::Unknown) => "unknown",
        _ => "compliant",
    }
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
            let detailed = truth.values().flatten().flat_map(|vector| &vector.detail);
            let marked = |mark| board.clients_marked(item, mark).len();
            let working = marked(Mark::InProgress) + marked(Mark::Failed);
            let detailed = detailed.filter(|detail| detail.item == item.number).count() as u64;
            prop_assert_eq!(working, detailed);
        }
        let targets = board.roster().set_of(targets.into_iter().map(client));
        let sets = board.deployment_sets(&chosen, &targets);
        prop_assert_eq!(sets.counts().targeted, targets.len());
        let named = [
            (&sets.compliant, "compliant"),
            (&sets.in_progress, "in progress"),
            (&sets.failed, "failed"),
            (&sets.unknown, "unknown"),
        ];
        for (set, name) in named {
            for client in board.roster().clients(set) {
                prop_assert_eq!(verdict(truth[&client].as_ref(), &chosen), name);
            }
        }
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
