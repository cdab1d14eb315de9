use model::Timestamp;

use super::*;

#[test]
fn a_schedule_is_due_at_multiples_after_it_was_set_or_last_ran() {
    let at = Timestamp;
    let every = |start, every_ms| SyncRhythm::Every { start: at(start), every_ms };
    let schedule = SyncSchedule::new(every(0, 3_600_000), at(90_000_000)).expect("not too often");
    assert_eq!(schedule.due(None), Some(at(25 * 3_600_000 + 3_600_000)));
    assert_eq!(schedule.due(Some(at(93_600_000))), Some(at(27 * 3_600_000)));
    let later = SyncSchedule::new(every(1_000_000, 60_000), at(5)).expect("not too often");
    assert_eq!(later.due(None), Some(at(1_000_000)));
    assert!(SyncSchedule::new(every(0, 59_999), at(0)).is_err());
}

#[test]
fn a_schedule_may_follow_the_second_tuesday_of_each_month() {
    let day = |text: &str| text.parse::<Timestamp>().expect("a time");
    let rule: Recurrence = "0 2 * * TUE#2 plus 1 day in Europe/Berlin".parse().expect("a rule");
    let rhythm = SyncRhythm::Recurring(Box::new(rule));
    let set_at = day("2026-11-20T00:00:00Z");
    let schedule = SyncSchedule::new(rhythm, set_at).expect("a schedule");
    assert_eq!(schedule.due(None), Some(day("2026-12-09T01:00:00Z")));
    let last = Some(day("2026-12-09T01:00:03Z"));
    assert_eq!(schedule.due(last), Some(day("2027-01-13T01:00:00Z")));
    assert_eq!(SyncSchedule::from_text(&schedule.to_text()).as_ref(), Ok(&schedule));
    let every = SyncRhythm::Every { start: Timestamp(-5), every_ms: 60_000 };
    let schedule = SyncSchedule::new(every, set_at).expect("a schedule");
    assert_eq!(SyncSchedule::from_text(&schedule.to_text()), Ok(schedule));
}

/// Symptom: a pin that could not be read believed every server, and a schedule in a time zone that
/// the computer does not know any more was no schedule, without a word. Cause: what could not be
/// read was taken for absent. Repair: it is an error that says what to do.
#[test]
fn what_is_stored_and_cannot_be_read_is_not_taken_for_absent() {
    let db = crate::tests::open(std::path::Path::new(":memory:"), "CAS").expect("it opens");
    let write = |name: &'static str, value: &'static str| {
        db.write_blocking(move |w| w.set_setting(COMPONENT, name, value)).expect("written");
    };
    let schedule = || db.read_blocking(|r| r.sync_schedule());
    let source = || db.read_blocking(|r| r.sync_source());
    assert_eq!(schedule().expect("none yet"), None);
    assert_eq!(source().expect("none yet"), SyncSource::default());
    write("schedule", "5 at 0 2 * * * in Europe/Nowhere");
    write("source_pin", "abc");
    let refused = [schedule().map(drop), source().map(drop)];
    let refused = refused.map(|refused| refused.expect_err("unreadable").to_string());
    expect_test::expect![[r#"
        schedule: is stored as "5 at 0 2 * * * in Europe/Nowhere": there is no time zone "Europe/Nowhere" here; write it like Europe/Berlin or UTC; set it again
        source pin: is stored as "abc"; set the source again"#]]
    .assert_eq(&refused.join("\n"));
    let next = SyncSource { url: "http://upstream".to_owned(), ..SyncSource::default() };
    let repaired = next.clone();
    db.write_blocking(move |w| w.set_sync_source(&repaired)).expect("at the top");
    assert_eq!(source().expect("set again"), next);
}
