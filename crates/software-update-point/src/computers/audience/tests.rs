use model::{AssignedUpdate, DeploymentId, UpdateRef};
use proptest::prelude::*;

use super::*;

fn id(number: u128) -> UpdateId {
    UpdateId(Uuid::from_u128(number))
}

fn arrived(intent: Intent, deadline: Option<i64>, updates: &[u128]) -> Arrived {
    let assigned = |number: &u128| AssignedUpdate {
        update: UpdateRef { id: id(*number), revision: 1 },
        document: Sha256([0; 32]),
        files: Vec::new(),
        max_run_minutes: 60,
    };
    let assignment = Assignment {
        deployment: DeploymentId(Uuid::from_u128(7)),
        name: String::new(),
        intent,
        available_at: Timestamp(10),
        deadline: deadline.map(Timestamp),
        basis: model::TimeBasis::Utc,
        experience: model::Experience::default(),
        download: model::Download::default(),
        detail: model::DetailLevel::All,
        wakes: false,
        spread_minutes: 0,
        updates: updates.iter().map(assigned).collect(),
    };
    Arrived { assignment, seen_at: Timestamp(20) }
}

fn made(arrived: &[Arrived]) -> Audience {
    let (decisions, _) = decide(arrived, &BTreeSet::new(), Timestamp(50));
    Audience { decisions, ..Audience::default() }
}

#[test]
fn the_strongest_of_several_deployments_counts() {
    use Intent::{Available, Required};
    let audience = made(&[
        arrived(Available, Some(90), &[1, 2]),
        arrived(Required, None, &[2, 3]),
        arrived(Required, Some(80), &[3, 4]),
        arrived(Required, Some(70), &[4]),
    ]);
    let told: Vec<_> = audience.decisions.values().map(|d| (d.intent, d.deadline)).collect();
    let expected = [
        (Available, None),
        (Required, None),
        (Required, Some(Timestamp(80))),
        (Required, Some(Timestamp(70))),
    ];
    assert_eq!(told, expected);
}

#[test]
fn nothing_is_decided_before_its_time_nor_without_files() {
    let assigned = [arrived(Intent::Required, None, &[1, 2])];
    let waiting = BTreeSet::from([id(2)]);
    assert_eq!(decide(&assigned, &waiting, Timestamp(9)), (Decisions::new(), Some(Timestamp(10))));
    let (decisions, next) = decide(&assigned, &waiting, Timestamp(10));
    assert_eq!((decisions.keys().collect::<Vec<_>>(), next), (vec![&id(1)], None));
    assert_eq!(decisions[&id(1)].since, Timestamp(20), "it came here later");
}

#[test]
fn only_what_matters_to_computers_is_a_difference() {
    let before = made(&[arrived(Intent::Required, None, &[1, 2, 3])]);
    let after = made(&[
        Arrived { seen_at: Timestamp(40), ..arrived(Intent::Required, None, &[1]) },
        arrived(Intent::Available, None, &[2]),
        arrived(Intent::Required, None, &[4]),
    ]);
    let expected = BTreeSet::from([id(2), id(3), id(4)]);
    assert_eq!(
        (before.differences(&after), after.differences(&before)),
        (expected.clone(), expected)
    );
    let same = made(&[arrived(Intent::Required, None, &[1])]);
    let later = Arrived { seen_at: Timestamp(40), ..arrived(Intent::Required, None, &[1]) };
    assert_eq!(digest(&same.decisions), digest(&made(&[later]).decisions));
    assert_ne!(digest(&same.decisions), digest(&before.decisions));
}

#[test]
fn what_is_no_set_of_decisions_is_refused() {
    assert!(decode(&[0; DECISION_BYTES - 1]).is_err());
    assert!(decode(&[9; DECISION_BYTES]).is_err(), "there is no intent 9");
}

proptest! {
    #[test]
    fn decisions_come_back_as_they_were_kept(
        kept in proptest::collection::btree_map(
            any::<u128>(), any::<(bool, Option<i64>, i64, u32)>(), 0..20,
        )
    ) {
        let decision = |(update, said): (u128, (bool, Option<i64>, i64, u32))| {
            let (is_offer, deadline, since, number) = said;
            let intent = if is_offer { Intent::Available } else { Intent::Required };
            let deadline = deadline.filter(|at| *at != i64::MIN).map(Timestamp);
            (id(update), Decision { intent, deadline, since: Timestamp(since), number })
        };
        let decisions: Decisions = kept.into_iter().map(decision).collect();
        prop_assert_eq!(decode(&encode(&decisions)).expect("decodes"), decisions);
    }
}
