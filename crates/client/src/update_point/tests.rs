use std::fmt::Write as _;

use expect_test::expect;
use model::{RoleKind, SiteCode};
use proptest::prelude::*;

use super::*;

const START: Timestamp = Timestamp(1_795_168_800_000);
const USUAL: Switching = Switching { retry_minutes: 30, retries: 4, delay_minutes: 2 };

fn servers(after: &[u32]) -> Vec<ServerRef> {
    let server = |(number, after_minutes): (usize, &u32)| ServerRef {
        kind: RoleKind::SoftwareUpdatePoint,
        site: SiteCode::new("PR1").expect("a code"),
        url: format!("sup{number}"),
        http_url: String::new(),
        after_minutes: *after_minutes,
    };
    after.iter().enumerate().map(server).collect()
}

/// A client that scans whenever it may, between update points of which some serve.
struct Play {
    point: UpdatePoint,
    servers: Vec<ServerRef>,
    switching: Switching,
    now: Timestamp,
    log: String,
}

impl Play {
    fn new(after: &[u32], switching: Switching) -> Play {
        let (point, log) = Default::default();
        Play { point, servers: servers(after), switching, now: START, log }
    }

    fn next(&self) -> Next {
        let listed = Listed { servers: &self.servers, switching: self.switching };
        self.point.next(&listed, self.now)
    }

    fn explained(&self) -> Explained {
        let listed = Listed { servers: &self.servers, switching: self.switching };
        self.point.explain(&listed, self.now)
    }

    fn passed(&self) -> f64 {
        let seconds = u32::try_from((self.now.0 - START.0) / 1_000).expect("short");
        f64::from(seconds) / 60.0
    }

    /// Goes to the next attempt and through it; false if nothing is to be waited for.
    fn attempt(&mut self, answer: impl Fn(&str) -> Ended) -> bool {
        if let Next::At(at) = self.next() {
            assert!(at > self.now, "time goes on");
            self.now = at;
        }
        let Next::Try(servers) = self.next() else { return false };
        assert!(!servers.is_empty());
        for server in servers {
            let ended = answer(&server.url);
            writeln!(self.log, "{:.1} {} {ended:?}", self.passed(), server.url).expect("text");
            self.point.tell(&server.url, (ended, "it says no"), self.switching, self.now);
            if ended == Ended::Succeeded {
                break;
            }
        }
        true
    }

    fn attempts(&mut self, count: usize, answer: impl Fn(&str) -> Ended) -> String {
        for _ in 0..count {
            if !self.attempt(&answer) {
                break;
            }
        }
        std::mem::take(&mut self.log)
    }

    fn after(&mut self, minutes: i64) {
        self.now = self.now.plus_ms(minutes * MINUTE_MS);
    }
}

fn only(good: &'static str) -> impl Fn(&str) -> Ended {
    move |url| if url == good { Ended::Succeeded } else { Ended::Failed }
}

fn none(_: &str) -> Ended {
    Ended::Failed
}

#[test]
fn four_retries_of_the_same_one_and_two_minutes_then_the_next_which_is_kept() {
    let mut play = Play::new(&[0, 0, 120], USUAL);
    assert_eq!(play.attempts(1, only("sup0")), "0.0 sup0 Succeeded\n");
    expect![[r#"
        0.0 sup0 Failed
        30.0 sup0 Failed
        60.0 sup0 Failed
        90.0 sup0 Failed
        120.0 sup0 Failed
        122.0 sup1 Succeeded
        122.0 sup1 Succeeded
    "#]]
    .assert_eq(&play.attempts(7, only("sup1")));
    // The new one is kept as the old one was, also when the old one is back.
    play.now = START;
    expect![[r#"
        0.0 sup1 Failed
        30.0 sup1 Failed
        60.0 sup1 Failed
        90.0 sup1 Failed
        120.0 sup1 Failed
        122.0 sup2 Succeeded
    "#]]
    .assert_eq(&play.attempts(6, only("sup2")));
}

#[test]
fn what_is_configured_is_what_happens() {
    let hasty = Switching { retry_minutes: 5, retries: 1, delay_minutes: 0 };
    let mut play = Play::new(&[0, 0, 7], hasty);
    play.attempts(1, only("sup0"));
    expect![[r#"
        0.0 sup0 Failed
        5.0 sup0 Failed
        5.0 sup1 Failed
        6.0 sup0 Failed
        7.0 sup1 Failed
        8.0 sup2 Failed
        9.0 sup0 Failed
        10.0 sup1 Failed
    "#]]
    .assert_eq(&play.attempts(8, none));
}

#[test]
fn who_knows_none_yet_tries_all_of_its_list_in_one_attempt() {
    let mut play = Play::new(&[0, 0, 1], USUAL);
    expect![[r#"
        0.0 sup0 Failed
        0.0 sup1 Failed
        0.2 sup0 Failed
        0.2 sup1 Failed
        0.8 sup0 Failed
        0.8 sup1 Failed
        3.5 sup0 Failed
        3.5 sup1 Failed
        3.5 sup2 Failed
    "#]]
    .assert_eq(&play.attempts(4, none));
    // Never further apart than the settings say.
    for _ in 0..9 {
        let before = play.now;
        play.attempt(none);
        assert!(play.now.0 - before.0 <= 30 * MINUTE_MS);
    }
}

#[test]
fn time_in_which_a_computer_was_off_or_elsewhere_is_no_failure() {
    let mut play = Play::new(&[0, 0], USUAL);
    play.attempts(1, only("sup0"));
    play.attempts(2, none);
    // A week off: of it no more counts than a client that is on would have waited.
    play.after(7 * 24 * 60);
    play.attempts(1, none);
    assert_eq!(play.explained().failing_minutes, 60);
    // Elsewhere for a day.
    for _ in 0..48 {
        play.attempts(1, |_| Ended::Away);
    }
    assert_eq!((play.explained().failing_minutes, play.explained().failures), (60, 3));
    // Back at home it still is the same one.
    play.now = START;
    expect![[r#"
        0.0 sup0 Failed
        30.0 sup0 Failed
        60.0 sup0 Failed
        62.0 sup1 Succeeded
    "#]]
    .assert_eq(&play.attempts(4, only("sup1")));
}

#[test]
fn what_trying_again_does_not_help_waits_for_the_next_scan() {
    let mut play = Play::new(&[0, 0], USUAL);
    play.attempts(1, only("sup0"));
    assert_eq!(play.attempts(5, |_| Ended::FailedForGood), "0.0 sup0 FailedForGood\n");
    assert_eq!(play.next(), Next::Asked);
    play.after(7 * 24 * 60);
    assert_eq!(play.next(), Next::Asked);
    play.point.ask();
    assert_eq!(play.attempts(1, only("sup0")), "10080.0 sup0 Succeeded\n");
    assert_eq!(Ended::with("0x8024401C".parse().expect("a code")), Ended::Failed);
    assert_eq!(Ended::with("0x80240438".parse().expect("a code")), Ended::FailedForGood);
    let codes = Hresult::all().filter(|code| Ended::with(*code) == Ended::Failed);
    assert_eq!(codes.count(), 36);
}

#[test]
fn who_altered_a_document_is_left_at_once() {
    let mut play = Play::new(&[0, 0], USUAL);
    play.attempts(1, only("sup0"));
    let evil = |url: &str| match url {
        "sup0" => Ended::Refused,
        _ => Ended::Failed,
    };
    expect![[r#"
        0.0 sup0 Refused
        0.0 sup1 Failed
        0.1 sup1 Failed
    "#]]
    .assert_eq(&play.attempts(3, evil));
    play.after(121);
    assert_eq!(play.attempts(1, only("sup0")), "121.1 sup1 Failed\n");
    play.after(120);
    // Whoever repaired it is heard again.
    let log = play.attempts(1, only("sup0"));
    assert!(log.ends_with("sup0 Succeeded\n"), "{log}");
    // Where there is no other, the one that is there is asked all the same.
    let mut alone = Play::new(&[0], USUAL);
    alone.attempts(1, |_| Ended::Refused);
    assert!(matches!(alone.next(), Next::Try(servers) if servers.len() == 1));
}

#[test]
fn who_is_behind_is_asked_again_soon_and_left_if_it_stays_behind() {
    let mut play = Play::new(&[0, 0], USUAL);
    play.attempts(1, only("sup0"));
    let behind = |url: &str| if url == "sup0" { Ended::Behind } else { Ended::Succeeded };
    let log = play.attempts(50, behind);
    let lines: Vec<&str> = log.lines().collect();
    expect![[r#"
        0.0 sup0 Behind
        0.1 sup0 Behind
        0.2 sup0 Behind
        0.6 sup0 Behind"#]]
    .assert_eq(&lines[..4].join("\n"));
    let first = lines.iter().find(|line| line.contains("sup1")).expect("left");
    let minutes: f64 = first.split(' ').next().expect("a time").parse().expect("a number");
    assert!((120.0..=152.0).contains(&minutes), "{log}");
}

#[test]
fn nobody_is_waited_for_in_vain() {
    let mut play = Play::new(&[], USUAL);
    assert_eq!(play.next(), Next::Nobody);
    // Nobody waits for somebody whom no one gave him.
    play.servers = servers(&[30, 20]);
    assert_eq!(play.next(), Next::Try(vec![play.servers[1].clone()]));
}

#[test]
fn the_values_in_effect_and_the_next_step_are_explained() {
    let mut play = Play::new(&[0, 0, 240], USUAL);
    play.attempts(1, only("sup0"));
    play.attempts(3, none);
    expect![[r#"
        a scan that fails is tried again every 30 minutes; after 4 of those and 2 minutes more the next update point is asked
        sup0: kept
        sup1: usable
        sup2: after 240 minutes of failing
        3 scans failed in 60 minutes: it says no
        at 2026-11-20T11:30:00.000Z a scan asks sup0"#]]
    .assert_eq(&play.explained().to_string());
    play.attempts(2, none);
    let next = play.explained().next;
    expect!["at 2026-11-20T12:02:00.000Z a scan asks sup1"].assert_eq(&next);
    play.attempts(1, |_| Ended::Refused);
    expect![[r#"
        a scan that fails is tried again every 30 minutes; after 4 of those and 2 minutes more the next update point is asked
        sup0: kept
        sup1: refused until 2026-11-20T14:04:00.000Z
        sup2: after 240 minutes of failing
        5 scans failed in 122 minutes: it says no
        at 2026-11-20T12:30:00.000Z a scan asks sup0"#]]
    .assert_eq(&play.explained().to_string());
}

fn ends() -> impl Strategy<Value = Ended> {
    prop_oneof![
        4 => Just(Ended::Failed),
        2 => Just(Ended::Succeeded),
        1 => Just(Ended::Behind),
        1 => Just(Ended::FailedForGood),
        1 => Just(Ended::Refused),
        1 => Just(Ended::Away),
    ]
}

proptest! {
    #[test]
    fn a_good_one_is_left_only_after_its_minutes_or_its_own_dishonesty(
        steps in prop::collection::vec((ends(), 0..90_i64), 0..60),
        after in prop::collection::vec(0..200_u32, 1..4),
        (retry_minutes, retries, delay_minutes) in (1..60_u32, 1..5_u32, 0..5_u32),
    ) {
        let switching = Switching { retry_minutes, retries, delay_minutes };
        let mut play = Play::new(&after, switching);
        // The one that served last, and since when it fails.
        let mut good: Option<(String, Option<Timestamp>)> = None;
        for (ended, idle) in steps {
            play.after(idle);
            play.point.ask();
            if let Next::At(at) = play.next() {
                prop_assert!(at > play.now);
                play.now = at;
            }
            let next = play.next();
            let Next::Try(servers) = next else { panic!("{next:?} at its own time") };
            let url = &servers[0].url;
            match &good {
                Some((known, since)) if known != url => {
                    let since = since.expect("it has failed");
                    let limit = i64::from(retries * retry_minutes) * MINUTE_MS;
                    prop_assert!(play.now.0 - since.0 >= limit, "left too early");
                }
                Some(_) => prop_assert_eq!(servers.len(), 1),
                None => {}
            }
            play.point.tell(url, (ended, "so"), switching, play.now);
            match (ended, &mut good) {
                (Ended::Succeeded, good) => *good = Some((url.clone(), None)),
                (Ended::Refused, good) if good.as_ref().is_some_and(|g| g.0 == *url) => {
                    *good = None;
                }
                (Ended::Failed | Ended::Behind, Some((_, since))) => {
                    since.get_or_insert(play.now);
                }
                _ => {}
            }
            let kept = serde_json::to_string(&play.point).expect("text");
            prop_assert_eq!(&serde_json::from_str::<UpdatePoint>(&kept).expect("it"), &play.point);
        }
    }
}
