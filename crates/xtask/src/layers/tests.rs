use super::*;

/// The order of the table is the proof that what it allows has no cycle.
#[test]
fn every_crate_uses_only_crates_above_it() {
    for (at, (name, uses)) in LAYERS.iter().enumerate() {
        let above: Vec<&str> = LAYERS[..at].iter().map(|(above, _)| *above).collect();
        assert!(!above.contains(name), "{name} is listed twice");
        let below: Vec<&str> = uses.split(' ').filter(|used| !above.contains(used)).collect();
        assert!(below.is_empty() || uses.is_empty(), "{name} uses {below:?}, not above it");
    }
}
