use std::fmt::Write as _;

use expect_test::expect;
use proptest::prelude::*;

use super::*;

fn throttle(from: &str, to: &str, inside: u64, outside: u64) -> Throttle {
    let rate = |bytes| (bytes > 0).then_some(bytes);
    let (from, to) = (time_of_day(from), time_of_day(to));
    Throttle { from, to, inside: rate(inside), outside: rate(outside) }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// The next changes of the rate, as the clock shows them.
fn changes(throttle: &Throttle, from: &str, clock: &Zone) -> String {
    let mut lines = String::new();
    let mut now = at(from);
    for _ in 0..5 {
        let Some(change) = throttle.next_change(now, clock) else { break };
        let rate = throttle.rate(change, clock);
        writeln!(lines, "{}: {rate:?}", clock.show(change)).expect("text");
        now = change;
    }
    lines
}

#[test]
fn a_window_begins_and_ends_by_the_clock_of_the_client() {
    let berlin = Zone::named("Europe/Berlin").expect("a zone");
    let day = throttle("09:00", "17:00", 1_250, 0);
    expect![[r#"
        Fri 2026-11-20 09:00 CET: Some(1250)
        Fri 2026-11-20 17:00 CET: None
        Sat 2026-11-21 09:00 CET: Some(1250)
        Sat 2026-11-21 17:00 CET: None
        Sun 2026-11-22 09:00 CET: Some(1250)
    "#]]
    .assert_eq(&changes(&day, "2026-11-20T00:00:00Z", &berlin));
    // Across midnight, over the night in which an hour is shown twice.
    let night = throttle("22:00", "02:30", 1_250, 5_000);
    expect![[r#"
        Sat 2026-10-24 22:00 CEST: Some(1250)
        Sun 2026-10-25 02:30 CEST: Some(5000)
        Sun 2026-10-25 02:00 CET: Some(1250)
        Sun 2026-10-25 02:30 CET: Some(5000)
        Sun 2026-10-25 22:00 CET: Some(1250)
    "#]]
    .assert_eq(&changes(&night, "2026-10-24T10:00:00Z", &berlin));
    // An hour that no clock shows opens and closes nothing.
    let skipped = throttle("02:15", "02:45", 1_250, 0);
    expect![[r#"
        Sat 2027-03-27 02:15 CET: Some(1250)
        Sat 2027-03-27 02:45 CET: None
        Mon 2027-03-29 02:15 CEST: Some(1250)
        Mon 2027-03-29 02:45 CEST: None
        Tue 2027-03-30 02:15 CEST: Some(1250)
    "#]]
    .assert_eq(&changes(&skipped, "2027-03-27T00:00:00Z", &berlin));
}

#[test]
fn the_same_start_and_end_is_always_and_off_is_never() {
    let said = |values: &[(&str, &str)]| {
        let values = values.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        Throttle::of(&ClientOptions { values: values.collect() })
    };
    let off = [("throttle.inside", "80")];
    assert_eq!(said(&off), None);
    let on = [off[0], ("throttle.enabled", "yes")];
    assert_eq!(said(&on), Some(throttle("09:00", "17:00", 10_000, 0)));
    let on = [on[0], on[1], ("throttle.from", "17:00"), ("throttle.outside", "8")];
    let always = said(&on).expect("throttled");
    assert_eq!(always, throttle("17:00", "17:00", 10_000, 1_000));
    let clock = Zone::utc();
    assert_eq!(always.next_change(at("2026-11-20T12:00:00Z"), &clock), None);
    assert_eq!(always.rate(at("2026-11-20T12:00:00Z"), &clock), Some(10_000));
}

#[test]
fn what_was_read_is_waited_for_by_all_together() {
    let (always, clock) = (throttle("00:00", "00:00", 1_000, 0), Zone::utc());
    let (mut meter, now) = (Meter::default(), at("2026-11-20T12:00:00Z"));
    let mut spend = |bytes, now| meter.spend(&always, bytes, (now, &clock)).as_millis();
    assert_eq!(spend(500, now), 500);
    assert_eq!(spend(1_000, now), 1_500);
    assert_eq!(spend(100, now.plus_ms(1_400)), 200);
    // After a pause nothing was saved up.
    assert_eq!(spend(100, now.plus_ms(60_000)), 100);
    assert_eq!(spend(100, now.plus_ms(-3_600_000)), 100);
}

proptest! {
    #[test]
    fn bytes_pass_as_they_do_second_by_second(
        (from, to) in (0..96_i64, 0..96_i64),
        (inside, outside) in (1..9_u64, 0..9_u64),
        (start, zone) in (0..8 * 24 * 3_600_i64, 0..3_usize),
        bytes in 0..400_000_u64,
    ) {
        let quarter = 15 * MINUTE_MS;
        let throttle = Throttle {
            from: from * quarter,
            to: to * quarter,
            inside: Some(inside),
            outside: (outside > 0).then_some(outside),
        };
        let clock = ["UTC", "Europe/Berlin", "Australia/Lord_Howe"][zone];
        let clock = Zone::named(clock).expect("a zone");
        // Around the days on which these clocks are set.
        let first = ["2026-10-22T00:00:00Z", "2026-10-22T00:00:00Z", "2027-03-31T00:00:00Z"][zone];
        let begin = at(first).plus_ms(start * 1_000);
        let is_inside = |now: Timestamp| {
            let time = clock.civil_time(now).0.rem_euclid(DAY_MS) / quarter;
            match from.cmp(&to) {
                std::cmp::Ordering::Less => (from..to).contains(&time),
                std::cmp::Ordering::Equal => true,
                std::cmp::Ordering::Greater => time >= from || time < to,
            }
        };
        let (mut now, mut left) = (begin, bytes);
        while left > 0 {
            let rate = if is_inside(now) { inside } else { outside };
            if rate == 0 {
                break;
            }
            left = left.saturating_sub(rate);
            now = now.plus_ms(1_000);
        }
        let passed = throttle.passed(begin, bytes, &clock);
        prop_assert!((now.0 - 1_000..=now.0).contains(&passed.0), "{passed} or {now}");
        let change = throttle.next_change(begin, &clock);
        let slow = (1..=3 * 96).map(|n| Timestamp((begin.0 / quarter + n) * quarter));
        let slow = slow.into_iter().find(|at| is_inside(*at) != is_inside(begin));
        prop_assert_eq!(change, slow);
    }
}
