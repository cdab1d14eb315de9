//! Finding what is superseded among 100,000 updates, beside putting them into a map by their ids,
//! which nothing that looks at all of them can do without.
//!
//! Owns both sides, in turns, over the same updates. Fails if the count is wrong.

use std::collections::BTreeMap;

use ambient::Ambient;
use anyhow::{Result, ensure};
use model::{Superseding, Timestamp, UpdateId, superseded};

use crate::machine::{Meter, Spread};

const UPDATES: usize = 100_000;
/// Updates of one product follow each other in chains of so many.
const CHAIN: usize = 100;
const SEED: u64 = 7_001;
/// After one pair that does not count.
const PAIRS: usize = 7;

pub(crate) fn run() -> Result<()> {
    let updates = generate();
    let mut pairs = Vec::new();
    for _ in 0..=PAIRS {
        let meter = Meter::start()?;
        let found = superseded(&updates).len();
        let ours = meter.stop()?.wall;
        ensure!(found == UPDATES - UPDATES / CHAIN, "{found} updates are superseded");
        let meter = Meter::start()?;
        let map: BTreeMap<UpdateId, usize> = updates.iter().map(|u| u.id).zip(0..).collect();
        let floor = meter.stop()?.wall;
        ensure!(map.len() == UPDATES, "an id is there twice");
        pairs.push((ours, floor));
    }
    let pairs = &pairs[1..];
    let row = |name: &str, value: &dyn Fn(&(f64, f64)) -> f64| {
        let spread: Spread = pairs.iter().map(value).collect();
        println!("| {name} | {spread:.3} |");
    };
    println!("\n## Supersedence\n\n{UPDATES} updates in chains of {CHAIN}\n");
    println!("| {PAIRS} pairs, without pair 0 | median (min–max) |\n| --- | ---: |");
    row("what is superseded, s", &|(ours, _)| *ours);
    row("a map by id, s", &|(_, floor)| *floor);
    row("**ratio**", &|(ours, floor)| ours / floor);
    Ok(())
}

fn generate() -> Vec<Superseding> {
    let chance = Ambient::seeded(SEED, 0);
    let ids: Vec<UpdateId> = (0..UPDATES).map(|_| UpdateId(chance.random_id())).collect();
    let update = |number: usize| Superseding {
        id: ids[number],
        created_at: Timestamp::default(),
        // As publishers do, a few of its predecessors.
        supersedes: (1..=3.min(number % CHAIN)).map(|back| ids[number - back]).collect(),
    };
    (0..UPDATES).map(update).collect()
}
