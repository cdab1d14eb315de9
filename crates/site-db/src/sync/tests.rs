use model::Timestamp;

use super::*;

#[test]
fn a_schedule_is_due_at_multiples_after_it_was_set_or_last_ran() {
    let at = Timestamp;
    let schedule = SyncSchedule::new(at(0), 3_600_000, at(90_000_000)).expect("not too often");
    assert_eq!(schedule.due(None), at(25 * 3_600_000 + 3_600_000));
    assert_eq!(schedule.due(Some(at(93_600_000))), at(27 * 3_600_000));
    let later = SyncSchedule::new(at(1_000_000), 60_000, at(5)).expect("not too often");
    assert_eq!(later.due(None), at(1_000_000));
    assert!(SyncSchedule::new(at(0), 59_999, at(0)).is_err());
}
