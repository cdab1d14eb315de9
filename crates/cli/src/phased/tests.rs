use expect_test::expect;

use super::*;

#[test]
fn a_phase_is_written_in_one_word() {
    let order = phase("CAS00002,name=Pilots,success=90%,after=2,gradual=5,deadline=asap");
    let expected = pb::PhaseOrder {
        name: "Pilots".to_owned(),
        collection: "CAS00002".to_owned(),
        success_percent: Some(90),
        after_days: Some(2),
        gradual_days: 5,
        deadline_days: Some(0),
        ..Default::default()
    };
    assert_eq!(order, Ok(expected));
    let order = phase("CAS00002,success=20,next=manual,deadline=3").expect("a phase");
    assert_eq!((order.success_count, order.manual, order.deadline_days), (Some(20), true, Some(3)));
    let refused =
        ["A,after", "A,after=x", "A,next=never"].map(|text| phase(text).expect_err("not one"));
    expect![[r#"
        "after" is not such as after=2; what may stand here: see --help
        after: "x" is not a number
        "next=never" is not known; see --help"#]]
    .assert_eq(&refused.join("\n"));
}
