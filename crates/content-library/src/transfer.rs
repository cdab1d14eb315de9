//! Which files to transfer next.

use std::collections::BTreeSet;

use model::{ContentFile, Sha256};

/// What one round of transfers may take.
#[derive(Clone, Copy, Debug)]
pub struct TransferLimits {
    pub files_max: usize,
    /// A single file may exceed it, alone.
    pub bytes_max: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransferPlan {
    /// What to fetch in this round, in the order of the manifest.
    pub fetch: Vec<ContentFile>,
    /// What is left for later rounds.
    pub deferred_files: usize,
    pub deferred_bytes: u64,
}

/// Plans one round: every wanted file that is not present, once, until a limit is reached.
#[must_use]
pub fn plan_transfers(
    wanted: &[ContentFile],
    present: &BTreeSet<Sha256>,
    limits: TransferLimits,
) -> TransferPlan {
    let mut plan = TransferPlan::default();
    let (mut seen, mut bytes) = (BTreeSet::new(), 0_u64);
    for file in wanted {
        if present.contains(&file.sha256) || !seen.insert(file.sha256) {
            continue;
        }
        let total = bytes.saturating_add(file.size);
        let fits = plan.fetch.is_empty() || total <= limits.bytes_max;
        // Nothing overtakes a deferred file, else a large one could wait for ever.
        if fits && plan.fetch.len() < limits.files_max && plan.deferred_files == 0 {
            bytes = total;
            plan.fetch.push(file.clone());
        } else {
            plan.deferred_files += 1;
            plan.deferred_bytes = plan.deferred_bytes.saturating_add(file.size);
        }
    }
    plan
}

#[cfg(test)]
mod tests;
