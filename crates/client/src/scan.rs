//! What a catalog means for a computer.
//!
//! Each document is judged on its own as it comes by, so that no more than one is in memory; then
//! prerequisites and bundles join the judgments. What cannot be judged is Unknown with a reason,
//! never guessed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::sync::Arc;

use model::{Sha256, UpdateId, UpdateRef};
use update_metadata::{Applicability, Document, Facts, Installer, Relations, Truth, evaluate};

use crate::agent_update::Wish;
use crate::limits::NESTING_MAX;

/// One update on this computer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    pub update: UpdateRef,
    pub document: Sha256,
    /// Deployable on its own, and therefore counted and reported.
    pub is_visible: bool,
    /// Listed still, counted no more.
    pub is_expired: bool,
    pub has_files: bool,
    /// It is a new version of the agent itself.
    pub is_agent: bool,
    /// Its installer may ask for a restart.
    pub may_restart: bool,
    pub verdict: Applicability,
    /// Of a bundle: the update to install for each part that is required.
    pub members: Vec<UpdateId>,
    /// Of a bundle: all that can belong to it, required or not.
    pub parts: Vec<UpdateId>,
    pub is_bundle: bool,
}

/// The result of a scan.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    pub updates: Judgments,
}

/// What is judged of each update. Clones share it: computers that are alike have it once, and
/// each keeps only what is different with it.
#[derive(Clone, Debug, Default)]
pub struct Judgments {
    shared: Arc<BTreeMap<UpdateId, Judged>>,
    own: BTreeMap<UpdateId, Judged>,
}

impl Judgments {
    #[must_use]
    pub fn get(&self, update: &UpdateId) -> Option<&Judged> {
        self.own.get(update).or_else(|| self.shared.get(update))
    }

    pub fn get_mut(&mut self, update: &UpdateId) -> Option<&mut Judged> {
        match self.own.entry(*update) {
            btree_map::Entry::Occupied(own) => Some(own.into_mut()),
            btree_map::Entry::Vacant(none) => {
                self.shared.get(update).map(|shared| none.insert(shared.clone()))
            }
        }
    }

    pub fn values(&self) -> impl Iterator<Item = &Judged> {
        self.shared.iter().map(|(id, shared)| self.own.get(id).unwrap_or(shared))
    }
}

impl FromIterator<(UpdateId, Judged)> for Judgments {
    fn from_iter<I: IntoIterator<Item = (UpdateId, Judged)>>(judged: I) -> Judgments {
        Judgments { shared: Arc::new(judged.into_iter().collect()), own: BTreeMap::new() }
    }
}

impl<'a> IntoIterator for &'a mut Judgments {
    type Item = (&'a UpdateId, &'a mut Judged);
    type IntoIter = btree_map::IterMut<'a, UpdateId, Judged>;

    /// Whoever changes all of them has nothing in common with others.
    fn into_iter(self) -> Self::IntoIter {
        let all = Arc::make_mut(&mut self.shared);
        all.append(&mut self.own);
        all.iter_mut()
    }
}

impl Scan {
    pub fn visible(&self) -> impl Iterator<Item = &Judged> {
        self.updates.values().filter(|judged| judged.is_visible)
    }

    /// What counts for compliance, here and at sites: what expired does not, installed or not.
    pub fn counted(&self) -> impl Iterator<Item = &Judged> {
        self.visible().filter(|judged| !judged.is_expired)
    }

    /// These are installed, as far as detection sees, and count as required all the same; so do
    /// the bundles that they belong to.
    pub(crate) fn withhold(&mut self, mut waiting: BTreeSet<UpdateId>) {
        while !waiting.is_empty() {
            for id in &waiting {
                if let Some(judged) = self.updates.get_mut(id) {
                    judged.verdict = Applicability::Applicable;
                }
            }
            let belongs = |judged: &Judged| {
                let parts = judged.parts.iter().filter(|part| waiting.contains(part));
                let news = parts.filter(|part| !judged.members.contains(part));
                let news: Vec<UpdateId> = news.copied().collect();
                (!news.is_empty()).then_some((judged.update.id, news))
            };
            let bundles: Vec<_> = self.updates.values().filter_map(belongs).collect();
            waiting.clear();
            for (id, news) in bundles {
                let Some(bundle) = self.updates.get_mut(&id) else { continue };
                bundle.members.extend(news);
                if bundle.verdict == Applicability::Installed {
                    waiting.insert(id);
                }
            }
        }
    }
}

/// A scan in the making. Of a document that is not for this computer nothing is kept but that.
#[derive(Debug, Default)]
pub struct Scanning {
    /// By their own rules alone, without members.
    judged: BTreeMap<UpdateId, Judged>,
    /// Of those that others may yet decide about.
    relations: BTreeMap<UpdateId, Relations>,
    /// Categories and detectoids.
    others: BTreeSet<UpdateId>,
}

impl Scanning {
    /// `facts` must speak of the files that the document asks for.
    pub fn add(&mut self, document: &Document, sha256: Sha256, facts: &Facts) {
        let Document { update, properties, relations, rules, .. } = document;
        let is_silent = rules.is_installed.is_none() && rules.is_installable.is_none();
        let (is_item, is_bundle) = (document.is_item(), !relations.bundled.is_empty());
        let judged = Judged {
            update: *update,
            document: sha256,
            is_visible: is_item && properties.is_explicitly_deployable,
            is_expired: properties.is_expired,
            has_files: !document.files.is_empty(),
            is_agent: is_agent(document),
            may_restart: document.may_restart(),
            // A bundle without rules of its own is what its members are.
            verdict: match is_bundle && is_silent {
                true => Applicability::Applicable,
                false => evaluate(document, facts),
            },
            members: Vec::new(),
            parts: relations.bundled.iter().flatten().map(|member| member.id).collect(),
            is_bundle,
        };
        self.forget(update.id);
        if judged.verdict != Applicability::NotApplicable || is_bundle {
            let Relations { prerequisites, bundled, superseded: _ } = relations.clone();
            let relations = Relations { prerequisites, bundled, superseded: Vec::new() };
            self.relations.insert(update.id, relations);
        }
        if !is_item {
            self.others.insert(update.id);
        }
        self.judged.insert(update.id, judged);
    }

    /// An earlier revision.
    fn forget(&mut self, update: UpdateId) {
        self.relations.remove(&update);
        self.others.remove(&update);
    }

    pub fn finish(self) -> Scan {
        let Scanning { mut judged, relations, others } = self;
        let judge = Judge { judged: &judged, relations: &relations, verdicts: RefCell::default() };
        let items = relations.iter().filter(|(id, _)| !others.contains(id));
        let open = items.map(|(id, relations)| {
            let verdict = judge.verdict(*id, 0);
            (*id, verdict, judge.members(relations))
        });
        let open: Vec<_> = open.collect();
        for (id, verdict, members) in open {
            if let Some(judged) = judged.get_mut(&id) {
                (judged.verdict, judged.members) = (verdict, members);
            }
        }
        judged.retain(|id, _| !others.contains(id));
        Scan { updates: Judgments { shared: Arc::new(judged), own: BTreeMap::new() } }
    }
}

fn is_agent(document: &Document) -> bool {
    match &document.installer {
        Some(Installer::CommandLine(command)) => {
            Wish::of(&command.program, &command.arguments).is_some()
        }
        Some(Installer::Windows { .. }) | None => false,
    }
}

struct Judge<'a> {
    judged: &'a BTreeMap<UpdateId, Judged>,
    relations: &'a BTreeMap<UpdateId, Relations>,
    verdicts: RefCell<BTreeMap<UpdateId, Applicability>>,
}

impl Judge<'_> {
    fn verdict(&self, id: UpdateId, depth: usize) -> Applicability {
        if let Some(known) = self.verdicts.borrow().get(&id) {
            return known.clone();
        }
        let Some(judged) = self.judged.get(&id) else {
            return Applicability::Unknown(format!("{id} is not in the catalog"));
        };
        let Some(relations) = self.relations.get(&id) else {
            return judged.verdict.clone();
        };
        if depth > NESTING_MAX {
            return Applicability::Unknown(format!("{id} is nested too deeply"));
        }
        // Met again on the way, it depends on itself.
        let circular = Applicability::Unknown(format!("{id} depends on itself"));
        self.verdicts.borrow_mut().insert(id, circular);
        let verdict = self.judge(judged, relations, depth + 1);
        self.verdicts.borrow_mut().insert(id, verdict.clone());
        verdict
    }

    fn judge(&self, judged: &Judged, relations: &Relations, depth: usize) -> Applicability {
        let own = &judged.verdict;
        if *own == Applicability::NotApplicable {
            return Applicability::NotApplicable;
        }
        let installed = |id| match self.verdict(id, depth) {
            Applicability::Installed => Truth::True,
            Applicability::Unknown(reason) => Truth::Unknown(reason),
            Applicability::Applicable | Applicability::NotApplicable => Truth::False,
        };
        match relations.prerequisites_met(installed) {
            Truth::True => {}
            Truth::False => return Applicability::NotApplicable,
            Truth::Unknown(reason) => return Applicability::Unknown(reason),
        }
        let groups = &relations.bundled;
        let parts = groups.iter().map(|group| self.part(group, depth));
        let verdict = match own {
            Applicability::Unknown(_) => own.clone(),
            _ if groups.is_empty() => own.clone(),
            _ => first(parts, of_all),
        };
        match verdict {
            // Listed still, offered no more.
            Applicability::Applicable if judged.is_expired => Applicability::NotApplicable,
            verdict => verdict,
        }
    }

    /// One member of each group belongs to a bundle.
    fn part(&self, group: &[UpdateRef], depth: usize) -> Applicability {
        first(group.iter().map(|member| self.verdict(member.id, depth)), of_one)
    }

    /// Only called once everything is judged, or about to be with the full depth to spare.
    fn members(&self, relations: &Relations) -> Vec<UpdateId> {
        let required = |group: &&Vec<UpdateRef>| self.part(group, 0) == Applicability::Applicable;
        let chosen = |group: &Vec<UpdateRef>| {
            let mut members = group.iter().map(|member| member.id);
            members.find(|id| self.verdict(*id, 0) == Applicability::Applicable)
        };
        relations.bundled.iter().filter(required).filter_map(chosen).collect()
    }
}

/// What decides about a bundle: a part that is required, then one that is in doubt.
fn of_all(verdict: &Applicability) -> u8 {
    match verdict {
        Applicability::Applicable => 0,
        Applicability::Unknown(_) => 1,
        Applicability::Installed => 2,
        Applicability::NotApplicable => 3,
    }
}

/// What decides about a part: a member that is installed, then one that can be.
fn of_one(verdict: &Applicability) -> u8 {
    match verdict {
        Applicability::Installed => 0,
        Applicability::Applicable => 1,
        Applicability::Unknown(_) => 2,
        Applicability::NotApplicable => 3,
    }
}

/// The verdict that `rank` puts first; not applicable if there is none.
fn first(
    verdicts: impl Iterator<Item = Applicability>,
    rank: fn(&Applicability) -> u8,
) -> Applicability {
    verdicts.min_by_key(rank).unwrap_or(Applicability::NotApplicable)
}

#[cfg(test)]
mod tests;
