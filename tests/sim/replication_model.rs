//! docs/replication.md, section 8: the random model against the real crates.

use sim::{Mode, Violation, run_model};

const STEPS: u32 = 400;

/// Runs seeds and answers with the first bad one, so that a failure names what replays it.
fn first_bad(mode: Mode, seeds: std::ops::Range<u64>) -> Option<String> {
    for seed in seeds {
        let outcome = run_model(seed, mode, STEPS).expect("the databases work");
        if !outcome.violations.is_empty() || !outcome.diverged.is_empty() {
            return Some(format!("{mode:?}, seed {seed}: {outcome:#?}"));
        }
    }
    None
}

fn holds(mode: Mode, seeds: std::ops::Range<u64>) {
    if let Some(bad) = first_bad(mode, seeds) {
        panic!("{bad}");
    }
}

#[test]
fn lost_links_crashes_and_trims() {
    holds(Mode::Links, 0..100);
}

#[test]
fn announced_restores_and_lost_disks() {
    holds(Mode::Announced, 1_000..1_100);
}

#[test]
fn silent_rollbacks_end_as_forks_and_are_resolved() {
    holds(Mode::Silent, 2_000..2_100);
}

#[test]
fn a_log_of_keys_only_would_be_noticed() {
    let noticed = (3_000..3_030).any(|seed| {
        let outcome = run_model(seed, Mode::KeysOnly, STEPS).expect("the databases work");
        outcome.violations.iter().any(|v| matches!(v, Violation::OtherDigest { .. }))
    });
    assert!(noticed, "the planted fault went unnoticed");
}
