use expect_test::expect;
use proptest::prelude::*;

use super::*;

fn profile(code: &str, order: u32, values: &[(&str, &str)]) -> SettingsProfile {
    SettingsProfile {
        code: ObjectCode::new(code).expect("a code"),
        name: code.to_owned(),
        order,
        collections: Vec::new(),
        values: values.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
    }
}

const SITE: ClientSettings = ClientSettings {
    policy_poll_ms: 3_600_000,
    state_batch_ms: 900_000,
    scan_interval_ms: 604_800_000,
    catalog_version: 7,
};

#[test]
fn the_lowest_order_wins_for_each_setting_and_the_defaults_come_last() {
    let defaults = profile(
        DEFAULT_SETTINGS,
        0,
        &[("grace.hours", "1"), ("metered", "allow"), ("restart.delay", "60")],
    );
    let low = profile("PR100002", 10, &[("grace.hours", "2"), ("scan.every", "1d")]);
    let high = profile("PR100001", 20, &[("grace.hours", "3"), ("metered", "limit")]);
    let found = resultant([&high, &defaults, &low]);
    let chosen = found.all().filter(|chosen| chosen.profile.is_some()).map(|chosen| {
        let profile = chosen.profile.map(ToString::to_string).unwrap_or_default();
        format!("{} = {} by {profile}\n", chosen.setting.name, chosen.value)
    });
    expect![[r#"
        grace.hours = 2 by PR100002
        metered = limit by PR100001
        restart.delay = 60 by SMS00005
        scan.every = 1d by PR100002
    "#]]
    .assert_eq(&chosen.collect::<String>());
    assert_eq!(found.settings(SITE).scan_interval_ms, 86_400_000);
    // Without the profile its settings are what they were.
    let left = resultant([&defaults]);
    assert_eq!((left.get("grace.hours"), left.settings(SITE)), ("1", SITE));
}

#[test]
fn what_nobody_set_is_as_recommended_and_is_told_to_no_client() {
    let nothing = resultant([]);
    assert_eq!(nothing.options(), ClientOptions { values: Vec::new() });
    assert_eq!(nothing.settings(SITE), SITE);
    let shown = nothing.all().filter(|chosen| chosen.setting.id.starts_with("INT"));
    let shown = shown.map(|chosen| format!("{} = {}\n", chosen.setting.name, chosen.value));
    expect![[r#"
        agent.prompt = yes
        agent.schedule = none
        detection.hours = 8
        install.at = 03:00
        install.day = every
        install.immediate = yes
        install.maintenance = yes
        install.mode = automatic
        missed.delay = 5
        restart.prompt_delay = 30
        restart.scheduled_delay = 15
        restart.user_control = yes
    "#]]
    .assert_eq(&shown.collect::<String>());
    // A value that is set to the default again is not told either.
    let same = profile("PR100001", 1, &[("grace.hours", "0"), ("later.setting", "1")]);
    let told = resultant([&same]).options().values;
    assert_eq!(told, [("later.setting".to_owned(), "1".to_owned())]);
}

proptest! {
    #[test]
    fn the_order_in_which_profiles_come_means_nothing(
        made in prop::collection::vec((0..4_usize, 1..5_u32, 0..9_u32), 0..8).prop_shuffle(),
    ) {
        let names = ["delta.port", "grace.hours", "restart.delay", "restart.remind"];
        let profiles: Vec<_> = made.iter().enumerate().map(|(n, (name, order, value))| {
            profile(&format!("PR1{n:05}"), *order, &[(names[*name], &value.to_string())])
        }).collect();
        let forward = resultant(&profiles);
        prop_assert_eq!(&forward, &resultant(profiles.iter().rev()));
        for name in names {
            let rank = |profile: &&SettingsProfile| (profile.order, profile.code.clone());
            let naming = profiles.iter().filter(|profile| profile.values[0].0 == name);
            let winner = naming.min_by_key(rank).map(|profile| profile.values[0].1.as_str());
            let default = setting_named(name).expect("there").default;
            prop_assert_eq!(forward.get(name), winner.unwrap_or(default));
        }
    }
}
