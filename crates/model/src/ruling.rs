//! What the top-level site decides of single updates, beyond what their publishers say (SUPX-05 …
//! SUPX-07).
//!
//! An update that is ruled out is offered to nobody and cannot be deployed; it stays in every
//! catalog, so that taking the ruling back restores it. What an administrator declined stays so in
//! every later revision, whatever a rule said before. One that was cleaned up is gone at one
//! revision: it comes back with a later one, or once somebody wants it back.

use crate::{Timestamp, UpdateId};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// By an administrator.
    Declined,
    /// Expired by the supersedence rule, and declined with that.
    Superseded,
    /// Cleaned up after its publisher had expired it.
    Expired,
    /// Kept by an administrator in spite of the supersedence rule and of cleanup.
    Kept,
}

impl Verdict {
    pub const ALL: [Verdict; 4] =
        [Verdict::Declined, Verdict::Superseded, Verdict::Expired, Verdict::Kept];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Declined => "declined",
            Verdict::Superseded => "superseded",
            Verdict::Expired => "expired",
            Verdict::Kept => "kept",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Verdict> {
        Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == name)
    }
}

/// What is left of an item that was cleaned up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleaned {
    pub revision: u32,
    /// The update's for ever; it gets it back.
    pub number: u32,
    /// The first catalog version without it.
    pub version: u64,
}

/// A decision about an update; its object id is the UpdateID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    pub update: UpdateId,
    pub verdict: Verdict,
    /// The administrator's account; empty: a rule.
    pub by: String,
    pub at: Timestamp,
    /// The supersedence rule expired it, also if an administrator declined it besides.
    pub is_superseded: bool,
    pub cleaned: Option<Cleaned>,
}

/// What becomes of the ruling about an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruled {
    Unchanged,
    Put(Ruling),
    /// Nothing is ruled of it any more.
    Removed,
}

impl Ruling {
    /// A ruling about an update that is here.
    #[must_use]
    pub fn new(update: UpdateId, verdict: Verdict, by: &str, at: Timestamp) -> Ruling {
        let is_superseded = verdict == Verdict::Superseded;
        Ruling { update, verdict, by: by.to_owned(), at, is_superseded, cleaned: None }
    }

    /// Whether the update is offered to nobody.
    #[must_use]
    pub fn is_declined(&self) -> bool {
        matches!(self.verdict, Verdict::Declined | Verdict::Superseded)
    }

    /// The cleanup by which catalogs hold it no more, unless an administrator wants it back.
    #[must_use]
    pub fn dropped(&self) -> Option<Cleaned> {
        self.cleaned.filter(|_| self.verdict != Verdict::Kept)
    }

    /// An administrator or the supersedence rule rules the update out. The word of the
    /// administrator takes the place of whatever a rule said; against it the rule has no say, but
    /// what it expires is noted.
    #[must_use]
    pub fn decline(held: Option<&Ruling>, new: Ruling) -> Ruled {
        let Some(held) = held else { return Ruled::Put(new) };
        let is_superseded = held.is_superseded || new.is_superseded;
        let is_by_rule = new.verdict != Verdict::Declined;
        match held.verdict {
            Verdict::Declined if is_superseded != held.is_superseded => {
                Ruled::Put(Ruling { is_superseded, ..held.clone() })
            }
            Verdict::Declined => Ruled::Unchanged,
            Verdict::Kept | Verdict::Superseded if is_by_rule => Ruled::Unchanged,
            Verdict::Expired if is_by_rule && held.cleaned.is_some() => Ruled::Unchanged,
            Verdict::Kept | Verdict::Superseded | Verdict::Expired => {
                Ruled::Put(Ruling { cleaned: held.cleaned, is_superseded, ..new })
            }
        }
    }

    /// An administrator takes it back. What the rule ruled out stays in spite of it from now on.
    #[must_use]
    pub fn reinstate(&self, by: &str, at: Timestamp) -> Ruled {
        match (self.verdict, self.cleaned) {
            (Verdict::Kept, _) => Ruled::Unchanged,
            (Verdict::Declined, None) if !self.is_superseded => Ruled::Removed,
            (Verdict::Declined | Verdict::Superseded | Verdict::Expired, cleaned) => {
                let kept = Ruling::new(self.update, Verdict::Kept, by, at);
                Ruled::Put(Ruling { cleaned, ..kept })
            }
        }
    }

    /// What stays of it when the update comes back, or gets a new revision: the decisions of
    /// administrators.
    #[must_use]
    pub fn renewed(&self) -> Ruled {
        match self.verdict {
            Verdict::Superseded | Verdict::Expired => Ruled::Removed,
            Verdict::Declined | Verdict::Kept if self.cleaned.is_none() && !self.is_superseded => {
                Ruled::Unchanged
            }
            Verdict::Declined | Verdict::Kept => {
                Ruled::Put(Ruling { cleaned: None, is_superseded: false, ..self.clone() })
            }
        }
    }
}

#[cfg(test)]
mod tests;
