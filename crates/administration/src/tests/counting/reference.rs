//! What a site must answer by, kept without vectors, boards and digests.

use super::*;

/// What got through of a computer.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) said: Said,
    pub(super) incarnation: u64,
    /// Something after it was lost.
    pub(super) is_gap: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Reference {
    /// What each computer that is here got through.
    pub(super) known: BTreeMap<u128, Option<Heard>>,
    pub(super) items: BTreeMap<u32, Item>,
    pub(super) declined: BTreeSet<u32>,
    pub(super) version: u64,
    pub(super) grouped: BTreeSet<u32>,
    pub(super) members: BTreeSet<u128>,
}

impl Reference {
    /// The updates that count.
    pub(super) fn counted(&self) -> impl Iterator<Item = u32> {
        let live = self
            .items
            .iter()
            .filter(|(number, item)| !item.expired && !self.declined.contains(number));
        live.map(|(number, _)| *number)
    }

    /// A report was applied. One of a scan of an older catalog says nothing of what it leaves out.
    pub(super) fn hear(&mut self, number: u128, mut said: Said, incarnation: u64) {
        let known = self.known.get_mut(&number).expect("it reports");
        let before = known.take().filter(|heard| heard.incarnation == incarnation);
        if let Some(Heard { said: before, .. }) = before
            && before.covered > said.covered
        {
            said.covered = before.covered;
            said.seen.extend(before.seen);
            for (update, state) in before.states {
                said.states.entry(update).or_insert(state);
            }
        }
        *known = Some(Heard { said, incarnation, is_gap: false });
    }

    pub(super) fn state(&self, computer: u128, number: u32) -> ComplianceState {
        let Some(Heard { said, is_gap, .. }) = &self.known[&computer] else {
            return ComplianceState::Unknown;
        };
        let silence_counts =
            !is_gap && said.scan_error.is_none() && self.items[&number].since <= said.covered;
        match said.states.get(&number) {
            Some(state) => state.state,
            None if silence_counts => {
                let name = (computer, number);
                assert!(said.seen.contains(&number), "{name:?} was looked at, or is not known");
                ComplianceState::NotRequired
            }
            None => ComplianceState::Unknown,
        }
    }

    pub(super) fn tally(&self, pairs: impl IntoIterator<Item = (u128, u32)>) -> [u64; 4] {
        let mut counts = [0; 4];
        for (computer, number) in pairs {
            counts[self.state(computer, number) as usize] += 1;
        }
        let [unknown, not_required, required, installed] = counts;
        [required, installed, not_required, unknown]
    }

    pub(super) fn targets(&self, which: usize) -> Vec<u128> {
        let all = self.known.keys().copied();
        all.filter(|computer| is_to_all(which) || self.members.contains(computer)).collect()
    }

    /// The updates of a deployment that count.
    pub(super) fn updates(&self, which: usize) -> Vec<u32> {
        let deployed = if which >= 2 { BTreeSet::from([2, 3, 4]) } else { self.grouped.clone() };
        self.counted().filter(|number| deployed.contains(number)).collect()
    }

    fn bucket(&self, computer: u128, which: usize) -> &'static str {
        let updates = self.updates(which);
        let has = |state| updates.iter().any(|number| self.state(computer, *number) == state);
        let failed = self.known[&computer].iter().any(|Heard { said, .. }| {
            updates.iter().filter_map(|number| said.states.get(number)).any(|state| {
                state.enforcement.is_some_and(|(enforcement, _)| enforcement.is_failure())
            })
        });
        match () {
            () if failed => "error",
            () if has(ComplianceState::Required) => "in_progress",
            () if has(ComplianceState::Unknown) => "unknown",
            () => "success",
        }
    }

    pub(super) fn deployment_row(&self, which: usize) -> [u64; 5] {
        let targets = self.targets(which);
        let count = |bucket| {
            targets.iter().filter(|one| self.bucket(**one, which) == bucket).count() as u64
        };
        let targeted = targets.len() as u64;
        [targeted, count("success"), count("in_progress"), count("error"), count("unknown")]
    }
}
