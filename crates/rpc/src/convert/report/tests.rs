use prost::Message as _;
use uuid::Uuid;

use super::*;

fn report() -> StateReport {
    let deployment = |number| DeploymentId(Uuid::from_u128(number));
    let state = DeploymentState {
        compliance: AssignmentCompliance::NonCompliant,
        enforcement: Some(AssignmentEnforcement::DownloadFailed),
        evaluation: AssignmentEvaluation::Succeeded,
        code: -2_147_012_889,
        at: Timestamp(9),
    };
    StateReport {
        client: ClientId(Uuid::from_u128(1)),
        incarnation: 2,
        serial_from: 3,
        serial_to: 4,
        covered: 5,
        scanned_at: Timestamp(6),
        scan_error: None,
        full: false,
        changes: Vec::new(),
        digest_after: [7; 32],
        deployments: vec![
            DeploymentChange { deployment: deployment(1), state: Some(state) },
            DeploymentChange { deployment: deployment(2), state: None },
        ],
        deployments_digest: [8; 32],
        scan: Some(LastScan {
            state: SourceScan::PendingRetry,
            server: "https://sup.example:8531".to_owned(),
            at: Timestamp(10),
            duration_ms: 11,
            bytes: 12,
            code: -1,
        }),
        refused: Vec::new(),
        given_up: vec![GivenUpVersion {
            version: "1.4.0".to_owned(),
            running: "1.3.0".to_owned(),
            code: -2,
            reason: "it ended by itself too often".to_owned(),
        }],
        set_aside: vec![SetAside {
            what: "the agent's memory".to_owned(),
            reason: "it is no database".to_owned(),
            count: 3,
        }],
    }
}

#[test]
fn deployments_and_the_last_scan_come_through() {
    let said = report();
    assert_eq!(decode_report(&encode_report(&said)), Ok(said));
}

#[test]
fn what_a_newer_client_says_is_refused_by_its_field() {
    let refused = |change: fn(&mut pb::StateReport)| {
        let mut message = pb::StateReport::from(&report());
        change(&mut message);
        decode_report(&message.encode_to_vec()).expect_err("refused").to_string()
    };
    let cases: [fn(&mut pb::StateReport); 12] = [
        |m| m.deployments[0].state.as_mut().expect("a state").compliance = 4,
        |m| m.deployments[0].state.as_mut().expect("a state").enforcement = 13,
        |m| m.deployments[0].state.as_mut().expect("a state").evaluation = 0,
        |m| m.scan.as_mut().expect("a scan").state = 7,
        |m| m.scan.as_mut().expect("a scan").server = "x".repeat(SCAN_SERVER_BYTES_MAX + 1),
        |m| m.deployments[1].deployment.truncate(3),
        |m| m.deployments_digest.clear(),
        |m| m.deployments = vec![m.deployments[1].clone(); REPORT_DEPLOYMENTS_MAX + 1],
        |m| m.given_up = vec![m.given_up[0].clone(); GIVEN_UP_MAX + 1],
        |m| m.given_up[0].running = "x".repeat(GIVEN_UP_TEXT_BYTES_MAX + 1),
        |m| m.set_aside = vec![m.set_aside[0].clone(); SET_ASIDE_MAX + 1],
        |m| m.set_aside[0].reason = "x".repeat(SET_ASIDE_TEXT_BYTES_MAX + 1),
    ];
    let texts: Vec<String> = cases.into_iter().map(refused).collect();
    let expected = [
        "state of topic 300: there is no state 4",
        "state of topic 301: there is no state 13",
        "state of topic 302: there is no state 0",
        "state of topic 501: there is no state 7",
        "scan.server: is 513 bytes, of at most 512",
        "deployment id: 3 bytes instead of 16",
        "deployments_digest: is not 32 bytes",
        "deployments: are 1001, of at most 1000; split the report",
        "given_up: are 17, of at most 16; split the report",
        "given_up: a version or a reason is over 256 bytes",
        "set_aside: are 17, of at most 16; split the report",
        "set_aside: a name or a reason is over 512 bytes",
    ];
    assert_eq!(texts, expected);
}
