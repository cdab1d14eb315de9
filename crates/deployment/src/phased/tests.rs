use expect_test::expect;
use model::{Notify, ObjectCode};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const HOUR_MS: i64 = 60 * 60 * 1_000;

fn code(text: &str) -> ObjectCode {
    ObjectCode::new(text).expect("a good code")
}

fn phase(number: usize, success: Success, next: Next) -> Phase {
    Phase {
        name: format!("Phase {number}"),
        collection: code(&format!("PR10000{number}")),
        success,
        next,
        gradual_days: 0,
        deadline: Due::Asap,
        started_at: None,
        succeeded_at: None,
        deployment: None,
    }
}

fn phased(phases: Vec<Phase>) -> Phased {
    Phased {
        code: code("PR100099"),
        name: "May".to_owned(),
        description: String::new(),
        group: code("PR100050"),
        phases,
        state: PhasedState::Running,
        pause_above_failed_percent: None,
        template: default_template(),
        created_at: Timestamp(0),
    }
}

fn counts(targeted: u64, compliant: u64, failed: u64) -> Evidence {
    Evidence::Counts(PhaseCounts { targeted, compliant, failed })
}

fn two() -> Phased {
    let next = Next::Automatic { after_days: 1 };
    phased(vec![phase(1, Success::Percent(95), next), phase(2, Success::Count(3), Next::Manual)])
}

/// What happens when it is looked at with this evidence.
fn look(phased: &mut Phased, evidence: Evidence, now: Timestamp) -> Vec<PhaseStep> {
    let steps = plan_phases(phased, evidence, now);
    for step in &steps {
        let made = apply_step(phased, step, (DeploymentId(Uuid::from_u128(1)), now));
        assert_eq!(made.is_some(), matches!(step, PhaseStep::Start(_)));
    }
    steps
}

#[test]
fn phases_follow_one_another_by_what_computers_say() {
    let mut phased = two();
    let mut told = String::new();
    let looks = [
        (0, Evidence::Unknown),
        (1, Evidence::Unknown),
        // Of nobody, no percentage is enough.
        (2, counts(0, 0, 0)),
        (3, counts(100, 94, 0)),
        (4, counts(100, 95, 5)),
        (27, counts(100, 100, 0)),
        (28, counts(100, 10, 0)),
        (29, counts(9, 2, 0)),
        (30, counts(9, 3, 0)),
        (31, counts(9, 0, 9)),
    ];
    for (hour, evidence) in looks {
        let steps = look(&mut phased, evidence, Timestamp(hour * HOUR_MS));
        told.push_str(&format!("{hour}: {steps:?}\n"));
    }
    expect![[r#"
        0: [Start(0)]
        1: []
        2: []
        3: []
        4: [Succeed(0)]
        27: []
        28: [Start(1)]
        29: []
        30: [Succeed(1), Complete]
        31: []
    "#]]
    .assert_eq(&told);
}

#[test]
fn it_pauses_by_itself_when_too_many_fail() {
    let mut phased = Phased { pause_above_failed_percent: Some(10), ..two() };
    look(&mut phased, Evidence::Unknown, Timestamp(0));
    assert_eq!(look(&mut phased, counts(10, 5, 1), Timestamp(1)), []);
    let steps = look(&mut phased, counts(10, 8, 2), Timestamp(2));
    let reason = "phase 1: 2 of 10 computers failed, above 10 %".to_owned();
    assert_eq!(steps, [PhaseStep::Pause(reason)]);
    assert_eq!(look(&mut phased, counts(10, 10, 0), Timestamp(3)), [], "it is paused");
    let mut phased = two();
    look(&mut phased, Evidence::Unknown, Timestamp(0));
    let reason = "phase 1: none of its updates can be deployed any more".to_owned();
    assert_eq!(look(&mut phased, Evidence::NoUpdates, Timestamp(1)), [PhaseStep::Pause(reason)]);
}

#[test]
fn a_phase_deploys_what_the_plan_says() {
    let mut phased = two();
    phased.phases[1].gradual_days = 4;
    phased.phases[1].deadline = Due::After { minutes: 7 * 24 * 60 };
    let now = Timestamp(1_000);
    let made = phase_deployment(&phased, 1, (DeploymentId(Uuid::from_u128(7)), now));
    assert_eq!((made.name.as_str(), &made.group), ("May (phase 2: Phase 2)", &phased.group));
    assert_eq!((made.available_at, made.deadline), (now, Some(Timestamp(1_000 + 11 * DAY_MS))));
    assert_eq!(made.rollout.map(|rollout| (rollout.from, rollout.days)), Some((now, 4)));
    assert_eq!(made.origin, Origin::Phase { plan: phased.code.clone(), number: 2 });
    assert_eq!(made.experience.notify, Notify::All);
    let first = phase_deployment(&phased, 0, (made.id, now));
    assert_eq!((first.deadline, first.rollout), (Some(now), None));
}

#[test]
fn a_pause_stops_growth_and_a_resume_goes_on_from_there() {
    let mut phased = two();
    phased.phases[0].gradual_days = 4;
    let id = DeploymentId(Uuid::from_u128(7));
    let made = phase_deployment(&phased, 0, (id, Timestamp(0)));
    assert_eq!(resume_rollout(&made, Timestamp(5)), None);
    let stopped = stop_rollout(&made, Timestamp(DAY_MS)).expect("it grows");
    assert_eq!(stop_rollout(&stopped, Timestamp(2 * DAY_MS)), None);
    let resumed = resume_rollout(&stopped, Timestamp(10 * DAY_MS)).expect("it was stopped");
    let rollout = Rollout { from: Timestamp(9 * DAY_MS), days: 4, stopped_at: None };
    assert_eq!(resumed.rollout, Some(rollout));
    let deadlines = (made.deadline, resumed.deadline);
    assert_eq!(deadlines, (Some(Timestamp(0)), Some(Timestamp(9 * DAY_MS))), "with the growth");
    assert_eq!(stop_rollout(&made, Timestamp(4 * DAY_MS)), None, "everybody has it");
}

fn any_phase(number: usize) -> impl Strategy<Value = Phase> {
    let success =
        prop_oneof![(1u8..=100).prop_map(Success::Percent), (1u32..20).prop_map(Success::Count),];
    let next = prop_oneof![
        3 => (0u16..4).prop_map(|after_days| Next::Automatic { after_days }),
        1 => Just(Next::Manual),
    ];
    (success, next).prop_map(move |(success, next)| phase(number, success, next))
}

fn any_phased() -> impl Strategy<Value = Phased> {
    let phases = (1usize..6).prop_flat_map(|count| (1..=count).map(any_phase).collect::<Vec<_>>());
    let limit = proptest::option::of(0u8..100);
    (phases, limit).prop_map(|(phases, pause_above_failed_percent)| Phased {
        pause_above_failed_percent,
        ..phased(phases)
    })
}

fn any_evidence() -> impl Strategy<Value = Evidence> {
    prop_oneof![
        1 => Just(Evidence::Unknown),
        6 => (0u64..20, 0u64..20, 0u64..20)
            .prop_map(|(targeted, compliant, failed)| counts(
                targeted,
                compliant.min(targeted),
                failed.min(targeted - compliant.min(targeted)),
            )),
    ]
}

proptest! {
    /// However its computers behave: no phase is skipped, none starts before the one before
    /// succeeded and its days are over, nor while it is paused, nor by itself if it is by hand.
    #[test]
    fn no_phase_starts_out_of_turn(
        mut phased in any_phased(),
        looks in proptest::collection::vec((0i64..30, any_evidence()), 0..60),
    ) {
        let mut now = Timestamp(0);
        for (hours, evidence) in looks {
            now = now.plus_ms(hours * HOUR_MS);
            let before = phased.clone();
            let steps = look(&mut phased, evidence, now);
            if before.state != PhasedState::Running {
                prop_assert_eq!(&steps, &vec![]);
            }
            let reached = |at: usize| match evidence {
                Evidence::Counts(counts) => is_reached(before.phases[at].success, counts),
                Evidence::Unknown | Evidence::NoUpdates => false,
            };
            let started = last_started(&before);
            for step in &steps {
                match step {
                    PhaseStep::Start(0) => prop_assert_eq!(started, None),
                    PhaseStep::Start(at) => {
                        prop_assert_eq!(started, Some(at - 1));
                        let earlier = &phased.phases[at - 1];
                        let succeeded = earlier.succeeded_at.expect("it succeeded");
                        let Next::Automatic { after_days } = earlier.next else {
                            return Err(TestCaseError::fail("it starts by hand"));
                        };
                        prop_assert!(now >= succeeded.plus_ms(i64::from(after_days) * DAY_MS));
                    }
                    PhaseStep::Succeed(at) => {
                        prop_assert_eq!(started, Some(*at));
                        prop_assert!(reached(*at));
                    }
                    PhaseStep::Pause(_) => {
                        prop_assert_eq!(steps.len(), 1);
                        prop_assert!(phased.phases == before.phases);
                    }
                    PhaseStep::Complete => {
                        let open = |phase: &Phase| phase.succeeded_at.is_none();
                        prop_assert!(!phased.phases.iter().any(open));
                    }
                }
            }
        }
    }

    /// What was shown before is what happens when all succeed at once.
    #[test]
    fn the_preview_is_what_happens(mut phased in any_phased()) {
        phased.pause_above_failed_percent = None;
        let begin = Timestamp(5 * HOUR_MS);
        let shown = earliest_starts(&phased.phases, begin);
        for hour in 0..24 * 24 {
            let now = begin.plus_ms(hour * HOUR_MS);
            while !look(&mut phased, counts(100, 100, 0), now).is_empty() {}
        }
        let started: Vec<_> = phased.phases.iter().map(|phase| phase.started_at).collect();
        prop_assert_eq!(shown, started);
    }
}
