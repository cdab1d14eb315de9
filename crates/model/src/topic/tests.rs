use expect_test::expect;

use super::*;

/// Every table says what Configuration Manager documents.
#[test]
fn the_numbers_are_those_that_are_documented() {
    let mut text = String::new();
    macro_rules! list {
        ($($topic:ident)*) => {$(
            for state in $topic::ALL {
                assert_eq!($topic::from_number(state.number()), Ok(*state));
                text += &format!("{}.{} {}\n", $topic::TOPIC, state.number(), state.as_str());
            }
        )*};
    }
    list!(AssignmentCompliance AssignmentEnforcement AssignmentEvaluation);
    list!(EnforcementState ComplianceState SourceScan);
    expect![[r#"
        300.0 unknown
        300.1 compliant
        300.2 non_compliant
        300.3 conflict
        301.1 installing
        301.2 waiting_for_restart
        301.3 waiting_for_another_installation
        301.4 installed
        301.5 pending_restart
        301.6 failed
        301.7 downloading
        301.8 downloaded
        301.9 download_failed
        301.10 waiting_for_window
        301.11 waiting_for_orchestration
        301.12 waiting_for_superseding_update
        302.1 activated
        302.2 succeeded
        302.3 failed
        402.1 started
        402.2 waiting_for_content
        402.3 waiting_for_another_installation
        402.4 waiting_for_window
        402.5 restart_required_first
        402.6 general_failure
        402.7 pending_installation
        402.8 installing
        402.9 pending_restart
        402.10 installed
        402.11 failed
        402.12 downloading
        402.13 downloaded
        402.14 download_failed
        500.0 unknown
        500.1 not_required
        500.2 required
        500.3 installed
        501.1 waiting_for_catalog
        501.2 running
        501.3 complete
        501.4 pending_retry
        501.5 failed
        501.6 completed_with_errors
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_number_that_nobody_documented_is_refused() {
    let refused = AssignmentEnforcement::from_number(13).expect_err("there are twelve");
    expect!["state of topic 301: there is no state 13"].assert_eq(&refused.to_string());
    assert!(EnforcementState::from_number(15).is_err());
    assert!(SourceScan::from_number(0).is_err(), "unknown is the absence of a scan");
}
