use expect_test::{Expect, expect};
use model::Hresult;

use super::*;

fn id(number: u128) -> UpdateId {
    UpdateId(uuid::Uuid::from_u128(number))
}

fn ids(numbers: &[u128]) -> Vec<UpdateId> {
    numbers.iter().map(|number| id(*number)).collect()
}

/// An event of update 1 at time 5.
fn event(number: i32, hresult: i32) -> Event {
    let update = Some(UpdateRef { id: id(1), revision: 2 });
    Event { number, update, hresult, at: Timestamp(5), lists: None }
}

fn status(lists: Lists) -> Event {
    Event { number: 156, update: None, lists: Some(lists), ..event(156, 0) }
}

/// At time 9, after a scan of a version that ended then.
fn circumstances(
    version: u64,
    ended: i64,
    revision: &dyn Fn(UpdateId) -> Option<u32>,
) -> Circumstances<'_> {
    let scanned = Scanned { version, ended: Timestamp(ended) };
    Circumstances { scanned, now: Timestamp(9), behind_ms: 0, revision }
}

/// At time 9, after a scan of version 4.
fn fold(standing: &mut Standing, event: &Event) {
    let revision = |_| Some(7);
    standing.fold(event, circumstances(4, 0, &revision));
}

fn told(standing: &Standing) -> String {
    let line = |(id, held): (&UpdateId, &Held)| {
        let Held { revision, state: UpdateState { state, enforcement }, at } = held;
        let progress = match enforcement {
            Some((state, code)) => format!(" {} {}", state.as_str(), Hresult(*code)),
            None => String::new(),
        };
        format!("{}/{revision} {}{progress} @{}\n", id.0.as_u128(), state.as_str(), at.0)
    };
    standing.states.iter().map(line).collect()
}

/// What update 1, of which nothing is known, becomes by each event.
fn check(events: &[(i32, i32)], expected: &Expect) {
    let line = |(number, hresult): &(i32, i32)| {
        let mut standing = Standing::default();
        fold(&mut standing, &event(*number, *hresult));
        let told = told(&standing);
        format!("{number}: {}\n", if told.is_empty() { "-" } else { told.trim_end() })
    };
    expected.assert_eq(&events.iter().map(line).collect::<String>());
}

const FAILURE: i32 = -2_145_124_318;

#[test]
fn every_event_of_a_download_has_its_state() {
    let events: Vec<_> = (161..=170).map(|number| (number, FAILURE)).collect();
    check(
        &events,
        &expect![[r#"
            161: 1/2 required download_failed 0x80240022 WU_E_ALL_UPDATES_FAILED: every update of the call failed; look at the first one that did @5
            162: 1/2 required downloaded 0x00000000 @5
            163: 1/2 required @5
            164: 1/2 required downloaded 0x00000000 @5
            165: 1/2 required downloading 0x00000000 @5
            166: 1/2 required downloading 0x00000000 @5
            167: 1/2 required downloading 0x00000000 @5
            168: 1/2 required downloading 0x00000000 @5
            169: 1/2 required downloading 0x00000000 @5
            170: 1/2 required downloading 0x00000000 @5
        "#]],
    );
}

#[test]
fn every_event_of_an_installation_has_its_state() {
    let mut events: Vec<_> = (181..=200).map(|number| (number, FAILURE)).collect();
    events.extend([(201, 0), (201, 0x0024_0005), (202, 0), (203, 0), (203, FAILURE), (204, 0)]);
    events.extend((221..=226).map(|number| (number, FAILURE)));
    events.extend([(521, 0), (522, FAILURE), (523, 0), (541, FAILURE), (12_345, 0)]);
    let failed = "required failed 0x80240022 WU_E_ALL_UPDATES_FAILED: every update of the call \
                  failed; look at the first one that did @5";
    let line = |(number, hresult): &(i32, i32)| {
        let mut standing = Standing::default();
        fold(&mut standing, &event(*number, *hresult));
        let told = told(&standing).replace(failed, "FAILED");
        format!("{number} {}", told.trim_end().trim_start_matches("1/2 "))
    };
    let lines: Vec<String> = events.iter().map(line).collect();
    expect![[r#"
        181 required installing 0x00000000 @5
        182 FAILED
        183 installed @5
        184 required pending_restart 0x00000000 @5
        185 
        186 required @5
        187 FAILED
        188 required downloaded 0x00000000 @5
        189 required downloaded 0x00000000 @5
        190 installed @5
        191 required pending_restart 0x00000000 @5
        192 FAILED
        193 required pending_restart 0x00000000 @5
        194 required pending_restart 0x00000000 @5
        195 FAILED
        196 
        197 installed @5
        198 FAILED
        199 required pending_restart 0x00000000 @5
        200 FAILED
        201 
        201 required pending_restart 0x00000000 @5
        202 
        203 installed @5
        203 FAILED
        204 required failed 0x00000000 @5
        221 
        222 required @5
        223 
        224 
        225 
        226 
        521 required installing 0x00000000 @5
        522 FAILED
        523 
        541 
        12345 "#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn a_status_lists_everything_that_concerns_the_computer() {
    let mut standing = Standing::default();
    for (number, hresult) in [(167, 0), (161, FAILURE)] {
        fold(&mut standing, &event(number, hresult));
    }
    fold(
        &mut standing,
        &Event { update: Some(UpdateRef { id: id(9), revision: 1 }), ..event(183, 0) },
    );
    let lists = Lists {
        needed: ids(&[1, 2, 3]),
        installed: ids(&[4]),
        pending: ids(&[5]),
        failed: ids(&[1, 6]),
        downloaded: ids(&[3]),
    };
    fold(&mut standing, &status(lists.clone()));
    expect![[r#"
        1/7 required download_failed 0x80240022 WU_E_ALL_UPDATES_FAILED: every update of the call failed; look at the first one that did @5
        2/7 required @5
        3/7 required downloaded 0x00000000 @5
        4/7 installed @5
        5/7 required pending_restart 0x00000000 @5
        6/7 required failed 0x00000000 @5
    "#]]
    .assert_eq(&told(&standing));
    assert_eq!((standing.covered, standing.scanned_at), (4, Timestamp(5)));
    let before = standing.clone();
    fold(&mut standing, &Event { at: Timestamp(3), ..status(lists) });
    assert_eq!(standing.states, before.states, "the same again changes nothing");
    // What is under way stays so; what failed and is not said to have failed is needed as before.
    fold(&mut standing, &event(181, 0));
    fold(&mut standing, &status(Lists { needed: ids(&[1, 6]), ..Lists::default() }));
    expect![[r#"
        1/7 required installing 0x00000000 @5
        6/7 required @5
    "#]]
    .assert_eq(&told(&standing));
}

#[test]
fn scans_succeed_or_fail_with_a_reason() {
    let mut standing = Standing::default();
    fold(&mut standing, &event(147, 0));
    assert_eq!((standing.covered, standing.scanned_at), (0, Timestamp(5)), "it has listed nothing");
    fold(&mut standing, &event(148, -2_145_107_940));
    assert_eq!(standing.scan_error.as_deref(), Some("0x8024401C"));
    assert_eq!(standing.states.len(), 0, "an event of a scan is of no update");
    fold(&mut standing, &Event { at: Timestamp(99), ..status(Lists::default()) });
    assert_eq!((standing.covered, standing.scan_error.as_ref()), (4, None));
    assert_eq!(standing.scanned_at, Timestamp(9), "nothing happens in the future");
    let revision = |_| None;
    standing.fold(&event(147, 0), circumstances(6, 0, &revision));
    assert_eq!(standing.covered, 6);
}

/// Symptom: updates that came after a computer's last report read "not required", though it had
/// said nothing of them. Cause: whatever it sent counted as an answer to the scan under way.
/// Repair: only what happened after a scan speaks of that scan, by the computer's own clock.
#[test]
fn what_happened_before_the_last_scan_speaks_of_an_older_one() {
    let (revision, step) = (|_| Some(7), limits::CLOCK_STEP_MS);
    let mut standing = Standing::default();
    fold(&mut standing, &status(Lists { needed: ids(&[1]), ..Lists::default() }));
    let later = circumstances(20, 5 + step + 1, &revision);
    for event in [event(147, 0), status(Lists { needed: ids(&[1, 2]), ..Lists::default() })] {
        standing.fold(&event, later);
        assert_eq!(standing.covered, 4, "it was late");
    }
    assert_eq!(standing.states.len(), 2, "what it says is taken nevertheless");
    standing.fold(&event(147, 0), Circumstances { behind_ms: 1, ..later });
    assert_eq!(standing.covered, 20, "its clock is behind");
    standing.fold(&event(147, 0), circumstances(21, 5 + step, &revision));
    assert_eq!(standing.covered, 21);
}

#[test]
fn updates_that_the_catalog_never_had_are_of_no_account() {
    let revision = |update: UpdateId| (update == id(1)).then_some(7);
    let mut standing = Standing::default();
    let lists = Lists { needed: ids(&[1, 2]), installed: ids(&[3]), ..Lists::default() };
    let unknown = Event { update: Some(UpdateRef { id: id(4), revision: 1 }), ..event(183, 0) };
    for event in [status(lists.clone()), unknown, event(181, 0)] {
        standing.fold(&event, circumstances(1, 0, &revision));
    }
    expect!["1/2 required installing 0x00000000 @5\n"].assert_eq(&told(&standing));
    // What left the catalog goes on until the computer says otherwise.
    standing.fold(&status(lists), circumstances(1, 0, &|_| None));
    expect!["1/2 required installing 0x00000000 @5\n"].assert_eq(&told(&standing));
}
