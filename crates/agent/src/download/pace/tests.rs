use model::ClientOptions;

use super::*;

const NOW: Timestamp = Timestamp(1_795_168_800_000);

fn throttle(kbps: &str) -> Option<Throttle> {
    let said = [
        ("throttle.enabled", "yes"),
        ("throttle.from", "00:00"),
        ("throttle.inside", kbps),
        ("throttle.to", "00:00"),
    ];
    let values = said.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Throttle::of(&ClientOptions { values })
}

#[test]
fn a_new_rate_holds_at_once_and_the_same_one_forgives_nothing() {
    let (pace, clock) = (Pace::default(), Zone::utc());
    assert_eq!(pace.spend(1 << 40, NOW), Duration::ZERO);
    pace.follow(throttle("8"), &clock);
    assert_eq!(pace.spend(1_000_000, NOW), Duration::from_secs(1_000));
    pace.follow(throttle("8"), &clock);
    assert_eq!(pace.spend(1_000, NOW), Duration::from_secs(1_001));
    pace.follow(throttle("80"), &clock);
    assert_eq!(pace.spend(1_000, NOW), Duration::from_millis(100));
    pace.follow(None, &clock);
    assert_eq!(pace.spend(1_000, NOW), Duration::ZERO);
}

#[test]
fn a_drip_is_not_waited_for_however_regular_it_is() {
    let mut flow = Flow::steady();
    let drip = |flow: &mut Flow, bytes| flow.goes_on(bytes, (NOW, NOW.plus_ms(1_000)));
    assert_eq!((0..59).filter(|_| drip(&mut flow, 1)).count(), 59);
    assert!(!drip(&mut flow, 1));
    // Little for a minute, and then enough.
    assert_eq!((0..59).filter(|_| drip(&mut flow, 1)).count(), 59);
    assert!(drip(&mut flow, limits::FLOW_BYTES_MIN));
    // A source that waits for nobody is never too slow.
    assert!((0..1_000).all(|_| flow.goes_on(0, (NOW, NOW))));
}
