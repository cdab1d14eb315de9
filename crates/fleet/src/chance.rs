//! Chance of pretended computers: the same for the same seed.

/// A stream of numbers that looks random (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// A stream of its own for each `number`.
    pub(crate) fn new(seed: u64, number: u32) -> Chance {
        let mut chance = Chance(seed ^ u64::from(number).wrapping_mul(0xd1b5_4a32_d192_ed03));
        chance.draw();
        chance
    }

    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut drawn = self.0;
        drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        drawn ^ (drawn >> 31)
    }

    /// From nothing up to, but without, `end`.
    pub(crate) fn below(&mut self, end: i64) -> i64 {
        let end = u64::try_from(end).unwrap_or(0).max(1);
        i64::try_from(self.draw() % end).unwrap_or(0)
    }

    /// Whether one of so many of a thousand is met.
    pub(crate) fn hits(&mut self, of_thousand: u32) -> bool {
        self.below(1_000) < i64::from(of_thousand)
    }
}
