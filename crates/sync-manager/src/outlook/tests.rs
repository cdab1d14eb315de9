use site_db::{SyncRhythm, SyncStep};

use super::*;

const NOW: Timestamp = Timestamp(10_000_000);

fn child() -> Outlook {
    Outlook {
        place: Place::Child,
        request: None,
        schedule: None,
        last: None,
        complete: 3,
        catalog: 4,
        first: Some(3),
        has_points: true,
        hinted: 3,
        hold_until: None,
        is_looking: false,
    }
}

fn failed() -> Option<SyncRun> {
    Some(SyncRun {
        number: 7,
        reason: "schedule".to_owned(),
        is_full: true,
        step: SyncStep::Failed,
        phase: String::new(),
        done: 0,
        total: 0,
        version: 0,
        updates_changed: 0,
        started_at: Timestamp(0),
        ended_at: Some(Timestamp(1)),
        cause: "no route".to_owned(),
        products: Vec::new(),
    })
}

fn reason(outlook: &Outlook) -> String {
    match plan_due(outlook, NOW) {
        Due::Now(request) => format!("{} {}", request.is_full, request.reason),
        Due::At(at) => format!("at {}", at.0),
        Due::Never => "never".to_owned(),
    }
}

#[test]
fn a_child_follows_its_parents_request_and_looks_for_itself_now_and_then() {
    assert_eq!(reason(&child()), "never");
    let hinted = Outlook { hinted: 4, ..child() };
    assert_eq!(reason(&hinted), "false the parent site has catalog version 4");
    assert_eq!(reason(&Outlook { has_points: false, first: None, ..hinted }), "never");
    let looking = Outlook { is_looking: true, ..child() };
    assert_eq!(reason(&looking), "false catalog version 4 is here");
    let renewed = Outlook { first: Some(0), ..child() };
    assert_eq!(reason(&renewed), "false the update point is behind its site");
}

#[test]
fn after_a_failure_everything_waits_but_a_request() {
    let later = NOW.plus_ms(5);
    let held = Outlook { hold_until: Some(later), last: failed(), hinted: 4, ..child() };
    assert_eq!(reason(&held), format!("at {}", later.0));
    let request = Some(SyncRequest { is_full: true, reason: "ann".to_owned() });
    assert_eq!(reason(&Outlook { request, ..held.clone() }), "true ann");
    assert_eq!(reason(&Outlook { hold_until: Some(NOW), ..held }), "true retry");
}

#[test]
fn the_top_follows_its_schedule() {
    let rhythm = SyncRhythm::Every { start: Timestamp(0), every_ms: 3_600_000 };
    let schedule = SyncSchedule::new(rhythm, Timestamp(0)).expect("an hour");
    let top = Outlook { place: Place::Top, schedule: Some(schedule), ..child() };
    assert_eq!(reason(&top), "false schedule");
    let mut last = failed();
    last.as_mut().expect("there").started_at = NOW;
    assert_eq!(reason(&Outlook { last, ..top }), "at 10800000");
}
