//! The slow reference watches a clock, quarter of an hour by quarter of an hour: whatever the clock
//! has come past for the first time has happened. It shares no arithmetic with the code: neither
//! the fields of cron, nor what is skipped and what comes twice, nor merging.

use expect_test::{Expect, expect};
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;

/// Both hemispheres, half hours, a day that never was (Apia 2011), a clock that went back for a
/// month each year (Casablanca), rules that were given up (Sao Paulo, Tehran).
const ZONES: [&str; 12] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",
    "America/Sao_Paulo",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Apia",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Africa/Casablanca",
];

const QUARTER: i64 = 15;
const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;
/// 2009-06-01, in minutes.
const BEGIN: i64 = 14_396 * DAY;
const TEN_YEARS: i64 = 3_652 * DAY;

#[derive(Clone, Copy, Debug)]
enum Days {
    All,
    Weekday(i64),
    Nth(i64, i64),
    OfMonth(i64),
}

#[derive(Clone, Copy, Debug)]
struct Rule {
    days: Days,
    /// Minute of the day.
    at: i64,
    plus: i64,
    minutes: u32,
}

impl Rule {
    fn window(&self, zone: &str) -> Window {
        let (hour, minute) = (self.at / HOUR, self.at % HOUR);
        let days = match self.days {
            Days::All => "* * *".to_owned(),
            Days::Weekday(day) => format!("* * {day}"),
            Days::Nth(day, n) => format!("* * {day}#{n}"),
            Days::OfMonth(day) => format!("{day} * *"),
        };
        let plus = if self.plus == 0 { String::new() } else { format!(" plus {} days", self.plus) };
        let starts = format!("{minute} {hour} {days}{plus} in {zone}");
        Window::new(starts.parse().expect("a recurrence"), self.minutes).expect("a window")
    }

    /// Whether the clock shows the rule's moment at this minute since 1970.
    fn shows(&self, minute: i64) -> bool {
        if minute.rem_euclid(DAY) != self.at {
            return false;
        }
        let named = minute.div_euclid(DAY) - self.plus;
        // 1970 began on a Thursday.
        let (weekday, day) = ((named + 4).rem_euclid(7), day_of_month(named));
        match self.days {
            Days::All => true,
            Days::Weekday(wanted) => weekday == wanted,
            Days::Nth(wanted, n) => weekday == wanted && (day - 1) / 7 == n - 1,
            Days::OfMonth(wanted) => day == wanted,
        }
    }
}

/// Of a day since 1970, by taking months off one after the other.
fn day_of_month(mut days: i64) -> i64 {
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1970;
    while days >= 365 + i64::from(is_leap(year)) {
        days -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + i64::from(is_leap(year));
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
    }
    days + 1
}

/// All openings that a clock makes in a stretch of time, in minutes.
fn watch(rules: &[Rule], zone: &str, stretch: (i64, i64)) -> Vec<(i64, i64)> {
    let zone = TimeZone::get(zone).expect("a zone");
    let (mut openings, mut come_past) = (Vec::<(i64, i64)>::new(), None);
    for now in (stretch.0..stretch.1).step_by(15) {
        let moment = jiff::Timestamp::from_second(now * 60).expect("in range");
        let shown = now + i64::from(zone.to_offset(moment).seconds()) / 60;
        let before = come_past.unwrap_or(shown - QUARTER);
        let news = (before + QUARTER..=shown).step_by(15);
        let minutes = news.flat_map(|minute| rules.iter().map(move |rule| (rule, minute)));
        for (rule, _) in minutes.filter(|(rule, minute)| rule.shows(*minute)) {
            put(&mut openings, (now, now + i64::from(rule.minutes)));
        }
        come_past = Some(before.max(shown));
    }
    openings
}

/// Puts one more opening to those that began before it.
fn put(openings: &mut Vec<(i64, i64)>, (from, to): (i64, i64)) {
    match openings.last_mut() {
        Some(last) if from <= last.1 => last.1 = last.1.max(to),
        _ => openings.push((from, to)),
    }
}

fn clip(openings: &[(i64, i64)], stretch: (i64, i64)) -> Vec<(i64, i64)> {
    let clipped = openings.iter().map(|(from, to)| ((*from).max(stretch.0), (*to).min(stretch.1)));
    clipped.filter(|(from, to)| from < to).collect()
}

/// Compares a stretch of time but for its first and last days, of which the watcher saw too little.
fn compare(rules: &[Rule], zone: &str, (begin, end): (i64, i64)) {
    let seen = (begin + 2 * DAY, end - 2 * DAY);
    let expected = watch(rules, zone, (begin, end));
    let windows: Vec<Window> = rules.iter().map(|rule| rule.window(zone)).collect();
    let ms = |minute: i64| Timestamp(minute * MINUTE_MS);
    let told = open(&windows, ms(begin)).take_while(|opening| opening.from < ms(end));
    let mut found = Vec::new();
    for opening in told {
        put(&mut found, (opening.from.0 / MINUTE_MS, opening.to.0 / MINUTE_MS));
    }
    assert_eq!(clip(&found, seen), clip(&expected, seen), "{rules:?} in {zone}");
    // From some hours on, where does so much fit?
    for (turn, now) in (seen.0..seen.1 - 40 * DAY).step_by(97 * 60).enumerate() {
        let room = [5, 60, 120, 181, 1_440, 2_000][turn % 6];
        let fits = expected.iter().map(|(from, to)| ((*from).max(now), *to));
        let fits = fits.filter(|(from, to)| to - from >= room).map(|(from, _)| from).min();
        let found = next_fit(&windows, ms(now), u32::try_from(room).expect("small"));
        let near = |minute: &i64| *minute < seen.1.min(now + 399 * DAY);
        let found = found.map(|at| at.0 / MINUTE_MS).filter(near);
        assert_eq!(found, fits.filter(near), "{room} minutes at {now} by {rules:?} in {zone}");
    }
}

#[test]
fn ten_years_of_hours_in_twelve_zones_are_as_a_clock_shows_them() {
    let rule = |days, at, plus, minutes| Rule { days, at, plus, minutes };
    let sets = [
        // The Saturday night of most; an hour that clocks skip and repeat; the second Tuesday, far
        // into the next month and over midnight.
        vec![
            rule(Days::Weekday(6), HOUR, 0, 180),
            rule(Days::Weekday(0), 2 * HOUR + 30, 0, 45),
            rule(Days::Nth(2, 2), 23 * HOUR + 45, 20, 600),
        ],
        // Every night around midnight, overlapping with the ends of months.
        vec![rule(Days::All, 23 * HOUR, 0, 125), rule(Days::OfMonth(31), 0, 1, 1_440)],
    ];
    for zone in ZONES {
        for rules in &sets {
            compare(rules, zone, (BEGIN, BEGIN + TEN_YEARS));
        }
    }
}

fn rules() -> impl Strategy<Value = Rule> {
    let days = prop_oneof![
        Just(Days::All),
        (0..7_i64).prop_map(Days::Weekday),
        (0..7_i64, 1..=4_i64).prop_map(|(day, n)| Days::Nth(day, n)),
        (1..=31_i64).prop_map(Days::OfMonth),
    ];
    let parts = (days, 0..96_i64, prop_oneof![Just(0), 2..=27_i64], WINDOW_MINUTES);
    parts.prop_map(|(days, quarter, plus, minutes)| Rule {
        days,
        at: quarter * QUARTER,
        plus,
        minutes,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_windows_are_as_a_clock_shows_them(
        rules in prop::collection::vec(rules(), 1..4),
        zone in prop::sample::select(ZONES.to_vec()),
        day in 0..3_600_i64,
    ) {
        let begin = BEGIN + day * DAY;
        compare(&rules, zone, (begin, begin + 430 * DAY));
    }

    #[test]
    fn openings_are_apart_and_merging_them_again_changes_nothing(
        rules in prop::collection::vec(rules(), 1..5), day in 0..3_600_i64,
    ) {
        let mut windows: Vec<Window> = rules.iter().map(|rule| rule.window("Europe/Berlin")).collect();
        let since = Timestamp((BEGIN + day * DAY) * MINUTE_MS);
        let once: Vec<Opening> = open(&windows, since).take(20).collect();
        prop_assert!(once.is_sorted_by(|a, b| a.to <= b.from));
        // The order of windows means nothing, and neither does one that is there twice.
        windows.reverse();
        windows.extend(windows.clone());
        prop_assert_eq!(&open(&windows, since).take(20).collect::<Vec<_>>(), &once);
    }

    #[test]
    fn what_fits_fits_to_the_minute(rule in rules(), day in 0..3_600_i64) {
        let windows = [rule.window("America/Santiago")];
        let now = Timestamp((BEGIN + day * DAY) * MINUTE_MS);
        let Some(at) = next_fit(&windows, now, rule.minutes) else {
            return Err(TestCaseError::fail("a window has room for itself"));
        };
        prop_assert!(at >= now);
        if !matches!(rule.days, Days::All) {
            prop_assert_eq!(next_fit(&windows, now, 2 * 1_440 + 1), None);
        }
    }
}

/// The openings of windows as a clock shows them.
fn check(windows: &[(&str, u32)], from: &str, expected: Expect) {
    let read = |(starts, minutes): &(&str, u32)| {
        Window::new(starts.parse().expect("a recurrence"), *minutes).expect("a window")
    };
    let windows: Vec<Window> = windows.iter().map(read).collect();
    let zone = windows[0].starts().zone().clone();
    let line = |opening: Opening| {
        let Opening { from, to } = opening;
        format!("{} - {} ({} min)\n", zone.show(from), zone.show(to), opening.minutes())
    };
    let openings = open(&windows, from.parse().expect("a time"));
    expected.assert_eq(&openings.take(4).map(line).collect::<String>());
}

#[test]
fn three_hours_are_three_hours_in_the_nights_in_which_clocks_are_set() {
    check(
        &[("0 1 * * SUN in Europe/Berlin", 180)],
        "2026-10-18T12:00:00Z",
        expect![[r#"
            Sun 2026-10-25 01:00 CEST - Sun 2026-10-25 03:00 CET (180 min)
            Sun 2026-11-01 01:00 CET - Sun 2026-11-01 04:00 CET (180 min)
            Sun 2026-11-08 01:00 CET - Sun 2026-11-08 04:00 CET (180 min)
            Sun 2026-11-15 01:00 CET - Sun 2026-11-15 04:00 CET (180 min)
        "#]],
    );
    check(
        &[("30 2 * * SUN in Europe/Berlin", 60)],
        "2027-03-22T12:00:00Z",
        expect![[r#"
            Sun 2027-03-28 03:00 CEST - Sun 2027-03-28 04:00 CEST (60 min)
            Sun 2027-04-04 02:30 CEST - Sun 2027-04-04 03:30 CEST (60 min)
            Sun 2027-04-11 02:30 CEST - Sun 2027-04-11 03:30 CEST (60 min)
            Sun 2027-04-18 02:30 CEST - Sun 2027-04-18 03:30 CEST (60 min)
        "#]],
    );
}

#[test]
fn an_offset_beyond_the_month_s_end_drops_no_window() {
    check(
        &[("0 22 * * TUE#2 plus 20 days in America/New_York", 240)],
        "2026-11-20T00:00:00Z",
        expect![[r#"
            Mon 2026-11-30 22:00 EST - Tue 2026-12-01 02:00 EST (240 min)
            Mon 2026-12-28 22:00 EST - Tue 2026-12-29 02:00 EST (240 min)
            Mon 2027-02-01 22:00 EST - Tue 2027-02-02 02:00 EST (240 min)
            Mon 2027-03-01 22:00 EST - Tue 2027-03-02 02:00 EST (240 min)
        "#]],
    );
}

#[test]
fn windows_that_overlap_or_touch_are_one() {
    check(
        &[
            ("0 1 * * SAT in UTC", 120),
            ("0 2 * * SAT in UTC", 90),
            ("30 3 * * SAT in UTC", 30),
            ("1 4 * * SAT in UTC", 30),
        ],
        "2026-11-20T00:00:00Z",
        expect![[r#"
            Sat 2026-11-21 01:00 UTC - Sat 2026-11-21 04:00 UTC (180 min)
            Sat 2026-11-21 04:01 UTC - Sat 2026-11-21 04:31 UTC (30 min)
            Sat 2026-11-28 01:00 UTC - Sat 2026-11-28 04:00 UTC (180 min)
            Sat 2026-11-28 04:01 UTC - Sat 2026-11-28 04:31 UTC (30 min)
        "#]],
    );
}

#[test]
fn what_is_always_open_has_room_for_anything() {
    let always =
        [Window::new("0 0 * * *".parse().expect("a recurrence"), 1_440).expect("a window")];
    let now = Timestamp(1_795_168_800_000);
    assert_eq!(next_fit(&always, now, 9_999), Some(now));
    let pieces: Vec<Opening> = open(&always, now).take(3).collect();
    assert!(pieces.windows(2).all(|pair| pair[0].to == pair[1].from), "{pieces:?}");
}

/// Many short windows are not looked through to their end, and hide no long one behind them.
#[test]
fn room_behind_very_many_windows_is_found() {
    let window = |at: &str, minutes| {
        let starts: Recurrence = at.parse().expect("a recurrence");
        Window::new(starts.in_zone(Zone::utc()), minutes).expect("a window")
    };
    let now = Timestamp(1_795_168_800_000);
    let short = window("*/10 * * * *", 5);
    let new_year = Timestamp(1_798_761_600_000);
    assert_eq!(next_fit(&[short.clone(), window("0 0 1 1 *", 240)], now, 120), Some(new_year));
    assert_eq!(next_fit(&[short.clone(), window("0 0 1 10 *", 240)], now, 300), None);
    let late = Timestamp(1_822_348_800_000);
    let far = window("0 0 1 10 *", 240);
    assert_eq!(next_fit(&[short.clone(), far.clone()], now, 120), Some(late));
    assert!(open(&[short], now).take_while(|opening| opening.from < late).count() > OPENINGS_MAX);
}

#[test]
fn windows_are_open_for_five_minutes_to_a_day() {
    let tried = [4, 5, 1_440, 1_441].map(|minutes| {
        let window = Window::new("0 1 * * SAT".parse().expect("a recurrence"), minutes);
        let opening = window.map(|window| window.first_since(Timestamp(0)).expect("it comes"));
        opening.map_or_else(|error| error.to_string(), |opening| opening.minutes().to_string())
    });
    expect![[r#"
        a window is open for 5 to 1440 minutes, not for 4
        5
        1440
        a window is open for 5 to 1440 minutes, not for 1441
    "#]]
    .assert_eq(&(tried.join("\n") + "\n"));
}

#[test]
fn a_start_is_by_the_client_s_clock_unless_a_zone_is_named() {
    let tried = [
        "0 1 * * sat",
        "0  1 * * sat in client",
        "0 1 * * tue#2 plus 1 days in europe/berlin",
        "0 1 * * SAT in Mars",
        "0 1 * in client",
    ];
    let tried = tried.map(|text| match read_start(text) {
        Ok((rule, zone)) => format!("{rule} | {zone:?}\n"),
        Err(error) => format!("{error}\n"),
    });
    expect![[r#"
        0 1 * * SAT | Client
        0 1 * * SAT | Client
        0 1 * * TUE#2 plus 1 day | Named("Europe/Berlin")
        there is no time zone "Mars" here; write it like Europe/Berlin or UTC
        a recurrence has five fields (minute, hour, day, month, weekday), then perhaps "plus N days" and "in ZONE", and this has 3; write it like "0 2 * * TUE#2 plus 3 days in Europe/Berlin"
    "#]]
    .assert_eq(&tried.concat());
}
