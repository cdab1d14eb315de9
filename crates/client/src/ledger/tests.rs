use expect_test::expect;
use model::ComplianceState::{self, Installed, Required};
use model::EnforcementState::{self, Downloaded};
use model::{AssignmentCompliance, AssignmentEvaluation, DeploymentId, DeploymentState};

use super::*;
use crate::testing::{NOW, update_id};

fn held(
    number: u128,
    state: ComplianceState,
    enforcement: Option<(EnforcementState, i32)>,
) -> (UpdateId, Held) {
    (update_id(number), Held { revision: 1, state: UpdateState { state, enforcement } })
}

const CLIENT: ClientId = ClientId(Uuid::from_u128(0xc));

fn record(serial: u64) -> Record {
    Record {
        incarnation: 7,
        serial,
        covered: 3,
        scanned_at: NOW,
        scan_error: None,
        scan: None,
        updates: 0,
        catalog: None,
    }
}

fn knows(states: &States) -> Knowledge {
    Knowledge { states: states.clone(), ..Knowledge::default() }
}

#[test]
fn only_what_changed_is_said() {
    let said = States::from([
        held(1, Required, None),
        held(2, Required, Some((Downloaded, 0))),
        held(3, Installed, None),
    ]);
    let holds = States::from([
        held(1, Required, None),
        held(2, Installed, None),
        held(4, ComplianceState::Unknown, None),
    ]);
    let changes = changes(&said, &holds, NOW);
    let line = |c: &StateChange| {
        format!(
            "{} {} {:?}\n",
            c.update.id.0.as_u128(),
            c.state.state.as_str(),
            c.state.enforcement
        )
    };
    expect![[r#"
        3 not_required None
        2 installed None
        4 unknown None
    "#]]
    .assert_eq(&changes.iter().map(line).collect::<String>());
}

#[test]
fn every_report_takes_serials_and_tells_the_digest_of_the_whole() {
    let count = REPORT_CHANGES_MAX as u128 + 2;
    let holds: States = (1..=count).map(|n| held(n, Required, None)).collect();
    let all =
        reports(CLIENT, &record(5), Extent::Everything, &Knowledge::default(), &knows(&holds), NOW);
    let shape: Vec<_> = all.iter().map(|r| (r.serial_from, r.serial_to, r.full)).collect();
    expect!["[(6, 20005, true), (20006, 20007, false)]"].assert_eq(&format!("{shape:?}"));
    let digest_of = |states: &States| state_digest(states.keys().map(|id| (*id, Required)));
    assert_eq!(all[1].digest_after, digest_of(&holds));

    let nothing = reports(CLIENT, &record(9), Extent::Changes, &knows(&holds), &knows(&holds), NOW);
    let [only] = &nothing[..] else { panic!("{nothing:?}") };
    assert_eq!((only.serial_from, only.serial_to, only.changes.len()), (10, 10, 0));
    assert_eq!(only.digest_after, digest_of(&holds));
}

#[test]
fn what_is_not_required_is_no_part_of_the_digest() {
    let states = [held(1, Required, None), held(2, ComplianceState::NotRequired, None)];
    let holds = States::from(states);
    let report =
        reports(CLIENT, &record(0), Extent::Everything, &Knowledge::default(), &knows(&holds), NOW);
    assert_eq!(report[0].digest_after, state_digest([(update_id(1), Required)]));
}

#[test]
fn deployments_are_said_in_the_same_reports() {
    let state = DeploymentState {
        compliance: AssignmentCompliance::Compliant,
        enforcement: None,
        evaluation: AssignmentEvaluation::Succeeded,
        code: 0,
        at: NOW,
    };
    let id = |number| DeploymentId(Uuid::from_u128(number));
    let count = REPORT_DEPLOYMENTS_MAX as u128 + 1;
    let deployments: Deployments = (1..=count).map(|number| (id(number), state)).collect();
    let states = States::from([held(1, Required, None)]);
    let holds = Knowledge { states, deployments };
    let nothing = Knowledge::default();
    let all = reports(CLIENT, &record(0), Extent::Everything, &nothing, &holds, NOW);
    let shape = |r: &StateReport| (r.serial_from, r.serial_to, r.full, r.changes.len());
    let shapes: Vec<_> = all.iter().map(shape).collect();
    assert_eq!(shapes, [(1, 1_001, true, 1), (1_002, 1_002, false, 0)]);
    assert_eq!(all[1].deployments_digest, deployment_digest(holds.deployments.clone()));
    let mut fewer = holds.clone();
    fewer.deployments.remove(&id(1));
    let less = reports(CLIENT, &record(9), Extent::Changes, &holds, &fewer, NOW);
    assert_eq!(less[0].deployments, [DeploymentChange { deployment: id(1), state: None }]);
    assert_eq!(less[0].digest_after, all[1].digest_after);
}
