use super::*;
use crate::limits::DAY_MS;
use crate::testing::NOW;

fn rules(values: &[(&str, &str)]) -> Rules {
    let own = |text: &&str| (*text).to_owned();
    let values = values.iter().map(|(name, value)| (own(name), own(value))).collect();
    Rules::of(&ClientOptions { values }, &Zone::utc())
}

#[test]
fn what_is_not_said_is_the_documented_default() {
    let rules = rules(&[]);
    assert_eq!((rules.reevaluate_ms, rules.detect_ms), (7 * DAY_MS, None));
    assert_eq!((rules.gather_ms, rules.grace_ms), (0, 0));
    assert_eq!((rules.missed_ms, rules.is_orchestrated), (5 * MINUTE_MS, false));
    assert_eq!((rules.restart.delay_ms, rules.restart.countdown_ms), (5_400_000, 900_000));
    assert_eq!((rules.restart.remind_ms, rules.restart.prompt_ms), (14_400_000, 1_800_000));
    assert!(rules.restart.is_forced && rules.restart.is_deferrable);
    assert_eq!(rules.installers, Installers::All);
    // It is Friday, 10:00; every day at three.
    assert_eq!(rules.schedule.next(NOW), Some(NOW.plus_ms(17 * HOUR_MS)));
    assert!(rules.schedule.is_immediate);
}

#[test]
fn what_is_said_holds_and_nonsense_is_the_default() {
    let said = rules(&[
        ("deadline.gather", "yes"),
        ("deadline.gather_period", "2d"),
        ("detection.hours", "12"),
        ("external_orchestrator", "yes"),
        ("grace.hours", "24"),
        ("install.at", "22:30"),
        ("install.by", "nobody"),
        ("install.day", "sunday"),
        ("install.immediate", "no"),
        ("missed.delay", "60"),
        ("restart.user_control", "no"),
    ]);
    assert_eq!((said.gather_ms, said.detect_ms), (2 * DAY_MS, Some(12 * HOUR_MS)));
    assert_eq!((said.grace_ms, said.missed_ms), (DAY_MS, HOUR_MS));
    assert!(said.is_orchestrated && !said.restart.is_deferrable && !said.schedule.is_immediate);
    assert_eq!(said.installers, Installers::Nobody);
    assert_eq!(said.schedule.next(NOW), Some(NOW.plus_ms(60 * HOUR_MS + HOUR_MS / 2)));
    assert_eq!(rules(&[("install.mode", "prompt")]).schedule.next(NOW), None);
    assert_eq!(rules(&[("missed.delay", "soon")]).missed_ms, 5 * MINUTE_MS);
}
