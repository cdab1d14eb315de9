use expect_test::expect;

use super::*;

#[test]
fn the_table_is_sorted_and_its_defaults_are_in_their_one_spelling() {
    assert!(SETTINGS.is_sorted_by(|a, b| a.name < b.name), "ascending, each once");
    for setting in SETTINGS {
        assert_eq!(setting.read(setting.default).as_deref(), Ok(setting.default));
        assert_eq!(setting_named(setting.name).expect("found").name, setting.name);
    }
}

/// What becomes of values at the bounds of their settings.
fn tried(tries: &[(&str, &str)]) -> String {
    let line = |(name, value): &(&str, &str)| {
        let read = setting_named(name).and_then(|setting| setting.read(value));
        let read = read.unwrap_or_else(|invalid| invalid.to_string());
        format!("{name} {value}: {read}\n")
    };
    tries.iter().map(line).collect()
}

#[test]
fn each_range_holds_at_its_bounds_and_is_named_beyond_them() {
    let numbers = SETTINGS.iter().filter_map(|setting| match setting.kind {
        Number { min, max, .. } => Some((setting, min, max)),
        Flag | Choice(_) | Every { .. } | HoursOrDays | Recurrence | TimeOfDay => None,
    });
    for (setting, min, max) in numbers {
        for good in [min, max] {
            assert_eq!(setting.read(&good.to_string()), Ok(good.to_string()), "{}", setting.name);
        }
        for bad in [i64::from(min) - 1, i64::from(max) + 1] {
            let refused = setting.read(&bad.to_string()).expect_err(setting.name);
            assert!(refused.reason.contains(&format!("{min} to {max}")), "{refused}");
        }
    }
    expect![[r#"
        detection.hours 7: setting: detection.hours takes 8 to 22 hours, not "7"
        detection.hours 23: setting: detection.hours takes 8 to 22 hours, not "23"
        grace.hours 121: setting: grace.hours takes 0 to 120 hours, not "121"
        restart.delay 20161: setting: restart.delay takes 1 to 20160 minutes, not "20161"
        metered some: setting: metered takes allow, limit, block, not "some"
        tls.pinning maybe: setting: tls.pinning takes yes or no, not "maybe"
        tls.pinning OFF: no
        install.at 3:5: 03:05
        install.at 24:00: setting: install.at takes a time of day such as 03:00, not "24:00"
        no.such 1: setting: there is no no.such; see `tierline client-settings options`
    "#]]
    .assert_eq(&tried(&[
        ("detection.hours", "7"),
        ("detection.hours", "23"),
        ("grace.hours", "121"),
        ("restart.delay", "20161"),
        ("metered", "some"),
        ("tls.pinning", "maybe"),
        ("tls.pinning", "OFF"),
        ("install.at", "3:5"),
        ("install.at", "24:00"),
        ("no.such", "1"),
    ]));
}

#[test]
fn what_policy_does_not_say_or_says_in_other_words_is_as_in_the_table() {
    let said = [("cache.max_mb", "100"), ("metered", "LIMIT"), ("update_point.retry", "soon")];
    let said = said.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let options = ClientOptions { values: said.to_vec() };
    assert_eq!((options.number("cache.max_mb"), options.number("cache.min_age")), (100, 1_440));
    assert_eq!((options.get("metered"), options.get("no.such")), ("limit".into(), String::new()));
    assert!(!options.is_on("throttle.enabled") && options.is_on("restart.force"));
    let switching = crate::Switching::of(&options);
    assert_eq!((switching.retry_minutes, switching.retries, switching.minutes()), (30, 4, 122));
}

#[test]
fn less_than_a_day_between_scans_becomes_a_day() {
    expect![[r#"
        scan.every 23h: 1d
        scan.every 1m: 1d
        scan.every 36h: 36h
        scan.every 48h: 2d
        scan.every 365d: 365d
        scan.every 366d: setting: scan.every takes a time up to 365d, such as 2d or 12h; less than 1d becomes 1d, not "366d"
        reevaluation.every 12h: 1d
        scan.every 0d: setting: scan.every takes a time up to 365d, such as 2d or 12h; less than 1d becomes 1d, not "0d"
        deadline.gather_period 23h: 23h
        deadline.gather_period 24h: 1d
        deadline.gather_period 36h: setting: deadline.gather_period takes 1h to 23h or 1d to 365d, not "36h"
        deadline.gather_period 59m: setting: deadline.gather_period takes 1h to 23h or 1d to 365d, not "59m"
        deadline.gather_period 366d: setting: deadline.gather_period takes 1h to 23h or 1d to 365d, not "366d"
    "#]]
    .assert_eq(&tried(&[
        ("scan.every", "23h"),
        ("scan.every", "1m"),
        ("scan.every", "36h"),
        ("scan.every", "48h"),
        ("scan.every", "365d"),
        ("scan.every", "366d"),
        ("reevaluation.every", "12h"),
        ("scan.every", "0d"),
        ("deadline.gather_period", "23h"),
        ("deadline.gather_period", "24h"),
        ("deadline.gather_period", "36h"),
        ("deadline.gather_period", "59m"),
        ("deadline.gather_period", "366d"),
    ]));
}
