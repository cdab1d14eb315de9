use expect_test::expect;
use model::ComplianceState;
use update_metadata::{Document, Facts, LinuxFacts, Rule, System};
use uuid::Uuid;

use super::*;
use crate::digest::sha256;
use crate::scan::Scanning;
use crate::testing::{NOW, assignment, software, update_id};
use crate::update_point;
use crate::work::{Attempt, Failure, Found, Source};

/// Updates by what a scan makes of them: a rule each for installed and for applicable.
fn document(number: u128, state: ComplianceState) -> Document {
    let mut document = software(number);
    document.rules = match state {
        ComplianceState::Installed => {
            document.rules.is_installed = Some(Rule::True);
            document.rules
        }
        ComplianceState::NotRequired => {
            document.rules.is_installable = Some(Rule::False);
            document.rules
        }
        ComplianceState::Required | ComplianceState::Unknown => document.rules,
    };
    document
}

struct Case {
    assignments: Vec<Assignment>,
    scan: Option<Scan>,
    last_scan: Option<LastScan>,
    progress: Progress,
    said: Deployments,
    is_orchestrated: bool,
}

impl Case {
    /// One deployment of updates 1, 2, … in these states.
    fn new(states: &[ComplianceState]) -> Case {
        let documents: Vec<Document> =
            (1..).zip(states).map(|(number, state)| document(number, *state)).collect();
        let facts = Facts {
            architecture: None,
            files: BTreeMap::new(),
            system: System::Linux(LinuxFacts::default()),
        };
        let mut scanning = Scanning::default();
        for (document, state) in documents.iter().zip(states) {
            // What is unknown has not come yet.
            if *state != ComplianceState::Unknown {
                scanning.add(document, sha256(document.to_xml().as_bytes()), &facts);
            }
        }
        Case {
            assignments: vec![assignment(&documents, NOW)],
            scan: Some(scanning.finish()),
            last_scan: None,
            progress: Progress::new(),
            said: Deployments::new(),
            is_orchestrated: false,
        }
    }

    fn with(mut self, progress: &[(u128, EnforcementState, i32)]) -> Case {
        self.progress =
            progress.iter().map(|(id, state, code)| (update_id(*id), (*state, *code))).collect();
        self
    }

    fn at(&self, now: Timestamp) -> Deployments {
        deployments(&Scene {
            assignments: &self.assignments,
            scan: self.scan.as_ref(),
            last_scan: self.last_scan.as_ref(),
            progress: &self.progress,
            is_orchestrated: self.is_orchestrated,
            said: &self.said,
            now,
        })
    }

    /// The numbers of topics 300, 301 and 302, and the code.
    fn numbers(&self) -> String {
        let Some(state) = self.at(NOW).into_values().next() else { return "nothing".to_owned() };
        let enforcement = state.enforcement.map_or(0, AssignmentEnforcement::number);
        let (compliance, evaluation) = (state.compliance.number(), state.evaluation.number());
        format!("300.{compliance} 301.{enforcement} 302.{evaluation} code {}", state.code)
    }
}

use ComplianceState::{Installed, NotRequired, Required, Unknown};

fn last(state: SourceScan, code: i32) -> LastScan {
    LastScan { state, server: String::new(), at: NOW, duration_ms: 0, bytes: 0, code }
}

#[test]
fn a_deployment_complies_when_none_of_its_updates_is_required() {
    let rows = [
        ("installed", Case::new(&[Installed, NotRequired])),
        ("not concerned", Case::new(&[NotRequired])),
        ("required", Case::new(&[Installed, Required])),
        ("not in the catalog", Case::new(&[Installed, Unknown])),
        ("before the first scan", Case { scan: None, ..Case::new(&[Required]) }),
        (
            "the scan failed",
            Case {
                scan: None,
                last_scan: Some(last(SourceScan::PendingRetry, -7)),
                ..Case::new(&[Required])
            },
        ),
    ];
    let lines: String =
        rows.iter().map(|(what, case)| format!("{what}: {}\n", case.numbers())).collect();
    expect![[r#"
        installed: 300.1 301.4 302.2 code 0
        not concerned: 300.1 301.0 302.2 code 0
        required: 300.2 301.0 302.2 code 0
        not in the catalog: 300.0 301.0 302.3 code 0
        before the first scan: 300.0 301.0 302.1 code 0
        the scan failed: 300.0 301.0 302.3 code -7
    "#]]
    .assert_eq(&lines);
}

#[test]
fn a_deployment_stands_where_its_least_finished_update_stands() {
    let mut lines = String::new();
    for state in EnforcementState::ALL {
        let case = Case::new(&[Required]).with(&[(1, *state, 0)]);
        lines += &format!("402.{}: {}\n", state.number(), case.numbers());
    }
    let case = Case::new(&[Required]).with(&[(1, EnforcementState::PendingInstallation, 0)]);
    let case = Case { is_orchestrated: true, ..case };
    lines += &format!("started by other software: {}\n", case.numbers());
    let two = |first, second| Case::new(&[Required, Required]).with(&[first, second]);
    let failed = (1, EnforcementState::Failed, 17);
    let case = two(failed, (2, EnforcementState::Downloading, 0));
    lines += &format!("failed and downloading: {}\n", case.numbers());
    let restart = (1, EnforcementState::PendingRestart, 0);
    let case = two(restart, (2, EnforcementState::WaitingForWindow, 0));
    lines += &format!("restart and window: {}\n", case.numbers());
    expect![[r#"
        402.1: 300.2 301.1 302.2 code 0
        402.2: 300.2 301.7 302.2 code 0
        402.3: 300.2 301.3 302.2 code 0
        402.4: 300.2 301.10 302.2 code 0
        402.5: 300.2 301.2 302.2 code 0
        402.6: 300.2 301.6 302.2 code 0
        402.7: 300.2 301.8 302.2 code 0
        402.8: 300.2 301.1 302.2 code 0
        402.9: 300.2 301.5 302.2 code 0
        402.10: 300.2 301.4 302.2 code 0
        402.11: 300.2 301.6 302.2 code 0
        402.12: 300.2 301.7 302.2 code 0
        402.13: 300.2 301.8 302.2 code 0
        402.14: 300.2 301.9 302.2 code 0
        started by other software: 300.2 301.11 302.2 code 0
        failed and downloading: 300.2 301.6 302.2 code 17
        restart and window: 300.2 301.10 302.2 code 0
    "#]]
    .assert_eq(&lines);
}

#[test]
fn removals_comply_when_it_is_gone_and_opposites_are_a_conflict() {
    let mut case = Case::new(&[Installed]);
    case.assignments[0].intent = Intent::Uninstall;
    assert_eq!(case.numbers(), "300.2 301.0 302.2 code 0");
    let mut gone = Case::new(&[Required]);
    gone.assignments[0].intent = Intent::Uninstall;
    assert_eq!(gone.numbers(), "300.1 301.0 302.2 code 0");
    let mut opposite = case.assignments[0].clone();
    opposite.deployment = DeploymentId(Uuid::from_u128(0xe));
    opposite.intent = Intent::Required;
    case.assignments.push(opposite);
    let all = case.at(NOW).into_values().map(|state| state.compliance);
    assert_eq!(all.collect::<Vec<_>>(), [AssignmentCompliance::Conflict; 2]);
}

#[test]
fn a_state_is_as_old_as_it_is_and_what_policy_took_away_is_gone() {
    let mut case = Case::new(&[Required]).with(&[(1, EnforcementState::Downloading, 0)]);
    let first = case.at(NOW);
    case.said.clone_from(&first);
    assert_eq!(case.at(NOW.plus_ms(1)), first);
    let case = case.with(&[(1, EnforcementState::Downloaded, 0)]);
    let next = case.at(NOW.plus_ms(2));
    let changes = deployment_changes(&first, &next);
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].state.map(|state| state.at), Some(NOW.plus_ms(2)));
    let deployment = case.assignments[0].deployment;
    let gone = deployment_changes(&next, &Deployments::new());
    assert_eq!(gone, [DeploymentChange { deployment, state: None }]);
}

#[test]
fn the_detail_level_says_how_much_is_told() {
    let steps = [
        (Required, Some((EnforcementState::Downloading, 0))),
        (Required, Some((EnforcementState::Failed, 17))),
        (Required, Some((EnforcementState::PendingRestart, 0))),
        (Installed, None),
    ];
    let mut lines = String::new();
    for level in [DetailLevel::All, DetailLevel::SuccessAndErrors, DetailLevel::Errors] {
        let mut said = Deployments::new();
        for (state, progress) in steps {
            let mut case = Case { said, ..Case::new(&[state]) };
            case.progress = progress.map(|step| (update_id(1), step)).into_iter().collect();
            case.assignments[0].detail = level;
            let updates = told_progress(&case.progress, &case.assignments).len();
            lines += &format!("{}: {}, {updates} updates\n", level.as_str(), case.numbers());
            said = case.at(NOW);
        }
    }
    expect![[r#"
        all: 300.2 301.7 302.2 code 0, 1 updates
        all: 300.2 301.6 302.2 code 17, 1 updates
        all: 300.2 301.5 302.2 code 0, 1 updates
        all: 300.1 301.4 302.2 code 0, 0 updates
        success-and-errors: nothing, 0 updates
        success-and-errors: 300.2 301.6 302.2 code 17, 1 updates
        success-and-errors: 300.2 301.6 302.2 code 17, 0 updates
        success-and-errors: 300.1 301.4 302.2 code 0, 0 updates
        errors: nothing, 0 updates
        errors: 300.2 301.6 302.2 code 17, 1 updates
        errors: nothing, 0 updates
        errors: nothing, 0 updates
    "#]]
    .assert_eq(&lines);
}

#[test]
fn a_scan_is_told_with_its_server_duration_bytes_and_error() {
    let url = "https://sup.example:8531".to_owned();
    let ended = update_point::Ended::Succeeded;
    let attempt = Attempt { url: url.clone(), ended, reason: String::new() };
    let found = |missing: Option<&str>| {
        Ok(Found {
            scan: Scanning::default().finish().into(),
            catalog: Uuid::nil(),
            covered: 1,
            from: Some(Source { url: url.clone(), bytes: 700 }),
            missing: missing.map(str::to_owned),
        })
    };
    let failure = || {
        let (reason, code) = ("no answer".to_owned(), -2_145_107_940);
        Err(Failure { reason, code, is_distrusted: false })
    };
    let cases = [
        (vec![attempt.clone()], found(None), Retry::Soon),
        (vec![attempt.clone()], found(Some("update 7")), Retry::Soon),
        (vec![attempt.clone()], failure(), Retry::Soon),
        (vec![attempt], failure(), Retry::InTime),
        (Vec::new(), failure(), Retry::Soon),
    ];
    let mut lines = String::new();
    for (attempts, end, retry) in cases {
        let scanned = Scanned { begun: NOW.plus_ms(-1_500), attempts, end };
        let LastScan { state, server, duration_ms, bytes, code, .. } =
            last_scan(&scanned, retry, NOW);
        let number = state.number();
        lines += &format!("501.{number} {server:?} {duration_ms} ms {bytes} bytes code {code}\n");
    }
    expect![[r#"
        501.3 "https://sup.example:8531" 1500 ms 700 bytes code 0
        501.6 "https://sup.example:8531" 1500 ms 700 bytes code 0
        501.4 "https://sup.example:8531" 1500 ms 0 bytes code -2145107940
        501.5 "https://sup.example:8531" 1500 ms 0 bytes code -2145107940
        501.1 "" 1500 ms 0 bytes code -2145107940
    "#]]
    .assert_eq(&lines);
    assert_eq!(cut(&format!("{}ä", "x".repeat(511))).len(), 511);
}
