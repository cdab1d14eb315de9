use expect_test::expect;
use model::{AssignedWindow, ObjectCode, WindowKind, WindowZone};
use recurrence::{Use, Zone};

use super::*;
use crate::testing::{HOUR_MS, NOW};

const RULES: Rules = Rules {
    delay_ms: 90 * MINUTE_MS,
    countdown_ms: 15 * MINUTE_MS,
    remind_ms: 240 * MINUTE_MS,
    prompt_ms: 30 * MINUTE_MS,
    scheduled_delay_ms: 15 * MINUTE_MS,
    is_forced: true,
    is_deferrable: true,
};

const NEED: Need = Need {
    since: NOW,
    not_before: Some(NOW),
    is_suppressed: false,
    is_outside_window: false,
    is_told: true,
};

struct Case {
    needs: Vec<Need>,
    rules: Rules,
    calendar: Calendar,
    has_users: bool,
    deferred_to: Option<Timestamp>,
    is_wished: bool,
    told_at: Option<Timestamp>,
}

fn case() -> Case {
    Case {
        needs: vec![NEED],
        rules: RULES,
        calendar: Calendar::default(),
        has_users: false,
        deferred_to: None,
        is_wished: false,
        told_at: None,
    }
}

/// Minutes from the installation.
fn at(minutes: i64) -> Timestamp {
    NOW.plus_ms(minutes * MINUTE_MS)
}

impl Case {
    fn decide(&self, now: Timestamp) -> Decision {
        decide(&Scene {
            needs: &self.needs,
            rules: &self.rules,
            calendar: &self.calendar,
            has_users: self.has_users,
            deferred_to: self.deferred_to,
            is_wished: self.is_wished,
            told_at: self.told_at,
            now,
        })
    }

    /// Minute by minute until the restart: what users are told, and when it comes.
    fn play(mut self) -> String {
        let mut log = String::new();
        for minute in 0..=3 * 24 * 60 {
            let decision = self.decide(at(minute));
            if let Some(remaining) = decision.notice {
                let remaining = remaining.map(|ms| ms / MINUTE_MS);
                log += &format!("{minute}: told {remaining:?}\n");
                self.told_at = Some(at(minute));
            }
            if decision.is_due {
                log += &format!("{minute}: restart\n");
                return log;
            }
        }
        log + &format!("{:?}\n", self.decide(at(0)).standing)
    }
}

#[test]
fn nobody_there_means_at_once_and_not_before_the_deadline() {
    assert_eq!(case().decide(NOW).standing, Standing::At(NOW, None));
    assert!(case().decide(NOW).is_due);
    let mut early = case();
    early.needs[0].not_before = Some(at(300));
    let decision = early.decide(NOW);
    assert_eq!((decision.is_due, decision.wake_at), (false, Some(at(300))));
    assert!(early.decide(at(300)).is_due);
    // The first deadline of several brings it for all.
    early.needs.push(Need { not_before: Some(at(200)), ..NEED });
    assert!(early.decide(at(200)).is_due);
}

#[test]
fn users_are_told_reminded_and_told_for_the_last_time() {
    expect![[r#"
        0: told Some(90)
        75: told Some(15)
        90: restart
    "#]]
    .assert_eq(&Case { has_users: true, ..case() }.play());
    let slow = Rules { delay_ms: 10 * HOUR_MS, ..RULES };
    expect![[r#"
        0: told Some(600)
        240: told Some(360)
        480: told Some(120)
        585: told Some(15)
        600: restart
    "#]]
    .assert_eq(&Case { has_users: true, rules: slow, ..case() }.play());
    // Who may not put it off is told once and has a quarter of an hour.
    let firm = Rules { is_deferrable: false, ..RULES };
    expect![[r#"
        0: told Some(15)
        15: restart
    "#]]
    .assert_eq(&Case { has_users: true, rules: firm, ..case() }.play());
}

#[test]
fn it_is_put_off_but_not_for_ever() {
    let rules = Rules { delay_ms: 4 * HOUR_MS, ..RULES };
    let deferred =
        Case { has_users: true, deferred_to: Some(at(120)), told_at: Some(NOW), rules, ..case() };
    expect![[r#"
        30: told Some(90)
        60: told Some(60)
        90: told Some(30)
        105: told Some(15)
        120: restart
    "#]]
    .assert_eq(&deferred.play());
    let long = Case { has_users: true, deferred_to: Some(at(9_999)), rules, ..case() };
    assert_eq!(long.decide(NOW).standing, Standing::At(at(240), Some(at(240))));
}

#[test]
fn suppressed_or_forbidden_it_waits_for_another_reason() {
    let mut suppressed = case();
    suppressed.needs[0].is_suppressed = true;
    assert_eq!(suppressed.decide(at(9_999)).standing, Standing::Suppressed);
    // One that is not suppressed is enough.
    suppressed.needs.push(NEED);
    assert!(suppressed.decide(NOW).is_due);
    let forbidden = Case { rules: Rules { is_forced: false, ..RULES }, ..case() };
    assert_eq!(forbidden.decide(at(9_999)).standing, Standing::Asked);
    assert!(!forbidden.decide(at(9_999)).is_due);
    assert!(Case { is_wished: true, ..forbidden }.decide(NOW).is_due);
    let available = Need { not_before: None, ..NEED };
    let asked = Case { needs: vec![available], has_users: true, ..case() };
    assert_eq!(asked.decide(NOW).notice, Some(None));
    assert_eq!(case().decide(NOW).notice, None);
    let hidden = Case { needs: vec![Need { is_told: false, ..NEED }], has_users: true, ..case() };
    expect!["90: restart\n"].assert_eq(&hidden.play());
}

#[test]
fn it_keeps_to_windows_unless_the_deployment_says_otherwise() {
    let window = AssignedWindow {
        code: ObjectCode::new("PR100001").expect("a code"),
        at: "0 12 * * *".to_owned(),
        zone: WindowZone::Named("UTC".to_owned()),
        minutes: 60,
        kind: WindowKind::All,
    };
    // It is 10:00.
    let (calendar, _) = Calendar::of(&[window], Use::Otherwise, &Zone::utc());
    let bound = Case { calendar: calendar.clone(), ..case() };
    assert_eq!(bound.decide(NOW).wake_at, Some(at(120)));
    assert!(bound.decide(at(120)).is_due);
    // Too late for today: what is left of the window has no room.
    assert_eq!(bound.decide(at(175)).wake_at, Some(at(120 + 24 * 60)));
    let free = Need { is_outside_window: true, ..NEED };
    assert!(Case { needs: vec![free], calendar, ..case() }.decide(NOW).is_due);
}

#[test]
fn no_need_is_no_restart() {
    assert_eq!(Case { needs: Vec::new(), ..case() }.decide(NOW), Decision::none());
    let none = Case { needs: Vec::new(), is_wished: true, ..case() };
    assert_eq!(none.decide(NOW).standing, Standing::None);
}
