use expect_test::expect;
use proptest::prelude::*;

use super::*;
use crate::limits::{DAY_MS, HOUR_MS};

const NOW: Timestamp = Timestamp(1_795_168_800_000);

fn named(number: u8) -> Sha256 {
    Sha256([number; 32])
}

fn file(number: u8, size: u64, age_ms: i64) -> Cached {
    Cached { sha256: named(number), size, used_at: NOW.plus_ms(-age_ms) }
}

fn told(swept: &Sweep) -> String {
    let line = |(file, fate): &(Cached, Fate)| format!("{} {fate:?}\n", file.sha256.0[0]);
    let lines: String = swept.files.iter().map(line).collect();
    format!("{lines}excess {}\n", swept.excess)
}

#[test]
fn the_lower_of_megabytes_and_percent_holds() {
    let set = |values: &[(&str, &str)]| {
        let values = values.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        ClientOptions { values: values.collect() }
    };
    let none = set(&[]);
    let bytes = |options, disk| CacheLimits::of(options, disk).bytes_max;
    assert_eq!(CacheLimits::of(&none, None).age_min_ms, DAY_MS);
    assert_eq!(bytes(&none, None), 5_120_000_000);
    assert_eq!(bytes(&none, Some(1_000_000_000_000)), 5_120_000_000);
    assert_eq!(bytes(&none, Some(10_000_000_000)), 2_000_000_000);
    let small = set(&[("cache.max_mb", "100"), ("cache.min_age", "0")]);
    let limits = CacheLimits { bytes_max: 100_000_000, age_min_ms: 0 };
    assert_eq!(CacheLimits::of(&small, Some(10_000_000_000)), limits);
}

#[test]
fn what_was_used_longest_ago_goes_first_and_only_as_much_as_there_must() {
    let limits = CacheLimits { bytes_max: 100, age_min_ms: DAY_MS };
    let cached = [
        file(1, 30, 2 * DAY_MS),
        file(2, 30, 4 * DAY_MS),
        file(3, 30, 3 * DAY_MS),
        file(4, 20, HOUR_MS),
        file(5, 10, 9 * DAY_MS),
    ];
    let needed = BTreeSet::from([named(5)]);
    expect![[r#"
        5 Needed
        2 Dropped
        3 Fits
        1 Fits
        4 Young { until: Timestamp(1795251600000) }
        excess 0
    "#]]
    .assert_eq(&told(&sweep(&cached, &needed, limits, Occasion::Coming(10), NOW)));
    // An update that needs more than there is comes nevertheless.
    expect![[r#"
        5 Needed
        2 Dropped
        3 Dropped
        1 Dropped
        4 Young { until: Timestamp(1795251600000) }
        excess 430
    "#]]
    .assert_eq(&told(&sweep(&cached, &needed, limits, Occasion::Coming(500), NOW)));
    expect![[r#"
        5 Needed
        2 Dropped
        3 Dropped
        1 Dropped
        4 Young { until: Timestamp(1795251600000) }
        excess 0
    "#]]
    .assert_eq(&told(&sweep(&cached, &needed, limits, Occasion::DiskFull, NOW)));
    // Who empties it by hand does not mean to wait a day.
    expect![[r#"
        5 Needed
        2 Dropped
        3 Dropped
        1 Dropped
        4 Dropped
        excess 0
    "#]]
    .assert_eq(&told(&sweep(&cached, &needed, limits, Occasion::Asked, NOW)));
}

fn occasions() -> impl Strategy<Value = Occasion> {
    prop_oneof![
        (0..200_u64).prop_map(Occasion::Coming),
        Just(Occasion::DiskFull),
        Just(Occasion::Asked),
    ]
}

proptest! {
    #[test]
    fn nothing_needed_or_young_goes_and_room_is_made_wherever_it_can(
        made in prop::collection::btree_map(0..40_u8, (1..60_u64, 0..6_i64, any::<bool>()), 0..20),
        bytes_max in 0..400_u64,
        days in 0..4_i64,
        occasion in occasions(),
    ) {
        let cached: Vec<Cached> =
            made.iter().map(|(n, (size, days, _))| file(*n, *size, days * DAY_MS)).collect();
        let needed = made.iter().filter(|(_, made)| made.2).map(|(n, _)| named(*n)).collect();
        let limits = CacheLimits { bytes_max, age_min_ms: days * DAY_MS };
        let swept = sweep(&cached, &needed, limits, occasion, NOW);
        let gone: BTreeSet<Sha256> = swept.dropped().collect();
        prop_assert!(gone.is_disjoint(&needed));
        prop_assert_eq!(swept.files.len(), cached.len());
        let is_young = |file: &Cached| NOW.0 - file.used_at.0 < limits.age_min_ms;
        let may_go = |file: &Cached| {
            !needed.contains(&file.sha256) && (occasion == Occasion::Asked || !is_young(file))
        };
        prop_assert!(cached.iter().filter(|file| gone.contains(&file.sha256)).all(may_go));
        let stays: u64 =
            cached.iter().filter(|f| !gone.contains(&f.sha256)).map(|f| f.size).sum();
        let Occasion::Coming(bytes) = occasion else {
            prop_assert!(!cached.iter().any(|f| may_go(f) && !gone.contains(&f.sha256)));
            return Ok(());
        };
        prop_assert_eq!(swept.excess, (stays + bytes).saturating_sub(bytes_max));
        let order = |file: &Cached| (file.used_at, file.sha256);
        let last = cached.iter().filter(|f| gone.contains(&f.sha256)).max_by_key(|f| order(f));
        let first = cached.iter().filter(|f| may_go(f) && !gone.contains(&f.sha256));
        let first = first.min_by_key(|f| order(f));
        // All that could go went, or it is enough.
        prop_assert!(first.is_none() || swept.excess == 0);
        if let Some(last) = last {
            // Without the last that went it would not have been enough, and older ones went first.
            prop_assert!(stays + last.size + bytes > bytes_max);
            prop_assert!(first.is_none_or(|first| order(last) < order(first)));
        }
    }
}
