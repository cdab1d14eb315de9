use expect_test::expect;

use super::*;

const NOW: &str = "2026-11-20T12:00:00Z";

fn assigned(number: u32, kind: WindowKind, at: &str, zone: &str) -> AssignedWindow {
    let zone = match zone {
        "client" => WindowZone::Client,
        name => WindowZone::Named(name.to_owned()),
    };
    let code = ObjectCode::new(&format!("PR1{number:05}")).expect("a code");
    AssignedWindow { code, at: at.to_owned(), zone, minutes: 180, kind }
}

/// Where 60 and 200 minutes find room, and what could not be read.
fn tried(assigned: &[AssignedWindow], all: Use) -> String {
    let clock = Zone::named("Asia/Tokyo").expect("a zone");
    let now: Timestamp = NOW.parse().expect("a time");
    let (calendar, problems) = Calendar::of(assigned, all, &clock);
    let rooms = [60, 200].map(|minutes| match calendar.room(now, minutes) {
        Room::Now => "now".to_owned(),
        Room::From(at) => at.to_string(),
        Room::Never => "never".to_owned(),
    });
    let problems = problems.iter().map(|(code, error)| format!("  {code}: {error}\n"));
    format!("{}, {}\n{}", rooms[0], rooms[1], problems.collect::<String>())
}

#[test]
fn windows_for_updates_come_before_those_of_all_deployments() {
    let updates = assigned(1, WindowKind::Updates, "0 1 * * SAT", "UTC");
    let all = assigned(2, WindowKind::All, "0 20 * * FRI", "UTC");
    let sequences = assigned(3, WindowKind::TaskSequences, "0 10 * * *", "UTC");
    let both = [updates.clone(), all.clone(), sequences.clone()];
    let cases = [
        tried(&[], Use::Otherwise),
        tried(std::slice::from_ref(&sequences), Use::Also),
        tried(&[all, sequences], Use::Otherwise),
        tried(&[updates], Use::Otherwise),
        tried(&both, Use::Otherwise),
        tried(&both, Use::Also),
    ];
    expect![[r#"
        now, now
        now, now
        2026-11-20T20:00:00.000Z, never
        2026-11-21T01:00:00.000Z, never
        2026-11-21T01:00:00.000Z, never
        2026-11-20T20:00:00.000Z, never
    "#]]
    .assert_eq(&cases.concat());
}

#[test]
fn a_client_s_own_clock_is_where_the_client_is() {
    let windows = [assigned(1, WindowKind::All, "0 1 * * SAT", "client")];
    expect![[r#"
        2026-11-20T16:00:00.000Z, never
    "#]]
    .assert_eq(&tried(&windows, Use::Otherwise));
}

#[test]
fn a_window_that_is_not_understood_is_not_no_window() {
    let later = assigned(1, WindowKind::All, "every blue moon", "UTC");
    let nowhere = assigned(2, WindowKind::All, "0 1 * * SAT", "Mars/Olympus");
    let cases = [tried(&[later], Use::Otherwise), tried(&[nowhere], Use::Otherwise)];
    expect![[r#"
        never, never
          PR100001: a recurrence has five fields (minute, hour, day, month, weekday), then perhaps "plus N days" and "in ZONE", and this has 3; write it like "0 2 * * TUE#2 plus 3 days in Europe/Berlin"
        2026-11-21T01:00:00.000Z, never
          PR100002: there is no time zone "Mars/Olympus" here; write it like Europe/Berlin or UTC
    "#]]
    .assert_eq(&cases.concat());
}
