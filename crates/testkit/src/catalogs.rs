//! Small catalogs of any shape that change as a property says, and what may be deployed of them,
//! found the slow way.

use std::collections::BTreeSet;

use model::{Item, Ruling, Timestamp, UpdateId, Verdict};
use uuid::Uuid;

use crate::objects;

/// What a property chooses: what happens, and to which two.
pub type Word = (u8, u8, u8);

/// Updates of a catalog: enough for circles of circles.
const UPDATES: u8 = 8;

#[derive(Clone, Debug, Default)]
struct Fate {
    supersedes: BTreeSet<u8>,
    is_expired: bool,
    is_declined: bool,
    revision: u32,
}

/// Updates 1 to 8.
#[derive(Clone, Debug)]
pub struct Catalog {
    fates: Vec<Fate>,
}

impl Default for Catalog {
    /// Nothing happened to any.
    fn default() -> Catalog {
        Catalog { fates: vec![Fate::default(); usize::from(UPDATES)] }
    }
}

impl Catalog {
    pub fn all() -> impl Iterator<Item = u8> {
        1..=UPDATES
    }

    /// The updates that a byte means: one for each bit.
    #[must_use]
    pub fn some(byte: u8) -> Vec<u8> {
        Catalog::all().filter(|number| byte & (1 << (number - 1)) != 0).collect()
    }

    #[must_use]
    pub fn id(number: u8) -> UpdateId {
        UpdateId(Uuid::from_u128(number.into()))
    }

    /// Changes one update, and says which.
    pub fn change(&mut self, (what, one, other): Word) -> u8 {
        let (at, other) = (one % UPDATES, other % UPDATES + 1);
        let fate = &mut self.fates[usize::from(at)];
        match what % 8 {
            0..=2 => drop(fate.supersedes.insert(other)),
            3 => fate.is_expired = true,
            4 => fate.is_declined = true,
            5 => fate.is_declined = false,
            6 => fate.is_expired = false,
            _ => fate.supersedes.clear(),
        }
        fate.revision += 1;
        at + 1
    }

    fn fate(&self, number: u8) -> &Fate {
        &self.fates[usize::from(number - 1)]
    }

    #[must_use]
    pub fn item(&self, number: u8) -> Item {
        let Fate { supersedes, is_expired, revision, .. } = self.fate(number);
        let mut item = objects::item(number.into());
        item.update.revision += revision;
        item.expired = *is_expired;
        item.supersedes = supersedes.iter().map(|id| Catalog::id(*id)).collect();
        item
    }

    #[must_use]
    pub fn ruling(&self, number: u8) -> Ruling {
        let is_declined = self.fate(number).is_declined;
        let verdict = if is_declined { Verdict::Declined } else { Verdict::Kept };
        Ruling::new(Catalog::id(number), verdict, "ada", Timestamp(0))
    }

    #[must_use]
    pub fn is_offered(&self, number: u8) -> bool {
        let fate = self.fate(number);
        !fate.is_expired && !fate.is_declined
    }

    /// Whether something supersedes it, by whatever way, that it does not supersede itself.
    #[must_use]
    pub fn is_superseded(&self, number: u8) -> bool {
        Catalog::all()
            .any(|over| self.below(over).contains(&number) && !self.below(number).contains(&over))
    }

    /// What it supersedes, by whatever way.
    fn below(&self, number: u8) -> BTreeSet<u8> {
        let mut below = self.fate(number).supersedes.clone();
        loop {
            let more = below.iter().flat_map(|under| &self.fate(*under).supersedes);
            let more: BTreeSet<u8> = below.iter().chain(more).copied().collect();
            if more == below {
                return below;
            }
            below = more;
        }
    }

    /// Whether a new deployment may have it.
    #[must_use]
    pub fn may_be_deployed(&self, number: u8) -> bool {
        self.is_offered(number) && !self.is_superseded(number)
    }
}
