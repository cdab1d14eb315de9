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
    assert_eq!(SyncSchedule::from_text(&schedule.to_text()).as_ref(), Some(&schedule));
    let every = SyncRhythm::Every { start: Timestamp(-5), every_ms: 60_000 };
    let schedule = SyncSchedule::new(every, set_at).expect("a schedule");
    assert_eq!(SyncSchedule::from_text(&schedule.to_text()), Some(schedule));
}
