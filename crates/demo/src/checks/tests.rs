use expect_test::expect;

use super::*;

fn stream(digest: &str, seq: u64) -> pb::VerifiedStream {
    let (stream, result) = ("catalog/CAS".to_owned(), "ok".to_owned());
    pb::VerifiedStream { stream, result, seq, digest: digest.to_owned(), ..Default::default() }
}

fn two_sites(ours: pb::VerifiedStream, theirs: Option<pb::VerifiedStream>) -> Survey {
    let offers = [("catalog/CAS".to_owned(), "PR1".to_owned())].into();
    let top = SiteSurvey { code: "CAS", streams: vec![ours], offers, ..Default::default() };
    let streams = theirs.into_iter().collect();
    let child = SiteSurvey { code: "PR1", streams, ..Default::default() };
    Survey { sites: vec![top, child], ..Survey::default() }
}

#[test]
fn a_stream_must_be_at_its_subscriber_and_equal() {
    assert_eq!(streams(&two_sites(stream("a", 5), Some(stream("a", 5)))), Ok(()));
    let verdicts = [
        streams(&two_sites(stream("a", 5), None)),
        streams(&two_sites(stream("a", 5), Some(stream("a", 4)))),
        streams(&two_sites(stream("a", 5), Some(stream("b", 5)))),
        streams(&Survey::default()),
    ];
    expect![[r#"
        Err("catalog/CAS at PR1: None, not Some((0, 5, \"a\"))")
        Err("catalog/CAS at PR1: Some((0, 4, \"a\")), not Some((0, 5, \"a\"))")
        Err("catalog/CAS at PR1: Some((0, 5, \"b\")), not Some((0, 5, \"a\"))")
        Err("no site offers anything")
    "#]]
    .assert_eq(&verdicts.iter().map(|verdict| format!("{verdict:?}\n")).collect::<String>());
}

#[test]
fn a_survey_of_nothing_does_not_pass() {
    let checks = check_all(&Survey::default());
    let passed = checks.iter().filter(|check| check.ok).map(|check| &*check.name);
    assert_eq!(passed.collect::<Vec<_>>(), [""; 0]);
}
