use super::*;

const LIMITS: Limits = Limits { trial_ms: 1_000, starts: 3 };
const INSTALLED: &str = "1.0.0";

fn at(ms: i64) -> Timestamp {
    Timestamp(ms)
}

fn version(text: &str, byte: u8) -> Version {
    let beside = INSTALLED.to_owned();
    Version { version: text.to_owned(), sha256: Sha256([byte; 32]), beside }
}

fn wish(text: &str) -> Wish {
    Wish { version: text.to_owned(), may_be_older: false }
}

fn trying(text: &str, byte: u8) -> Versions {
    let mut versions = Versions::default();
    versions.take(wish(text), Sha256([byte; 32]), INSTALLED).expect("taken");
    versions
}

fn start(versions: &mut Versions, ms: i64) -> Start {
    versions.start(INSTALLED, LIMITS, at(ms))
}

#[test]
fn an_installer_that_is_an_agent_is_known_by_its_words() {
    let of = |arguments| Wish::of("tierline-agent", arguments);
    assert_eq!(of("self-update --to 1.2"), Some(wish("1.2")));
    let older = Wish { may_be_older: true, ..wish("1.2") };
    assert_eq!(of("self-update --to 1.2 --allow-downgrade"), Some(older));
    for other in ["", "--to 1.2", "self-update", "self-update --to", "self-update --to 1 --x"] {
        assert_eq!(of(other), None, "{other}");
    }
    assert_eq!(Wish::of("setup.sh", "self-update --to 1.2"), None);
}

#[test]
fn without_anything_the_installed_one_runs() {
    assert_eq!(start(&mut Versions::default(), 0), Start::Installed);
}

#[test]
fn a_version_that_proves_itself_stays() {
    let mut versions = trying("1.1.0", 1);
    let new = version("1.1.0", 1);
    assert_eq!(start(&mut versions, 5), Start::Trial(new.clone(), at(1_005)));
    versions.proved();
    assert_eq!(start(&mut versions, 9_000), Start::Good(new.clone()));
    assert_eq!(versions, Versions { good: Some(new.clone()), ..Versions::default() });
    // Deployed once more, it has proved itself already.
    versions.take(wish("1.1.0"), new.sha256, "1.1.0").expect("taken");
    assert_eq!(versions.trial, None);
    // What runs is not overwritten.
    let other = versions.take(wish("1.1.0"), Sha256([7; 32]), "1.1.0");
    assert_eq!(other, Err(NotTaken::InUse { version: "1.1.0".to_owned() }));
}

#[test]
fn one_that_is_silent_gives_way_to_the_one_before() {
    let mut versions = trying("1.1.0", 1);
    start(&mut versions, 0);
    versions.proved();
    versions.take(wish("1.2.0"), Sha256([2; 32]), "1.1.0").expect("taken");
    assert_eq!(start(&mut versions, 10), Start::Trial(version("1.2.0", 2), at(1_010)));
    // Another start does not prolong it.
    assert_eq!(start(&mut versions, 900), Start::Trial(version("1.2.0", 2), at(1_010)));
    assert_eq!(start(&mut versions, 1_010), Start::Good(version("1.1.0", 1)));
    let rejected =
        Rejected { version: version("1.2.0", 2), reason: Reason::Silent, is_told: false };
    assert_eq!(versions.rejected, [rejected]);
}

#[test]
fn one_that_ends_too_often_gives_way_and_ends_by_order_do_not_count() {
    let mut versions = trying("1.1.0", 1);
    for ms in 0..20 {
        assert!(matches!(start(&mut versions, ms), Start::Trial(..)));
        versions.interrupted();
    }
    for ms in 20..23 {
        assert!(matches!(start(&mut versions, ms), Start::Trial(..)));
    }
    assert_eq!(start(&mut versions, 23), Start::Installed);
    assert_eq!(versions.rejected[0].reason, Reason::Ended);
}

#[test]
fn a_clock_that_goes_back_does_not_prolong_a_trial_for_ever() {
    let mut versions = trying("1.1.0", 1);
    assert_eq!(start(&mut versions, 50_000), Start::Trial(version("1.1.0", 1), at(51_000)));
    assert_eq!(start(&mut versions, 7), Start::Trial(version("1.1.0", 1), at(1_007)));
    assert_eq!(start(&mut versions, 1_007), Start::Installed);
}

#[test]
fn what_failed_is_not_tried_again() {
    for reason in [Reason::NotStarted, Reason::Ended, Reason::Silent, Reason::Damaged] {
        let mut versions = trying("1.1.0", 1);
        start(&mut versions, 0);
        versions.reject(reason);
        let refused = versions.take(wish("1.1.0"), Sha256([1; 32]), INSTALLED);
        let refused = refused.expect_err("it failed");
        assert_eq!(refused, NotTaken::Failed { version: "1.1.0".to_owned(), reason });
        assert!(refused.code() < 0, "a failure");
        assert_eq!(start(&mut versions, 1), Start::Installed);
        // A mended one has other bytes.
        versions.take(wish("1.1.0"), Sha256([9; 32]), INSTALLED).expect("taken");
    }
}

#[test]
fn an_older_one_is_taken_only_where_the_deployment_says_so() {
    let mut versions = Versions::default();
    let refused = versions.take(wish("0.9.0"), Sha256([1; 32]), INSTALLED).expect_err("older");
    assert_eq!(refused.code(), 0x8007_0666_u32.cast_signed());
    assert_eq!(versions, Versions::default());
    let older = Wish { may_be_older: true, ..wish("0.9.0") };
    versions.take(older, Sha256([1; 32]), INSTALLED).expect("allowed");
    start(&mut versions, 0);
    versions.proved();
    assert_eq!(start(&mut versions, 0), Start::Good(version("0.9.0", 1)));
    assert_eq!(versions.start("1.0.1", LIMITS, at(0)), Start::Installed, "a newer package");
    for bad in ["", "..", "x1", "1/2", "1 2"] {
        assert!(matches!(
            versions.take(wish(bad), Sha256([3; 32]), INSTALLED),
            Err(NotTaken::NoVersion { .. })
        ));
    }
}

#[test]
fn a_newer_package_and_a_lost_program_bring_the_installed_one_back() {
    let mut versions = trying("1.1.0", 1);
    start(&mut versions, 0);
    versions.proved();
    assert_eq!(versions.start("1.2.0", LIMITS, at(0)), Start::Installed);
    assert_eq!(versions.good, None);

    let mut versions = trying("1.1.0", 1);
    versions.proved();
    versions.lose(Reason::Damaged);
    assert_eq!(start(&mut versions, 0), Start::Installed);
    assert_eq!(versions.rejected[0].reason, Reason::Damaged);
}

#[test]
fn what_is_remembered_is_bounded_and_survives_its_text() {
    let mut versions = Versions::default();
    for byte in 0..40 {
        versions.take(wish("1.1.0"), Sha256([byte; 32]), INSTALLED).expect("taken");
        versions.reject(Reason::Silent);
    }
    assert_eq!(versions.rejected.len(), REJECTED_MAX);
    versions.take(wish("1.1.0"), Sha256([99; 32]), INSTALLED).expect("taken");
    let text = serde_json::to_string(&versions).expect("text");
    assert_eq!(serde_json::from_str::<Versions>(&text).expect("readable"), versions);
    assert_eq!(versions.kept().count(), 1);
}

/// Symptom: two versions were deployed together, the second one was no good, and neither ran. Cause:
/// the first one took the second before it had proved itself. Repair: it waits.
#[test]
fn a_version_on_trial_is_not_cut_short_by_another_one() {
    let mut versions = trying("1.1.0", 1);
    versions.take(wish("1.2.0"), Sha256([2; 32]), INSTALLED).expect("no trial has begun");
    start(&mut versions, 5);
    let waits = versions.take(wish("1.3.0"), Sha256([3; 32]), "1.2.0").expect_err("is not taken");
    assert_eq!(waits.code(), crate::plan::BUSY);
    versions.proved();
    versions.take(wish("1.3.0"), Sha256([3; 32]), "1.2.0").expect("now it is its turn");
}
