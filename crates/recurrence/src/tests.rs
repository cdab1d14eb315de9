use expect_test::{Expect, expect};
use model::Timestamp;
use proptest::prelude::*;

use crate::Recurrence;

/// The rule as it is kept, and its next moments.
fn check(rule: &str, from: &str, expected: Expect) {
    let found = match rule.parse::<Recurrence>() {
        Ok(rule) => {
            let next = rule.all_after(from.parse().expect("a time")).take(4);
            let next: String = next.map(|at| format!("{} {at}\n", rule.show(at))).collect();
            format!("{rule}\n{next}")
        }
        Err(error) => format!("{}\n", model::error_chain(&error)),
    };
    expected.assert_eq(&found);
}

#[test]
fn some_days_after_the_second_tuesday() {
    check(
        "0 22 * * tue#2 plus 3 days in Europe/Berlin",
        "2026-11-20T12:00:00Z",
        expect![[r#"
            0 22 * * TUE#2 plus 3 days in Europe/Berlin
            Fri 2026-12-11 22:00 CET 2026-12-11T21:00:00.000Z
            Fri 2027-01-15 22:00 CET 2027-01-15T21:00:00.000Z
            Fri 2027-02-12 22:00 CET 2027-02-12T21:00:00.000Z
            Fri 2027-03-12 22:00 CET 2027-03-12T21:00:00.000Z
        "#]],
    );
}

#[test]
fn an_offset_beyond_the_month_s_end_comes_in_the_next_month() {
    check(
        "0 1 * * TUE#2 plus 20 days",
        "2026-12-01T00:00:00Z",
        expect![[r#"
            0 1 * * TUE#2 plus 20 days in UTC
            Mon 2026-12-28 01:00 UTC 2026-12-28T01:00:00.000Z
            Mon 2027-02-01 01:00 UTC 2027-02-01T01:00:00.000Z
            Mon 2027-03-01 01:00 UTC 2027-03-01T01:00:00.000Z
            Mon 2027-03-29 01:00 UTC 2027-03-29T01:00:00.000Z
        "#]],
    );
}

#[test]
fn what_the_clock_skips_happens_when_it_goes_on() {
    check(
        "30 2 * * * in Europe/Berlin",
        "2027-03-26T12:00:00Z",
        expect![[r#"
            30 2 * * * in Europe/Berlin
            Sat 2027-03-27 02:30 CET 2027-03-27T01:30:00.000Z
            Sun 2027-03-28 03:00 CEST 2027-03-28T01:00:00.000Z
            Mon 2027-03-29 02:30 CEST 2027-03-29T00:30:00.000Z
            Tue 2027-03-30 02:30 CEST 2027-03-30T00:30:00.000Z
        "#]],
    );
    check(
        "*/30 * * * * in Europe/Berlin",
        "2027-03-28T00:29:00Z",
        expect![[r#"
            */30 * * * * in Europe/Berlin
            Sun 2027-03-28 01:30 CET 2027-03-28T00:30:00.000Z
            Sun 2027-03-28 03:00 CEST 2027-03-28T01:00:00.000Z
            Sun 2027-03-28 03:30 CEST 2027-03-28T01:30:00.000Z
            Sun 2027-03-28 04:00 CEST 2027-03-28T02:00:00.000Z
        "#]],
    );
}

#[test]
fn what_comes_twice_happens_the_first_time() {
    check(
        "30 2 * * * in Europe/Berlin",
        "2026-10-24T12:00:00Z",
        expect![[r#"
            30 2 * * * in Europe/Berlin
            Sun 2026-10-25 02:30 CEST 2026-10-25T00:30:00.000Z
            Mon 2026-10-26 02:30 CET 2026-10-26T01:30:00.000Z
            Tue 2026-10-27 02:30 CET 2026-10-27T01:30:00.000Z
            Wed 2026-10-28 02:30 CET 2026-10-28T01:30:00.000Z
        "#]],
    );
}

#[test]
fn the_last_day_and_a_day_that_is_a_date_and_a_weekday() {
    check(
        "0 3 L * *",
        "2027-02-01T00:00:00Z",
        expect![[r#"
            0 3 L * * in UTC
            Sun 2027-02-28 03:00 UTC 2027-02-28T03:00:00.000Z
            Wed 2027-03-31 03:00 UTC 2027-03-31T03:00:00.000Z
            Fri 2027-04-30 03:00 UTC 2027-04-30T03:00:00.000Z
            Mon 2027-05-31 03:00 UTC 2027-05-31T03:00:00.000Z
        "#]],
    );
    check(
        "0 0 13 * FRI",
        "2026-11-20T00:00:00Z",
        expect![[r#"
            0 0 13 * FRI in UTC
            Fri 2027-08-13 00:00 UTC 2027-08-13T00:00:00.000Z
            Fri 2028-10-13 00:00 UTC 2028-10-13T00:00:00.000Z
            Fri 2029-04-13 00:00 UTC 2029-04-13T00:00:00.000Z
            Fri 2029-07-13 00:00 UTC 2029-07-13T00:00:00.000Z
        "#]],
    );
}

#[test]
fn a_rule_that_means_nothing_is_refused_with_what_helps() {
    for (rule, expected) in [
        (
            "0 2 * *",
            expect![[r#"
            a recurrence has five fields (minute, hour, day, month, weekday), then perhaps "plus N days" and "in ZONE", and this has 4; write it like "0 2 * * TUE#2 plus 3 days in Europe/Berlin"
        "#]],
        ),
        (
            "61 2 * * *",
            expect![[r#"
            "61 2 * * *" cannot be read; the second Tuesday at 02:00 is "0 2 * * TUE#2": Component error: Number out of bounds.
        "#]],
        ),
        (
            "0 2 30 2 *",
            expect![[r#"
            "0 2 30 2 *" never comes; there is no such day
        "#]],
        ),
        (
            "0 2 * * * plus 40 days",
            expect![[r#"
            "plus 40 days": give 1 to 27 days
        "#]],
        ),
        (
            "0 2 * * * in Europe/Berln",
            expect![[r#"
            there is no time zone "Europe/Berln" here; write it like Europe/Berlin or UTC: failed to find time zone `Europe/Berln` in time zone database
        "#]],
        ),
    ] {
        check(rule, "2026-11-20T00:00:00Z", expected);
    }
}

proptest! {
    #[test]
    fn moments_only_grow_and_rules_are_read_as_they_are_shown(
        minute in 0..60_u8, hour in 0..24_u8, weekday in 0..7_u8, nth in 1..5_u8,
        plus in 0..=27_u8, from in 0..4_000_000_000_000_i64,
        zone in prop::sample::select(vec![
            "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia",
        ]),
    ) {
        let days = if plus == 0 { String::new() } else { format!(" plus {plus} days") };
        let rule = format!("{minute} {hour} * * {weekday}#{nth}{days} in {zone}");
        let rule: Recurrence = rule.parse().expect("a rule");
        prop_assert_eq!(&rule.to_string().parse::<Recurrence>().expect("read again"), &rule);
        let next: Vec<Timestamp> = rule.all_after(Timestamp(from)).take(14).collect();
        prop_assert_eq!(next.len(), 14);
        prop_assert!(next.is_sorted_by(|a, b| a < b));
        // One each month: never less than three weeks apart, never more than six.
        let week = 7 * 24 * 3_600_000;
        for pair in next.windows(2) {
            let apart = pair[1].0 - pair[0].0;
            prop_assert!((3 * week..6 * week).contains(&apart), "{} apart", apart);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[0-9*/,\\-#LWA-Za-z ]{0,40}") {
        if let Ok(rule) = text.parse::<Recurrence>() {
            let _ = rule.after(Timestamp(i64::MAX));
        }
    }
}
