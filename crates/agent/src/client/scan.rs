//! What a catalog means for a computer.
//!
//! Each document is judged on its own as it comes by, so that no more than one is in memory; then
//! prerequisites and bundles join the judgments. What cannot be judged is Unknown with a reason,
//! never guessed.

use std::cell::RefCell;
use std::collections::BTreeMap;

use model::{Sha256, UpdateId, UpdateRef};
use update_metadata::{Applicability, Document, Facts, Relations, Truth, evaluate};

use crate::limits::NESTING_MAX;

/// One update on this computer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) update: UpdateRef,
    pub(crate) document: Sha256,
    /// Deployable on its own, and therefore counted and reported.
    pub(crate) is_visible: bool,
    pub(crate) has_files: bool,
    pub(crate) verdict: Applicability,
    /// Of a bundle: the update to install for each part that is required.
    pub(crate) members: Vec<UpdateId>,
    pub(crate) is_bundle: bool,
}

/// The result of a scan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scan {
    pub(crate) updates: BTreeMap<UpdateId, Judged>,
}

impl Scan {
    pub(crate) fn visible(&self) -> impl Iterator<Item = &Judged> {
        self.updates.values().filter(|judged| judged.is_visible)
    }
}

/// A scan in the making.
#[derive(Debug, Default)]
pub(crate) struct Scanning {
    entries: BTreeMap<UpdateId, Entry>,
}

#[derive(Debug)]
struct Entry {
    update: UpdateRef,
    document: Sha256,
    is_visible: bool,
    is_item: bool,
    is_expired: bool,
    has_files: bool,
    relations: Relations,
    own: Applicability,
}

impl Scanning {
    /// `facts` must speak of the files that the document asks for.
    pub(crate) fn add(&mut self, document: &Document, sha256: Sha256, facts: &Facts) {
        let rules = &document.rules;
        let is_silent = rules.is_installed.is_none() && rules.is_installable.is_none();
        // A bundle without rules of its own is what its members are.
        let own = match document.relations.bundled.is_empty() || !is_silent {
            true => evaluate(document, facts),
            false => Applicability::Applicable,
        };
        let is_item = document.is_item();
        let entry = Entry {
            update: document.update,
            document: sha256,
            is_visible: is_item && document.properties.is_explicitly_deployable,
            is_item,
            is_expired: document.properties.is_expired,
            has_files: !document.files.is_empty(),
            relations: document.relations.clone(),
            own,
        };
        self.entries.insert(document.update.id, entry);
    }

    pub(crate) fn finish(self) -> Scan {
        let judge = Judge { entries: &self.entries, verdicts: RefCell::default() };
        let items = self.entries.iter().filter(|(_, entry)| entry.is_item);
        let judged = |(id, entry): (&UpdateId, &Entry)| {
            let verdict = judge.verdict(*id, 0);
            let judged = Judged {
                update: entry.update,
                document: entry.document,
                is_visible: entry.is_visible,
                has_files: entry.has_files,
                members: judge.members(entry),
                is_bundle: !entry.relations.bundled.is_empty(),
                verdict,
            };
            (*id, judged)
        };
        Scan { updates: items.map(judged).collect() }
    }
}

struct Judge<'a> {
    entries: &'a BTreeMap<UpdateId, Entry>,
    verdicts: RefCell<BTreeMap<UpdateId, Applicability>>,
}

impl Judge<'_> {
    fn verdict(&self, id: UpdateId, depth: usize) -> Applicability {
        if let Some(known) = self.verdicts.borrow().get(&id) {
            return known.clone();
        }
        let Some(entry) = self.entries.get(&id) else {
            return Applicability::Unknown(format!("{id} is not in the catalog"));
        };
        if depth > NESTING_MAX {
            return Applicability::Unknown(format!("{id} is nested too deeply"));
        }
        // Met again on the way, it depends on itself.
        let circular = Applicability::Unknown(format!("{id} depends on itself"));
        self.verdicts.borrow_mut().insert(id, circular);
        let verdict = self.judge(entry, depth + 1);
        self.verdicts.borrow_mut().insert(id, verdict.clone());
        verdict
    }

    fn judge(&self, entry: &Entry, depth: usize) -> Applicability {
        if entry.own == Applicability::NotApplicable {
            return Applicability::NotApplicable;
        }
        let installed = |id| match self.verdict(id, depth) {
            Applicability::Installed => Truth::True,
            Applicability::Unknown(reason) => Truth::Unknown(reason),
            Applicability::Applicable | Applicability::NotApplicable => Truth::False,
        };
        match entry.relations.prerequisites_met(installed) {
            Truth::True => {}
            Truth::False => return Applicability::NotApplicable,
            Truth::Unknown(reason) => return Applicability::Unknown(reason),
        }
        let verdict = match (&entry.own, &entry.relations.bundled[..]) {
            (own, []) | (own @ Applicability::Unknown(_), _) => own.clone(),
            (_, groups) => {
                let parts = groups.iter().map(|group| self.part(group, depth));
                join(parts, [Required, Doubt, Done])
            }
        };
        match verdict {
            // Listed still, offered no more.
            Applicability::Applicable if entry.is_expired => Applicability::NotApplicable,
            verdict => verdict,
        }
    }

    /// One member of each group belongs to a bundle.
    fn part(&self, group: &[UpdateRef], depth: usize) -> Applicability {
        let members = group.iter().map(|member| self.verdict(member.id, depth));
        join(members, [Done, Required, Doubt])
    }

    /// Only called once everything is judged, or about to be with the full depth to spare.
    fn members(&self, entry: &Entry) -> Vec<UpdateId> {
        let required = |group: &&Vec<UpdateRef>| self.part(group, 0) == Applicability::Applicable;
        let first = |group: &Vec<UpdateRef>| {
            let mut members = group.iter().map(|member| member.id);
            members.find(|id| self.verdict(*id, 0) == Applicability::Applicable)
        };
        entry.relations.bundled.iter().filter(required).filter_map(first).collect()
    }
}

/// Kinds of verdicts, to be ordered by what decides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Required,
    Doubt,
    Done,
    Nothing,
}
use Kind::{Done, Doubt, Nothing, Required};

fn kind(verdict: &Applicability) -> Kind {
    match verdict {
        Applicability::Applicable => Required,
        Applicability::Unknown(_) => Doubt,
        Applicability::Installed => Done,
        Applicability::NotApplicable => Nothing,
    }
}

/// The verdict of the kind that comes first in `order`; not applicable if there is none.
fn join(verdicts: impl Iterator<Item = Applicability>, order: [Kind; 3]) -> Applicability {
    let rank = |verdict: &Applicability| {
        order.iter().position(|decisive| *decisive == kind(verdict)).unwrap_or(order.len())
    };
    verdicts.min_by_key(rank).unwrap_or(Applicability::NotApplicable)
}

#[cfg(test)]
mod tests;
