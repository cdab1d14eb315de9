use super::*;
use crate::testing::NOW;

#[test]
fn waits_grow_to_a_bound_and_differ() {
    let mut chance = Chance::new(1);
    let mut turn = Turn::at(Some(NOW));
    let mut last = 0;
    for round in 0..20 {
        turn.failed(NOW, &mut chance);
        let wait = turn.due.expect("due").0 - NOW.0;
        let whole = (5_000_i64 << round.min(16)).min(900_000);
        assert!((whole / 2..=whole).contains(&wait), "{round}: {wait} of {whole}");
        last = wait;
    }
    assert!(last >= 450_000);
    turn.succeeded();
    turn.failed(NOW, &mut chance);
    assert!(turn.due.expect("due").0 - NOW.0 <= 5_000);
    let draws: std::collections::BTreeSet<_> =
        (0..100).map(|_| chance.within(NOW, 1_000_000)).collect();
    assert!(draws.len() > 90);
    assert_eq!(Chance::new(7).within(NOW, 0), NOW);
}

#[test]
fn a_clock_that_was_set_back_puts_nothing_off() {
    let mut turn = Turn::at(Some(NOW.plus_ms(1_000)));
    turn.shift(500_000);
    assert!(turn.is_due(NOW.plus_ms(1_000 - 500_000)));
    assert!(!turn.is_due(NOW.plus_ms(999 - 500_000)));
}
