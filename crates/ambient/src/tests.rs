use super::*;

#[test]
fn the_same_seed_gives_the_same_ids() {
    let (a, b) = (Ambient::seeded(7, 1_000), Ambient::seeded(7, 1_000));
    assert_eq!((a.random_id(), a.ordered_id()), (b.random_id(), b.ordered_id()));
    assert_ne!(a.random_id(), a.random_id());
}

#[test]
fn ordered_ids_sort_by_time() {
    let clock = Arc::new(ManualClock::at(1_000));
    let ambient = Ambient::new(clock.clone(), Arc::new(SeededEntropy::new(1)));
    let first = ambient.ordered_id();
    clock.advance_ms(1);
    assert!(first < ambient.ordered_id());
}
