use model::{ObjectCode, WindowKind, WindowZone};

use super::*;

fn window(code: &str, is_enabled: bool) -> Window {
    Window {
        code: ObjectCode::new(code).expect("a code"),
        name: "Nights".to_owned(),
        collection: ObjectCode::new("PR100001").expect("a code"),
        at: "0 1 * * SAT".to_owned(),
        zone: WindowZone::Client,
        minutes: 180,
        kind: WindowKind::All,
        is_enabled,
    }
}

#[test]
fn a_client_is_told_each_window_once_and_none_that_is_disabled() {
    let (first, second, off) =
        (window("PR100002", true), window("PR100003", true), window("PR100004", false));
    // A client may be in several collections that have the same window only by one object each,
    // and come by it on several ways.
    let list = window_list([&second, &off, &first, &second]);
    let codes: Vec<_> = list.windows.iter().map(|window| window.code.as_str()).collect();
    assert_eq!(codes, ["PR100002", "PR100003"]);
    assert_eq!(window_list([&off]), WindowList::default());
}

#[test]
fn an_installation_takes_an_hour_unless_it_is_long_or_somebody_knows_better() {
    let set = UpdateSetting { update: LONG[0], max_run_minutes: Some(240), severity: None };
    let unset = UpdateSetting { max_run_minutes: None, ..set };
    let security = UpdateId(Uuid::from_u128(1));
    let found = [
        run_minutes(None, None),
        run_minutes(Some(security), None),
        run_minutes(Some(LONG[1]), None),
        run_minutes(Some(LONG[1]), Some(&set)),
        run_minutes(Some(LONG[1]), Some(&unset)),
    ];
    assert_eq!(found, [60, 60, 120, 240, 120]);
}
